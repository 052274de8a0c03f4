"""`python -m scripts._docs.generate`: writes the pages of docs/reference that are made from code."""

from __future__ import annotations

from pathlib import Path

from scripts._docs.commands import commands_page
from scripts._docs.licences import licences_page
from scripts._docs.messages import messages_page
from scripts._docs.settings import settings_page

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "reference"
PAGES = {
    "commands.md": commands_page,
    "licences.md": licences_page,
    "messages.md": messages_page,
    "settings.md": settings_page,
}


def main() -> None:
    """Write each page anew."""
    for name, page in PAGES.items():
        (FOLDER / name).write_text(page())


if __name__ == "__main__":
    main()

"""Every line that the tutorials have typed is a valid command; a deep test types first-provider.md."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import typer

from assay.cli.app import app
from assay.provider.settings import ProviderSettings

TUTORIALS = Path(__file__).resolve().parents[3] / "docs" / "tutorials"


def typed_in(page: str) -> list[str]:
    """The lines of a tutorial that are to be typed."""
    blocks = re.findall(r"^```sh\n(.*?)^```$", (TUTORIALS / page).read_text(), re.DOTALL | re.MULTILINE)
    return [line.partition("  # ")[0].strip() for block in blocks for line in block.splitlines()]


LINES = typed_in("first-provider.md")
COMMANDS = [line for line in LINES if line.startswith("assay ")]
LEASING = [line for line in typed_in("first-lease.md") if line.startswith("assay ")]


def options_of(words: list[str]) -> tuple[set[str], int]:
    """The options that the command named by the first words takes, and how many words name it."""
    command: Any = typer.main.get_command(app)
    for count, word in enumerate(words):
        found = command.get_command(None, word) if hasattr(command, "get_command") else None
        if found is None:
            assert not hasattr(command, "list_commands"), f"no command {word!r} in {' '.join(words)}"
            return {name for one in command.params for name in (*one.opts, *one.secondary_opts)}, count
        command = found
    return {name for one in command.params for name in (*one.opts, *one.secondary_opts)}, len(words)


@pytest.mark.parametrize("line", [*COMMANDS, *LEASING])
def test_page__every_line__names_a_command_and_options_that_there_are(line: str) -> None:
    words = shlex.split(re.sub(r"\$\([^)]*\)|[<>&].*$", "X", line).replace("$RENTER", "--key-file X --data-dir X"))[1:]
    known, count = options_of(words)
    typed = words[: words.index("--")] if "--" in words else words
    for word in typed[count:]:
        if word.startswith("-"):
            assert word in known, f"{line}: {word}"


def test_page__every_variable__is_a_setting_of_the_provider() -> None:
    named = {name for line in LINES for name in re.findall(r"ASSAY_([A-Z_]+)=", line)}
    assert len(named) > 8
    assert named <= {name.upper() for name in ProviderSettings.model_fields}


def test_page__from_install_to_withdraw__has_every_part() -> None:
    for part in ("enrol", "operator add", "credit fill", "doctor", "run", "rewards claim", "retire", "withdraw"):
        assert any(line.startswith(f"assay provider {part}") for line in COMMANDS), part

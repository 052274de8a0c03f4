"""MkDocs' hook: pages of the repository's root that the site shows too, and links between them and docs/.

In a checkout SECURITY.md lies beside docs/, on the site it lies within.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parents[2]
ROOT_PAGES = ("CONTRIBUTING.md", "SECURITY.md", "CODE_OF_CONDUCT.md", "CHANGELOG.md")
LINK = re.compile(r"(?<=\]\()(?!https?:|#)([^)\s]+)(?=\))")


def on_files(files: Files, config: Any) -> Files:
    """Adds the root's pages, whose links into docs/ lose that folder; README.md is the site's first page."""
    for name in ROOT_PAGES:
        text = LINK.sub(lambda link: _inside(link[1]), (ROOT / name).read_text())
        files.append(File.generated(config, name, content=text))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Links from docs/ up to the root's pages stay within the site."""
    up = "../" * (page.file.src_uri.count("/") + 1)
    return re.sub(rf"(?<=\]\(){re.escape(up)}(?=(?:{'|'.join(ROOT_PAGES)})[)#])", up[3:], markdown)


def _inside(link: str) -> str:
    return "index.md" if link == "README.md" else link.removeprefix("docs/")

"""Sections of docs/reference/benchmarks.md that are written from results."""

from __future__ import annotations

from pathlib import Path

PAGE = Path("docs/reference/benchmarks.md")


def replace_section(name: str, text: str, page: Path = PAGE) -> None:
    """Replaces what stands between `<!-- name: begin -->` and `<!-- name: end -->`.

    Raises:
        ValueError: the page lacks those lines.
    """
    begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
    old = page.read_text()
    if begin not in old or end not in old:
        raise ValueError(f"{page}: has no lines {begin} and {end}")
    head, rest = old.split(begin, 1)
    page.write_text(f"{head}{begin}\n{text}{end}{rest.split(end, 1)[1]}")

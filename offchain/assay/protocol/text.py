"""Text of others, as it may stand in a line on a terminal or on a page."""

from __future__ import annotations

REPLACED = "\ufffd"  # where a text must not become another one by what is left out


def printable(text: str, instead: str = "") -> str:
    """The text with `instead` in place of each character that does not print: line ends, and what a terminal obeys."""
    return "".join(c if c.isprintable() else instead for c in text)


def one_line(text: str) -> str:
    """What prints of a text, each run of white space as one space."""
    return printable(" ".join(text.split()))

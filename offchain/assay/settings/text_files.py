"""Texts that people wrote with whatever editor they have."""

from __future__ import annotations

from codecs import BOM_UTF16_BE, BOM_UTF16_LE


def text_of(content: bytes) -> str:
    """UTF-8 with or without a byte order mark, UTF-16 with one. Raises UnicodeDecodeError."""
    return content.decode("utf-16" if content.startswith((BOM_UTF16_LE, BOM_UTF16_BE)) else "utf-8-sig")

"""Names of endpoints: labels under the provider's domain, and renters' own domains. Pure."""

from __future__ import annotations

import re

LABEL_LETTERS = "abcdefghijkmnpqrstuvwxyz23456789"
LABEL_LENGTH = 16
MAX_NAME = 253
_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?", re.ASCII)


def parse_name(text: str) -> str:
    """A host's name in lower case, without a dot at its end; of two labels at least. Raises ValueError."""
    name = text.strip().lower().removesuffix(".")
    labels = name.split(".")
    if len(name) > MAX_NAME or len(labels) < 2 or not all(_LABEL.fullmatch(one) for one in labels):
        raise ValueError("expected a name such as llm.example.org, of ASCII letters, digits and hyphens")
    if labels[-1].isdigit():
        raise ValueError("expected a name, not an address")
    return name


def is_within(name: str, domain: str) -> bool:
    """Whether a name is the domain or under it."""
    return name == domain or name.endswith(f".{domain}")


def label(letters: bytes) -> str:
    """A label out of random bytes, one of 32 letters for each: 80 bits that nobody guesses."""
    if len(letters) != LABEL_LENGTH:
        raise ValueError(f"expected {LABEL_LENGTH} bytes")
    return "".join(LABEL_LETTERS[one % len(LABEL_LETTERS)] for one in letters)

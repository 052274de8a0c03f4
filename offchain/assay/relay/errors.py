"""What can go wrong at a relay, in words for whoever runs it or is refused by it."""

from __future__ import annotations


class RelayError(Exception):
    """Base; the text is safe to show."""


class BadRelaySetting(RelayError):
    """A setting off its rules: which, its value, and the rule."""

    exit_status = 2


class LinkRefused(RelayError):
    """A provider that gets no link. `kind` is one word for the count of refusals."""

    def __init__(self, kind: str, reason: str) -> None:
        self.kind = kind
        super().__init__(reason)

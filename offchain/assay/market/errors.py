"""What can go wrong in the market, each with the value that was wrong and what to do."""

from __future__ import annotations


class MarketError(Exception):
    """Base of everything this package raises on purpose."""


class BadMarketSetting(MarketError):
    """A setting or an option off its rules: which, its value, and the rule."""

    exit_status = 2


class WrongDatabase(MarketError):
    """The database holds another network's index."""

    def __init__(self, name: str, found: str, expected: str) -> None:
        super().__init__(
            f"the database is an index of {name} {found}, the deployment is {expected}: "
            "name another database with --database, or empty this one"
        )


class BadDatabase(MarketError):
    """A database that cannot be opened."""


class BadContent(MarketError):
    """Content that a validator or provider served and that is malformed or does not prove."""


class SourceFault(MarketError):
    """A validator or provider that did not answer, or too much, or not as it should."""


class BadQuery(MarketError):
    """A search that cannot be answered as asked."""


class CheckRefused(MarketError):
    """A renter's result that is not kept."""

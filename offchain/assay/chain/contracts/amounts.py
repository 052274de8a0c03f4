"""Amounts and times of the chain as people read them."""

from __future__ import annotations

from datetime import UTC, datetime

STAKE_DECIMALS = 18  # the network token's
LAST_DAY = 253_402_128_000  # 9999-12-30


def show_amount(base_units: int, decimals: int) -> str:
    """Whole tokens as decimal text, without trailing zeros."""
    whole, fraction = divmod(base_units, 10**decimals)
    digits = str(fraction).rjust(decimals, "0").rstrip("0") if fraction else ""
    return f"{whole}.{digits}" if digits else str(whole)


def tokens_text(base_units: int) -> str:
    """An amount of the network token, for people."""
    return f"{show_amount(base_units, STAKE_DECIMALS)} network tokens"


def utc(seconds: int) -> str:
    """A time of the chain, for people. Contracts take times that no calendar has."""
    if seconds > LAST_DAY:
        return "after the year 9999"
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")

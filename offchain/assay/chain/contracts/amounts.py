"""Amounts and times of the chain as people read them."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal, localcontext

STAKE_DECIMALS = 18  # the network token's
LAST_DAY = 253_402_128_000  # 9999-12-30
PLACES = 6  # behind the point, of what people read: all that most tokens for payment have
SMALL_DIGITS = 3  # of what is less than a thousandth


def show_amount(base_units: int, decimals: int) -> str:
    """Whole tokens as decimal text, without trailing zeros."""
    whole, fraction = divmod(base_units, 10**decimals)
    digits = str(fraction).rjust(decimals, "0").rstrip("0") if fraction else ""
    return f"{whole}.{digits}" if digits else str(whole)


def amount_text(base_units: int, decimals: int) -> str:
    """The same rounded, for people who read it in a table or are asked: never what is compared, signed or typed."""
    return rounded(show_amount(base_units, decimals))


def rounded(amount: str, least: int = 0) -> str:
    """Decimal text to six places, of less than a thousandth to three digits; without trailing zeros, but with `least`
    places."""
    with localcontext(prec=200):  # an amount has up to 78 digits, and a token up to 255 decimals
        value = Decimal(amount)
        places = PLACES if abs(value) >= Decimal("0.001") or not value else SMALL_DIGITS - 1 - value.adjusted()
        whole, _, fraction = format(round(value, places), "f").partition(".")
    fraction = fraction.rstrip("0").ljust(least, "0")
    return f"{whole}.{fraction}" if fraction else whole


def tokens_text(base_units: int) -> str:
    """An amount of the network token, for people."""
    return f"{show_amount(base_units, STAKE_DECIMALS)} network tokens"


def utc(seconds: int) -> str:
    """A time of the chain, for people. Contracts take times that no calendar has."""
    if seconds > LAST_DAY:
        return "after the year 9999"
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")

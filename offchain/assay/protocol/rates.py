"""What time costs at a rate: base units of a token × 10¹⁸ a second, rounded as the escrow rounds."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

RATE_UNIT = 10**18
HOUR_S = 3600


def cost(rate: int, seconds: int) -> int:
    """What `seconds` cost, base units, rounded up so that a deposit or bond covers them."""
    return -(-rate * seconds // RATE_UNIT)


def streamed(rate: int, seconds: int) -> int:
    """What has streamed after `seconds`, base units, rounded down."""
    return rate * seconds // RATE_UNIT


def seconds_for(rate: int, deposit: int) -> int:
    """How long a deposit lasts, whole seconds."""
    return deposit * RATE_UNIT // rate


def price_per_hour(rate: int, decimals: int) -> Decimal:
    """Whole tokens an hour, to 28 digits."""
    return Decimal(rate) * HOUR_S / RATE_UNIT / (Decimal(10) ** decimals)


def exact_rate(price: Decimal, decimals: int) -> Fraction:
    """The rate of a price in whole tokens an hour. A Fraction, for decimal arithmetic would round what has more than 28
    digits; offers round it down and searches up."""
    return Fraction(price) * Fraction(10**decimals * RATE_UNIT, HOUR_S)

"""Prices and durations: a rate is base units of a token × 10¹⁸ a second."""

from __future__ import annotations

from decimal import ROUND_CEILING, Decimal, InvalidOperation

from assay.renter.errors import BadInput

RATE_UNIT = 10**18
HOUR_S = 3600
_UNITS = {"s": 1, "m": 60, "h": HOUR_S, "d": 24 * HOUR_S}


def deposit_for(rate: int, seconds: int) -> int:
    """What `seconds` cost, base units, rounded up as the escrow does."""
    return -(-rate * seconds // RATE_UNIT)


def seconds_for(rate: int, deposit: int) -> int:
    """How long a deposit lasts, whole seconds."""
    return deposit * RATE_UNIT // rate


def price_per_hour(rate: int, decimals: int) -> Decimal:
    """Whole tokens an hour, exact."""
    return Decimal(rate) * HOUR_S / RATE_UNIT / (Decimal(10) ** decimals)


def rate_of(price: Decimal, decimals: int) -> int:
    """Base units × 10¹⁸ a second of whole tokens an hour, rounded up."""
    return int((price * Decimal(10) ** decimals * RATE_UNIT / HOUR_S).to_integral_value(ROUND_CEILING))


def parse_amount(text: str, decimals: int) -> int:
    """Base units of a decimal number of whole tokens. Raises BadInput for more digits than the token has."""
    try:
        value = Decimal(text)
    except InvalidOperation:
        raise BadInput(f"{text!r} is not an amount") from None
    scaled = value * Decimal(10) ** decimals if value.is_finite() else Decimal("NaN")
    if not value.is_finite() or value <= 0 or scaled != scaled.to_integral_value():
        raise BadInput(f"{text!r}: an amount above zero with at most {decimals} digits after the point")
    return int(scaled)


def show_amount(base_units: int, decimals: int) -> str:
    """Whole tokens as decimal text, without trailing zeros."""
    value = Decimal(base_units) / (Decimal(10) ** decimals)
    return format(value.normalize() if value else Decimal(0), "f")


def parse_duration(text: str) -> int:
    """Seconds of `90`, `90s`, `15m`, `2h`, `1d`. Raises BadInput."""
    unit = _UNITS.get(text[-1:], 0)
    digits = text[:-1] if unit else text
    if not digits.isascii() or not digits.isdigit() or int(digits) == 0 or len(digits) > 9:
        raise BadInput(f"{text!r} is not a duration: expected such as 90s, 15m, 2h or 1d")
    return int(digits) * (unit or 1)

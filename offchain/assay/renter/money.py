"""Prices and durations: a rate is base units of a token × 10¹⁸ a second."""

from __future__ import annotations

import re
from datetime import datetime
from decimal import Decimal

from assay.chain.amounts import show_amount as show_amount
from assay.renter.errors import BadInput

LAST_DAY = 253_402_128_000  # 9999-12-30
RATE_UNIT = 10**18
HOUR_S = 3600
_AMOUNT = re.compile(r"([0-9]{1,60})(?:\.([0-9]{1,36}))?")
_UNITS = {"s": 1, "m": 60, "h": HOUR_S, "d": 24 * HOUR_S}


def deposit_for(rate: int, seconds: int) -> int:
    """What `seconds` cost, base units, rounded up as the escrow does."""
    return -(-rate * seconds // RATE_UNIT)


def seconds_for(rate: int, deposit: int) -> int:
    """How long a deposit lasts, whole seconds."""
    return deposit * RATE_UNIT // rate


def price_per_hour(rate: int, decimals: int) -> Decimal:
    """Whole tokens an hour, to 28 digits."""
    return Decimal(rate) * HOUR_S / RATE_UNIT / (Decimal(10) ** decimals)


def moment(seconds: int) -> str:
    """A time of the chain on this machine's clock. Contracts take times that no calendar has."""
    if seconds > LAST_DAY:
        return "after the year 9999"
    return datetime.fromtimestamp(seconds).astimezone().strftime("%Y-%m-%d %H:%M:%S")


def parse_amount(text: str, decimals: int) -> int:
    """Base units of a decimal number of whole tokens. Raises BadInput for more digits than the token has."""
    match = _AMOUNT.fullmatch(text)
    # As text: decimal arithmetic would round amounts of more than 28 digits.
    whole, fraction = (match[1], match[2] or "") if match else ("0", "")
    value = int(whole + fraction.ljust(decimals, "0")) if len(fraction) <= decimals else 0
    if value == 0:
        raise BadInput(f"{text!r}: an amount above zero with at most {decimals} digits after the point")
    return value


def parse_duration(text: str) -> int:
    """Seconds of `90`, `90s`, `15m`, `2h`, `1d`. Raises BadInput."""
    unit = _UNITS.get(text[-1:], 0)
    digits = text[:-1] if unit else text
    if not digits.isascii() or not digits.isdigit() or int(digits) == 0 or len(digits) > 9:
        raise BadInput(f"{text!r} is not a duration: expected such as 90s, 15m, 2h or 1d")
    return int(digits) * (unit or 1)

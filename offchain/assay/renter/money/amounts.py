"""Amounts and durations as people write and read them."""

from __future__ import annotations

import re
from datetime import datetime

from assay.chain.contracts.amounts import LAST_DAY
from assay.chain.contracts.amounts import amount_text as amount_text
from assay.chain.contracts.amounts import rounded as rounded
from assay.chain.contracts.amounts import show_amount as show_amount
from assay.protocol.rates import HOUR_S, cost
from assay.renter.errors import BadInput

_AMOUNT = re.compile(r"([0-9]{1,60})(?:\.([0-9]{1,36}))?")
_UNITS = {"s": 1, "m": 60, "h": HOUR_S, "d": 24 * HOUR_S}


def deposit_for(rate: int, seconds: int) -> int:
    """What a lease of `seconds` takes, base units."""
    return cost(rate, seconds)


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

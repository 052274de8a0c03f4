"""What the renter's commands show to people where JSON has exact values: tokens by name, times as on a clock."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from assay.chain.erc20 import Erc20
from assay.chain.errors import ChainError
from assay.renter.money import price_per_hour, show_amount

if TYPE_CHECKING:
    from assay.chain.client import Chain

AMOUNTS = ("deposit", "streamed", "claimed", "refunded", "bond")
LAST_DAY = 253_402_128_000  # 9999-12-30
EXACT = {"baseUnits", "decimals", "shortId", "secondsLeft", "rate"}


async def symbols_of(chain: Chain, tokens: Iterable[str]) -> dict[str, str]:
    """The tokens' symbols; the address of one that answers to nothing of the kind."""

    async def symbol(token: str) -> str:
        try:
            return await Erc20(chain, token).symbol()
        except ChainError:
            return token

    known = sorted(set(tokens))
    return dict(zip(known, await asyncio.gather(*(symbol(token) for token in known)), strict=True))


def moment(seconds: int) -> str:
    """A time of the chain on this machine's clock. Contracts take times that no calendar has."""
    if seconds > LAST_DAY:
        return "after the year 9999"
    return datetime.fromtimestamp(seconds).astimezone().strftime("%Y-%m-%d %H:%M:%S")


def rented_text(values: Mapping[str, Any], decimals: int, symbol: str) -> dict[str, Any]:
    """A lease that was rented or opened, as `rented_json` has it."""
    shown = dict(values)
    shown["deposit"] = f"{show_amount(int(values['deposit']), decimals)} {symbol}"
    if stop := shown.pop("stop", 0):
        shown["stops"] = moment(stop)
    if "steps" in shown:
        shown["steps"] = ", ".join(f"{name} {seconds:.1f} s" for name, seconds in values["steps"].items())
        shown["proof"] = f"{shown.pop('proofMs')} ms, {shown.pop('scoreGops')} gops"
        shown["verified"] = f"in {shown.pop('verifyMs')} ms on this machine"
    shown.pop("seconds", None)
    return shown


def lease_text(values: Mapping[str, Any], symbol: str) -> dict[str, Any]:
    """One lease in full, as `lease_json` has it."""
    shown = {name: value for name, value in values.items() if name not in EXACT}
    price = price_per_hour(int(values["rate"]), values["decimals"]).quantize(Decimal(1).scaleb(-values["decimals"]))
    shown["pricePerHour"] = f"{price.normalize():f} {symbol}"
    shown.update({name: f"{values[name]} {symbol}" for name in AMOUNTS})
    # One that has not started has neither.
    shown.update({name: moment(values[name]) if values["start"] else "" for name in ("start", "stop")})
    return {name: value for name, value in shown.items() if value != ""}

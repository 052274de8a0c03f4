"""What commands show of network rewards."""

from __future__ import annotations

from typing import Any

from assay.chain.contracts.erc20 import Erc20
from assay.chain.rpc.client import Chain
from assay.cli.renter.texts import moment
from assay.renter.money.amounts import amount_text
from assay.renter.money.rewards import Rewards


async def network_token(chain: Chain) -> tuple[int, str]:
    """Decimals and symbol of the token that rewards are paid in."""
    token = Erc20(chain, chain.deployment.address("NetworkToken"))
    return await token.decimals(), await token.symbol()


def rewards_text(found: Rewards, decimals: int, symbol: str) -> dict[str, Any]:
    """For people: amounts in whole tokens, times as on a clock."""

    def amount(units: int) -> str:
        return f"{amount_text(units, decimals)} {symbol}"

    shown = {"account": found.account, "earned": amount(found.earned), "claimed": amount(found.claimed)}
    shown["due now"] = amount(found.due)
    if found.waiting:
        shown["due later"] = f"{amount(found.waiting)}, from {moment(found.from_)}"
    return shown


async def rewards_line(chain: Chain, found: Rewards) -> dict[str, str]:
    """The same in one line among others."""
    decimals, symbol = await network_token(chain)
    sums = {"earned": found.earned, "claimed": found.claimed, "due now": found.due, "due later": found.waiting}
    line = ", ".join(f"{name} {amount_text(units, decimals)}" for name, units in sums.items())
    return {f"rewards, {symbol}": line}


def rewards_json(found: Rewards) -> dict[str, Any]:
    """Base units as text, times in seconds since 1970."""
    return {
        "account": found.account,
        "earned": str(found.earned),
        "claimed": str(found.claimed),
        "due": str(found.due),
        "waiting": str(found.waiting),
        "waitingUntil": found.from_ if found.waiting else None,
        "epoch": found.claimable[0] if found.claimable else None,
    }

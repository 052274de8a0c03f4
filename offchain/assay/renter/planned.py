"""Transactions that would be sent, as anyone can send them: for a look before, or for a wallet elsewhere."""

from __future__ import annotations

from dataclasses import dataclass

from assay.chain.client import Chain, ContractCall
from assay.chain.erc20 import APPROVE, Erc20
from assay.protocol.encoding import u256
from assay.protocol.hexadecimal import to_hex
from assay.renter.offer_checks import ESCROW
from assay.renter.wallet import Opening


@dataclass(frozen=True)
class Planned:
    """One transaction; `value` in wei, calldata 0x-hex."""

    name: str
    to: str
    calldata: str
    value: int = 0


def planned_call(chain: Chain, call: ContractCall) -> Planned:
    """A call of one of the deployment's contracts."""
    return Planned(str(call), chain.deployment.address(call.contract), to_hex(chain.encode(call)), call.value)


async def planned_opening(chain: Chain, opening: Opening, holder: str | None) -> list[Planned]:
    """`open`, after the approval that it needs. `holder` is the wallet; without one its allowance is not known."""
    escrow = chain.deployment.address(ESCROW)
    token = Erc20(chain, opening.token)
    call = planned_call(chain, opening.call())
    if holder is not None and await token.allowance(holder, escrow) >= opening.deposit:
        return [call]
    data = to_hex(APPROVE + u256(escrow) + u256(opening.deposit))
    return [Planned("ERC20.approve", token.address, data), call]

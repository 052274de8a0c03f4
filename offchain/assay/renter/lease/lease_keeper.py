"""Joins a renter's hands to the keeping of one lease."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

from assay.chain.contracts.erc20 import Erc20
from assay.chain.contracts.leases import Lease
from assay.protocol.hexadecimal import to_hex
from assay.renter.lease.keeping import Actions, Keeper, Policy
from assay.renter.money.amounts import moment, show_amount

if TYPE_CHECKING:
    from assay.renter.renter import Renter

WATCHING = Policy(margin=0, step=0, cap=0, patience=None)  # of whoever only submits downtime


async def keeper_of(renter: Renter, lease_id: int, policy: Policy, every: float, tell: Callable[[str], None]) -> Keeper:
    """Keeps the lease with the renter's wallet, looking every `every` seconds."""
    offer = await renter.offer(lease_id)
    token = Erc20(renter.chain, offer.token)
    decimals, symbol = await asyncio.gather(token.decimals(), token.symbol())
    told: set[tuple[int, str]] = set()

    def amount(units: int) -> str:
        return f"{show_amount(units, decimals)} {symbol}"

    async def silent() -> tuple[str, ...]:
        return tuple(to_hex(device_id) for device_id in await renter.silent(offer.device_ids))

    async def collect(lease: Lease) -> bool:
        found, _ = await renter.refund_downtime(lease.lease_id, min_down=policy.min_down)
        for one in found.claimable:
            tell(f"epoch {one.epoch}: reports attest {one.seconds} s of downtime, credited: {amount(one.amount)}")
        for refused in found.refused:
            if refused not in told:
                told.add(refused)
                tell(f"epoch {refused[0]}: the escrow takes no downtime: {refused[1]}")
        return found.settled

    async def top_up(units: int) -> None:
        await renter.top_up(lease_id, units)

    async def end() -> None:
        await renter.end(lease_id)
        if await renter.refundable(lease_id):
            await renter.refund(lease_id)

    actions = Actions(
        view=lambda: renter.view(lease_id), silent=silent, collect=collect, top_up=top_up, end=end,
        clock=renter.clock, sleep=renter.sleep, tell=tell, amount=amount, moment=moment,
    )  # fmt: skip
    return Keeper(actions, policy, every)

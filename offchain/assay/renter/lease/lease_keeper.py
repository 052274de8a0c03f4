"""Joins a renter's wallet to the keeping of one lease."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

from assay.chain.contracts.erc20 import Erc20
from assay.chain.contracts.leases import Lease
from assay.chain.rpc.client import Chain
from assay.protocol.hexadecimal import to_hex
from assay.protocol.messages import Offer
from assay.protocol.types import DeviceId
from assay.renter.lease.downtime import DowntimeFound
from assay.renter.lease.keeping import Actions, Keeper, Policy
from assay.renter.lease.lease_views import LeaseView
from assay.renter.lease.steps import unheard
from assay.renter.money.amounts import amount_text, moment

WATCHING = Policy(margin=0, step=0, cap=0, patience=None)  # of whoever only submits downtime


class KeepingWallet(Protocol):
    """What keeping asks of a renter: looks at a lease, and transactions of its wallet."""

    chain: Chain
    clock: Callable[[], float]
    sleep: Callable[[float], Awaitable[None]]

    async def offer(self, lease_id: int) -> Offer: ...

    async def view(self, lease_id: int) -> LeaseView: ...

    async def silent(self, device_ids: Sequence[DeviceId]) -> tuple[bytes, ...]: ...

    async def refund_downtime(
        self, lease_id: int, with_held: bool = False, min_down: int = 0
    ) -> tuple[DowntimeFound, Any]: ...

    async def top_up(self, lease_id: int, amount: int) -> Any: ...

    async def end(self, lease_id: int) -> Any: ...

    async def refundable(self, lease_id: int) -> int: ...

    async def refund(self, lease_id: int) -> Any: ...

    async def prove(self, lease_id: int, wheels: Sequence[Path], tell: Callable[[str], None]) -> Sequence[Any]: ...


async def keeper_of(
    renter: KeepingWallet, lease_id: int, policy: Policy, every: float, tell: Callable[[str], None]
) -> Keeper:
    """Keeps the lease with the renter's wallet, looking every `every` seconds."""
    offer = await renter.offer(lease_id)
    token = Erc20(renter.chain, offer.token)
    decimals, symbol = await asyncio.gather(token.decimals(), token.symbol())
    told: set[tuple[int, str]] = set()

    def amount(units: int) -> str:
        return f"{amount_text(units, decimals)} {symbol}"

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

    async def prove(wheels: tuple[Path, ...]) -> str:
        proofs = await renter.prove(lease_id, wheels, unheard)
        return "; ".join(f"{to_hex(one.device.device_id)}: {one.fault}" for one in proofs if one.fault)

    actions = Actions(
        view=lambda: renter.view(lease_id), silent=silent, collect=collect, top_up=top_up, end=end,
        clock=renter.clock, sleep=renter.sleep, tell=tell, amount=amount, moment=moment,
        prove=prove,
    )  # fmt: skip
    return Keeper(actions, policy, every)

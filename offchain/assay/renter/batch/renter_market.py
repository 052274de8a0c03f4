"""The market of a batch by a renter's wallet."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

from assay.chain.contracts.leases import ESCROW, Lease, offer_of_log
from assay.chain.errors import ChainError
from assay.chain.rpc.events import read_events
from assay.renter.batch.ports import JobPlace, OpenedLease
from assay.renter.errors import RenterError, Unreachable
from assay.renter.lease.steps import unheard, untold
from assay.renter.market.listing import Listing
from assay.renter.market.search import Order, Wanted
from assay.renter.money.wallet import Minima
from assay.wire.pods import PodBody

if TYPE_CHECKING:
    from assay.renter.renter import Renter

KNOWN_S, LOOK_S = 90.0, 1.0


class RenterMarket:
    """As `BatchMarket`. `pod` is what leases start from, None where their providers say."""

    def __init__(
        self, renter: Renter, wanted: Wanted, minima: Minima, pod: PodBody | None, tell: Callable[[str], None] = unheard
    ) -> None:
        self._renter, self._wanted, self._minima, self._pod, self._tell = renter, wanted, minima, pod, tell

    async def settle(self) -> None:
        """Waits until everything that was ever sent is in a block, or never will be."""
        async with self._renter.sending() as wallet:
            await wallet.settle()

    async def block(self) -> int:
        """The number of the newest block."""
        return (await self._renter.chain.head()).number

    async def now(self) -> int:
        """The time of the newest block."""
        return (await self._renter.chain.head()).timestamp

    async def opened_since(self, block: int) -> list[OpenedLease]:
        """This wallet's leases from that block on."""
        chain = self._renter.chain
        head = await chain.head()
        where = {"renter": [self._renter.address]}
        events = await read_events(chain, ESCROW, ["LeaseOpened"], min(block, head.number), head, where=where)
        return [
            OpenedLease(
                int(one.args["leaseId"]), offer_of_log(one.args["offer"]).struct_hash(), int(one.args["deposit"])
            )
            for one in events
        ]

    async def offers(self) -> list[Listing]:
        """Those that would do, proven."""
        return await self._renter.proven(self._wanted, Order.price)

    async def open(self, listing: Listing, deposit: int) -> int:
        """Pays a deposit in; the lease's number."""
        lease, _ = await self._renter.open(listing, deposit, self._minima)
        return lease.lease_id

    async def start(self, lease_id: int) -> None:
        """Has a lease that is pending prove itself and start; one that cannot is cancelled, its deposit paid back."""
        await self._renter.resume(lease_id, untold, self._pod, lambda text: self._tell(f"lease {lease_id}: {text}"))

    async def lease(self, lease_id: int) -> Lease:
        """As the escrow holds it in the latest block."""
        return await self._renter.lease(lease_id)

    async def top_up(self, lease_id: int, amount: int) -> None:
        """Adds to the deposit."""
        await self._renter.top_up(lease_id, amount)

    async def end(self, lease_id: int) -> None:
        """Stops the stream now, or where the minimum is still to be paid, at its end; cancels a pending lease."""
        await self._renter.end(lease_id)

    async def refund(self, lease_id: int) -> int:
        """Collects what is due, attested downtime too; how much that was."""
        try:
            await self._renter.refund_downtime(lease_id)
        except (RenterError, ChainError) as error:
            self._tell(f"lease {lease_id}: downtime is not claimed now, `assay refund {lease_id}` tries again: {error}")
        if not await self._renter.refundable(lease_id):
            return 0
        return (await self._renter.refund(lease_id))[0]

    async def place(self, lease_id: int) -> JobPlace:
        """Its workspace, once its provider knows that it runs. Raises Unreachable where that takes too long."""
        session = await self._renter.session(lease_id)
        until = self._renter.clock() + KNOWN_S
        while not await session.ready():
            if self._renter.clock() > until:
                raise Unreachable(f"{session.endpoint}: does not know lease {lease_id} after {KNOWN_S:.0f} s")
            await asyncio.sleep(LOOK_S)
        return session

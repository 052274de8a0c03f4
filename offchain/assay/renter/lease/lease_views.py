"""A lease with everything that its renter decides by."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from assay.chain.contracts.devices import DeviceStatus
from assay.chain.contracts.leases import Lease, LeaseStatus
from assay.chain.errors import ChainError
from assay.chain.rpc.blocks import Block
from assay.chain.rpc.client import Chain
from assay.protocol.messages import Offer
from assay.protocol.types import DeviceId
from assay.renter.errors import BadInput
from assay.renter.lease.lease_offers import OpenedOffers
from assay.renter.lease.leaving import Leaving, leaving
from assay.renter.market.offer_checks import ESCROW, REGISTRY


@dataclass(frozen=True)
class LeaseView:
    """A lease as the escrow holds it; `offer` is what it was opened on, None where nobody has it any more. `slashed` is
    a device of it that was slashed; `now` the time of the block it was read at. `streamed` in base units; the renter is
    free of the minimum beyond `max_downtime`, in seconds."""

    lease: Lease
    offer: Offer | None
    now: int
    streamed: int
    leaving: Leaving
    max_downtime: int
    slashed: bytes | None = None

    @property
    def device_ids(self) -> tuple[bytes, ...]:
        """The devices, none where the offer is not known."""
        return self.offer.device_ids if self.offer else ()


class LeaseViews:
    """Reads only."""

    def __init__(self, chain: Chain, offers: OpenedOffers) -> None:
        self._chain = chain
        self._offers = offers
        self._max_downtime: int | None = None

    async def of_all(self, leases: Sequence[tuple[Lease, Offer]]) -> list[LeaseView]:
        """Leases with their offers, all seen at one block."""
        head = await self._chain.head()
        return list(await asyncio.gather(*(self.of(lease, offer, head) for lease, offer in leases)))

    async def of(self, lease: Lease, offer: Offer | None = None, head: Block | None = None) -> LeaseView:
        """A lease seen as a whole, at the latest block; `offer` and that block where they are known. An endpoint that
        has lost the log of it hides the devices, and that one of them was slashed, but nothing else."""
        if self._max_downtime is None:
            self._max_downtime = int(await self._chain.call(ESCROW, "maxDowntime", at="latest"))
        if offer is None:
            try:
                offer = await self._offers.of(lease)
            except (BadInput, ChainError):
                offer = None
        watched = offer.device_ids if offer and lease.status is LeaseStatus.ACTIVE else ()
        head = head or await self._chain.head()
        streamed, slashed = await asyncio.gather(
            self._chain.call(ESCROW, "streamed", lease.lease_id, at="latest"),
            self.slashed(watched),
        )
        way = leaving(lease, head.timestamp, self._max_downtime, slashed is not None)
        return LeaseView(lease, offer, head.timestamp, int(streamed), way, self._max_downtime, slashed)

    async def slashed(self, device_ids: tuple[DeviceId, ...]) -> bytes | None:
        """The first of these devices that the registry has as slashed. One of a lease that runs was slashed within it:
        no lease starts on one that is."""
        entries = await asyncio.gather(
            *(self._chain.call(REGISTRY, "device", device_id, at="latest") for device_id in device_ids)
        )
        found = zip(device_ids, entries, strict=True)
        return next((one for one, entry in found if DeviceStatus(entry.status) is DeviceStatus.SLASHED), None)

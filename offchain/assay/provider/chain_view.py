"""Reads what the daemon needs from a node, at final blocks only."""

from __future__ import annotations

from collections import OrderedDict

from assay.chain.contracts.epochs import read_epoch_state
from assay.chain.contracts.leases import Lease, LeaseStatus, active_lease, read_lease
from assay.chain.rpc.blocks import Block
from assay.chain.rpc.client import Chain
from assay.protocol.epochs import Phase
from assay.protocol.types import DeviceId
from assay.provider.views import EpochView, SeatView

SET_CACHE_SIZE = 8
CACHE_SIZE = 10_000
PAST_FOR_S = 60


class ChainView:
    """Epochs and leases as typed views. Seats of a set never change, so they are read once, and so are leases with
    other providers than this one: whatever strangers ask for, a block costs a bounded number of calls.
    """

    def __init__(self, chain: Chain, provider: str, *, for_strangers: bool = False) -> None:
        """`for_strangers` reads at a final block of at most a second ago, asked for once however many ask."""
        self._chain = chain
        self._final = chain.recent_final if for_strangers else chain.finalised
        self._provider = provider.lower()
        self._seats: dict[int, tuple[SeatView, ...]] = {}
        self._strangers: OrderedDict[int, Lease] = OrderedDict()
        self._past: OrderedDict[int, tuple[EpochView | None, int]] = OrderedDict()

    async def epoch(self, epoch: int, at: Block | None = None) -> EpochView | None:
        """The epoch at a final block, or None where it is not opened there (or was overwritten)."""
        block = at or await self._final()
        if at is None:
            current = await self._current(block)
            if epoch > current:
                return None
            if epoch < current - 1:
                return await self._past_epoch(epoch, block)
        return await self._epoch(epoch, block)

    async def _past_epoch(self, epoch: int, block: Block) -> EpochView | None:
        """An epoch whose draw is over: what is asked of it changes no more, but for its place in the ring."""
        known = self._past.get(epoch)
        if known is not None and 0 <= block.timestamp - known[1] < PAST_FOR_S:
            return known[0]
        view = await self._epoch(epoch, block)
        self._past[epoch] = view, block.timestamp
        if len(self._past) > CACHE_SIZE:
            self._past.popitem(last=False)
        return view

    async def _epoch(self, epoch: int, block: Block) -> EpochView | None:
        state = await read_epoch_state(self._chain, epoch, block)
        if state.phase is Phase.NONE:
            return None
        return EpochView(
            epoch=epoch,
            epoch_seed=state.epoch_seed,
            set_id=state.set_id,
            seats=await self._seats_of(state.set_id, block),
            challenges_open=state.phase is Phase.OPEN,
            rho=state.rho if state.phase in (Phase.DRAWN, Phase.REPORTED) else None,
        )

    async def latest(self, at: Block | None = None) -> EpochView | None:
        """The latest opened epoch: the current one, or where that is not opened yet the one before."""
        block = at or await self._final()
        current = await self._current(block)
        for epoch in (current, current - 1):
            if epoch >= 0 and (view := await self.epoch(epoch, block)):
                return view
        return None

    async def lease(self, lease_id: int) -> Lease | None:
        """The lease at a final block, one with another provider as it was when it was first asked
        for; None for an unknown number."""
        if lease_id in self._strangers:
            return self._strangers[lease_id]
        block = await self._final()
        if not 0 < lease_id <= int(await self._chain.call("LeaseEscrow", "leaseCount", at=block)):
            return None
        lease = await read_lease(self._chain, lease_id, block)
        if lease.status is LeaseStatus.NONE:
            return None
        if lease.provider.lower() != self._provider:
            self._strangers[lease_id] = lease
            if len(self._strangers) > CACHE_SIZE:
                self._strangers.popitem(last=False)
        return lease

    async def active_lease(self, device_id: DeviceId) -> int:
        """The number of the device's active lease at a final block, or 0."""
        return await active_lease(self._chain, device_id, await self._final())

    async def time(self) -> int:
        """Timestamp of the latest final block."""
        return (await self._final()).timestamp

    async def _current(self, block: Block) -> int:
        return int(await self._chain.call("EpochOracle", "currentEpoch", at=block))

    async def _seats_of(self, set_id: int, block: Block) -> tuple[SeatView, ...]:
        if set_id not in self._seats:
            seats = await self._chain.call("ValidatorSet", "seatsOf", set_id, at=block)
            if len(self._seats) >= SET_CACHE_SIZE:
                self._seats.pop(min(self._seats))
            self._seats[set_id] = tuple(SeatView(seat.account, seat.signer) for seat in seats)
        return self._seats[set_id]

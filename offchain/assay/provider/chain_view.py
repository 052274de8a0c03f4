"""Reads what the daemon needs from a node, at final blocks only."""

from __future__ import annotations

from assay.chain.blocks import Block
from assay.chain.client import Chain
from assay.chain.epochs import read_epoch_state
from assay.chain.leases import Lease, LeaseStatus, active_lease, read_lease
from assay.protocol.epochs import Phase
from assay.provider.views import EpochView, SeatView

KEPT_SETS = 8


class ChainView:
    """Epochs and leases as typed views. Seats of a set never change, so they are read once."""

    def __init__(self, chain: Chain) -> None:
        self._chain = chain
        self._seats: dict[int, tuple[SeatView, ...]] = {}

    async def epoch(self, epoch: int, at: Block | None = None) -> EpochView | None:
        """The epoch at a final block, or None where it is not opened there (or was overwritten)."""
        block = at or await self._chain.finalised()
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
        block = at or await self._chain.finalised()
        current = int(await self._chain.call("EpochOracle", "currentEpoch", at=block))
        for epoch in (current, current - 1):
            if epoch >= 0 and (view := await self.epoch(epoch, block)):
                return view
        return None

    async def lease(self, lease_id: int) -> Lease | None:
        """The lease at a final block, or None for an unknown number."""
        if not 0 < lease_id < 1 << 256:
            return None
        lease = await read_lease(self._chain, lease_id)
        return None if lease.status is LeaseStatus.NONE else lease

    async def active_lease(self, device_id: bytes) -> int:
        """The number of the device's active lease at a final block, or 0."""
        return await active_lease(self._chain, device_id)

    async def time(self) -> int:
        """Timestamp of the latest final block."""
        return (await self._chain.finalised()).timestamp

    async def _seats_of(self, set_id: int, block: Block) -> tuple[SeatView, ...]:
        if set_id not in self._seats:
            seats = await self._chain.call("ValidatorSet", "seatsOf", set_id, at=block)
            if len(self._seats) >= KEPT_SETS:
                self._seats.pop(min(self._seats))
            self._seats[set_id] = tuple(SeatView(seat.account, seat.signer) for seat in seats)
        return self._seats[set_id]

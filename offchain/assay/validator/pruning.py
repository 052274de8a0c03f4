"""What a validator forgets: what nobody can prove anything against any more, and before that openings that enough other
seats keep."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

import structlog
from sqlalchemy.exc import OperationalError

from assay.chain.errors import ChainError
from assay.protocol.quorum import quorum
from assay.protocol.types import NO_RHO, DeviceId, Rho
from assay.validator.chain.follower import Follower
from assay.validator.peers.gossip import Gossiper
from assay.validator.ports import ChainReader, Clock
from assay.validator.rules.observations import OpeningOutcome
from assay.validator.rules.spare_openings import epochs_kept, kept_by_all, may_let_go
from assay.validator.storage.store import AT_ONCE, Store

PRUNE_S = 60.0
AGAIN_S = 600.0  # after too few seats have said what they hold of an epoch

log = structlog.get_logger()


@dataclass
class Pruning:
    """`keep_openings` are epochs for which all openings are kept, where that is longer than it must be."""

    account: str
    reader: ChainReader
    follower: Follower
    store: Store
    gossip: Gossiper
    clock: Clock
    keep_openings: int | None
    held: int = 0  # openings, at the last look
    _again_at: dict[int, float] = field(default_factory=dict)

    async def run(self) -> None:
        """Prunes for ever."""
        while True:
            await self.clock.sleep(PRUNE_S)
            try:
                await self.once()
            except (OperationalError, ChainError) as error:
                log.warning("nothing pruned", error=str(error)[:300])

    async def once(self) -> None:
        """Forgets what is too old, and shares out the openings of one epoch. Raises ChainError, OperationalError."""
        timing = self.reader.timing
        current = timing.epoch_at(self.clock.now())
        if current is None:
            return
        oldest = current - epochs_kept(timing)
        gone = await asyncio.to_thread(self.store.prune, oldest)
        if gone:
            log.info("pruned", contents=gone, before_epoch=oldest)
        due = self._due(oldest, current - kept_by_all(timing, self.reader.claim_delay, self.keep_openings) - 1)
        if due is not None:
            await self.share_out(due)
        self.held = await asyncio.to_thread(self.store.openings_held)

    def _due(self, oldest: int, newest: int) -> int | None:
        """The oldest epoch whose openings are to be shared out now: one at a time, for each has all seats answer."""
        done, now = self.store.shared_out(), self.clock.now()
        self._again_at = {epoch: at for epoch, at in self._again_at.items() if epoch >= oldest}
        waiting = (epoch for epoch in range(max(0, oldest), newest + 1) if epoch not in done)
        return next((epoch for epoch in waiting if self._again_at.get(epoch, now) <= now), None)

    async def share_out(self, epoch: int) -> None:
        """Lets an epoch's openings go that enough seats before this one hold. Raises ChainError, OperationalError."""
        final = self.follower.final
        if final is None:
            return
        self._again_at[epoch] = self.clock.now() + AGAIN_S
        state = await self.reader.epoch(epoch, final)
        held = self._valid(epoch, state.rho)
        if held:
            seats = [seat.account for seat in await self.reader.seats(state.set_id, final)]
            if self.account in seats:
                holders, answered = await self._holders(epoch, seats, held)
                own, n = seats.index(self.account), len(seats)
                spare = [d for d in held if may_let_go(state.rho, d, n, own, holders[d])]
                for first in range(0, len(spare), AT_ONCE):
                    some = {d: held[d] for d in spare[first : first + AT_ONCE]}
                    await asyncio.to_thread(self.store.let_go, epoch, state.rho, some)
                log.info("openings shared out", epoch=epoch, let_go=len(spare), kept=len(held) - len(spare))
                if answered + 1 < quorum(n):
                    return
        self.store.set_shared_out(epoch)

    def _valid(self, epoch: int, rho: Rho) -> dict[DeviceId, bytes]:
        """Contents of the openings that verified here and are held."""
        if rho == NO_RHO:
            return {}
        verdicts = self.store.verdicts(epoch, rho)
        return {v.device_id: v.opening for v in verdicts if v.opening and v.outcome == OpeningOutcome.VALID.value}

    async def _holders(
        self, epoch: int, seats: list[str], held: dict[DeviceId, bytes]
    ) -> tuple[dict[DeviceId, set[int]], int]:
        """By device the seats that say they hold the same opening, and how many seats said anything."""
        holders: dict[DeviceId, set[int]] = {device_id: set() for device_id in held}
        answered = 0
        for seat, account in enumerate(seats):
            if account == self.account:
                continue
            index = await self.gossip.index(account, epoch)
            if index is None:
                continue
            answered += 1
            for device_id, content in held.items():
                if index.openings.get(device_id) == content:
                    holders[device_id].add(seat)
        return holders, answered

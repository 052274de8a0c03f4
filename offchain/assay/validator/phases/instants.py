"""Agreeing on the instants at which all devices are challenged, and asked for their memory."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import structlog

from assay.protocol.messages import Gossip
from assay.validator.context import EpochContext
from assay.validator.gossip import Gossiper
from assay.validator.pace import Pace
from assay.validator.phases.broadcast import broadcast
from assay.validator.ports import Clock, Statements
from assay.validator.record import EpochRecord
from assay.validator.rules import leaders
from assay.validator.rules.instants import LEAST_NOTICE_MS, Instant, chosen
from assay.validator.wake import Wake
from assay.wire import canonical, paths
from assay.wire.gossip import InstantBody, InstantMessage, Purpose

PATH = paths.INSTANTS
log = structlog.get_logger()


@dataclass(frozen=True)
class Instants:
    """Turns go round the seats until one has named an instant in time."""

    context: EpochContext
    record: EpochRecord
    statements: Statements
    gossip: Gossiper
    clock: Clock
    wake: Wake
    pace: Pace

    async def agree(self, purpose: Purpose, first: int, since: float, not_before_ms: int = 0) -> Instant | None:
        """The instant to act on; None where no leader named one before commitments close. Turns begin with the seat
        `first`, at `since` (Unix seconds)."""
        context, record, wake = self.context, self.record, self.wake

        def turn() -> int:
            return leaders.current_round(self.pace.round_s, self.clock.now() - since)

        def found() -> Instant | None:
            return chosen(record.instants, purpose, context.epoch_seed, context.n, first, turn(), not_before_ms)

        def other_than(instant: Instant) -> Callable[[], bool]:
            return lambda: found() != instant

        def more_than(reached: int) -> Callable[[], bool]:
            return lambda: found() is not None or turn() != reached

        while self.clock.now() < context.deadlines.commit_by:
            instant = found()
            if instant is not None:
                # Seats pass on what they are told: who named two is found out in the first half of its notice.
                decided = (instant.start_ms - LEAST_NOTICE_MS // 2) / 1000
                if not await wake.until(other_than(instant), decided):
                    return instant
            elif (first + turn()) % context.n == context.own and not self._has_named(purpose):
                await self.announce(purpose, not_before_ms)
            else:
                await wake.until(more_than(turn()), context.deadlines.commit_by)
        return None

    async def announce(self, purpose: Purpose, not_before_ms: int = 0) -> None:
        """Names an instant in this validator's turn, once: a second one would disqualify it."""
        context = self.context
        start_ms = max(not_before_ms, int(self.clock.now() * 1000) + LEAST_NOTICE_MS)
        body = InstantBody(epoch_seed=context.epoch_seed, start_ms=start_ms)
        gossip = Gossip(context.epoch, context.set_id, purpose.value, canonical.content_hash(body.to_json()))
        message = InstantMessage(
            kind=purpose,
            epoch=context.epoch,
            set_id=context.set_id,
            seat=self.context.account,
            content=body,
            signature=await self.statements.sign_gossip(gossip),
        )
        self.record.add_instant(message)
        log.info("instant announced", purpose=purpose.name.lower(), start_ms=start_ms)
        pass_on(self.gossip, context, message)

    def _has_named(self, purpose: Purpose) -> bool:
        own = self.context.own
        return any(instant.seat == own and instant.purpose is purpose for instant in self.record.instants)


def pass_on(gossip: Gossiper, context: EpochContext, message: InstantMessage) -> None:
    """Tells every other seat, whoever named the instant."""
    broadcast(gossip, context.others, PATH, message, context.deadlines.commit_by)

"""Agreeing on the instants at which all devices are challenged, and asked for their memory."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace

import structlog

from assay.protocol import quorum
from assay.protocol.messages import Gossip
from assay.validator.context import EpochContext
from assay.validator.pace import Pace
from assay.validator.peers.gossip import Gossiper
from assay.validator.phases.broadcast import broadcast
from assay.validator.ports import Clock, Statements
from assay.validator.rules import leaders
from assay.validator.rules.instants import MIN_NOTICE_MS, READY_MS, Instant, chosen
from assay.validator.storage.record import EpochRecord
from assay.validator.wake import Wake
from assay.wire import canonical, paths
from assay.wire.gossip import InstantBody, InstantMessage, Purpose

Begun = asyncio.Task[Instant]
PATH = paths.INSTANTS
log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Meeting:
    """What an instant is named for: turns begin with the seat `first`, at `since` (Unix seconds); nobody begins before
    `not_before_ms`."""

    purpose: Purpose
    first: int
    since: float
    not_before_ms: int = 0


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

    async def agree(self, meeting: Meeting) -> Begun | None:
        """Returns shortly before an instant, in time for what is to be ready then: a task that ends when it begins.
        None where no leader has named one before commitments close."""
        context, wake = self.context, self.wake
        while self.clock.now() < context.deadlines.commit_by:
            instant, turn = self._found(meeting), self._turn(meeting)
            if instant is not None:
                if not await wake.until(self._is_other(meeting, instant), (instant.start_ms - READY_MS) / 1000):
                    return asyncio.create_task(self._begun(meeting))
            elif (meeting.first + turn) % context.n == context.own and not self._has_named(meeting.purpose):
                await self.announce(meeting.purpose, meeting.not_before_ms)
            else:
                await wake.until(self._is_due(meeting, turn), context.deadlines.commit_by)
        return None

    async def _begun(self, meeting: Meeting) -> Instant:
        """Returns when the instant that was agreed on begins, or an earlier one that was named since: `start_ms` is
        when it began here."""
        while True:
            instant = self._found(meeting)
            if instant is None:
                raise RuntimeError("no agreement was reached")
            if not await self.wake.until(self._is_other(meeting, instant), instant.start_ms / 1000):
                return instant

    def _turn(self, meeting: Meeting) -> int:
        return leaders.current_round(self.pace.round_s, self.clock.now() - meeting.since, quorum.faults(self.context.n))

    def _found(self, meeting: Meeting) -> Instant | None:
        """The instant to act on as things are, with the moment at which to begin."""
        context, now_ms = self.context, int(self.clock.now() * 1000)
        named, turn = self.record.instants, self._turn(meeting)
        instant = chosen(named, meeting.purpose, context.epoch_seed, context.n, meeting.first, turn, now_ms)
        if instant is None:
            return None
        return replace(instant, start_ms=max(instant.begins_ms, meeting.not_before_ms))

    def _is_other(self, meeting: Meeting, instant: Instant) -> Callable[[], bool]:
        return lambda: self._found(meeting) != instant

    def _is_due(self, meeting: Meeting, turn: int) -> Callable[[], bool]:
        return lambda: self._found(meeting) is not None or self._turn(meeting) != turn

    async def announce(self, purpose: Purpose, not_before_ms: int = 0) -> None:
        """Names an instant in this validator's turn, once."""
        context = self.context
        start_ms = max(not_before_ms, int(self.clock.now() * 1000) + MIN_NOTICE_MS)
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
        self.record.add_instant(message, self.clock.now())
        log.info("instant announced", purpose=purpose.name.lower(), start_ms=start_ms)
        pass_on(self.gossip, context, message)

    def _has_named(self, purpose: Purpose) -> bool:
        own = self.context.own
        return any(instant.seat == own and instant.purpose is purpose for instant in self.record.instants)


def pass_on(gossip: Gossiper, context: EpochContext, message: InstantMessage) -> None:
    """Tells every other seat, whoever named the instant."""
    broadcast(gossip, context.others, PATH, message, context.deadlines.commit_by)

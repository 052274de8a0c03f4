"""Agreeing on the instants at which all devices are challenged, and asked for their memory."""

from __future__ import annotations

from collections.abc import Callable

import structlog

from assay.protocol.messages import Gossip
from assay.validator.phases.telling import tell_all
from assay.validator.rules import leaders
from assay.validator.rules.instants import LEAST_NOTICE_MS, Instant, chosen
from assay.validator.work import Work
from assay.wire import canonical, paths
from assay.wire.gossip import InstantBody, InstantMessage, Purpose

log = structlog.get_logger()


async def agree_instant(
    work: Work, purpose: Purpose, first: int, since: float, not_before_ms: int = 0
) -> Instant | None:
    """The instant to act on; None where no leader named one before commitments close. Turns begin with the seat
    `first`, at `since` (Unix seconds)."""
    context, record, wake = work.context, work.record, work.services.wake

    def turn() -> int:
        return leaders.current_round(work.services.pace.round_s, work.now() - since)

    def found() -> Instant | None:
        return chosen(record.instants, purpose, context.epoch_seed, context.n, first, turn(), not_before_ms)

    def other_than(instant: Instant) -> Callable[[], bool]:
        return lambda: found() != instant

    def more_than(reached: int) -> Callable[[], bool]:
        return lambda: found() is not None or turn() != reached

    while work.now() < context.deadlines.commit_by:
        instant = found()
        if instant is not None:
            # Seats pass on what they are told: a leader that named two is found out in the first half of its notice.
            decided = (instant.start_ms - LEAST_NOTICE_MS // 2) / 1000
            if not await wake.until(other_than(instant), decided):
                return instant
        elif (first + turn()) % context.n == context.own and not _has_named(work, purpose):
            await announce(work, purpose, not_before_ms)
        else:
            await wake.until(more_than(turn()), context.deadlines.commit_by)
    return None


async def announce(work: Work, purpose: Purpose, not_before_ms: int = 0) -> None:
    """Names an instant in this validator's turn, once: a second one would disqualify it."""
    context = work.context
    start_ms = max(not_before_ms, int(work.now() * 1000) + LEAST_NOTICE_MS)
    body = InstantBody(epoch_seed=context.epoch_seed, start_ms=start_ms)
    gossip = Gossip(context.epoch, context.set_id, purpose.value, canonical.content_hash(body.to_json()))
    message = InstantMessage(
        kind=purpose,
        epoch=context.epoch,
        set_id=context.set_id,
        seat=work.account,
        content=body,
        signature=await work.services.statements.sign_gossip(gossip),
    )
    work.record.add_instant(message)
    log.info("instant announced", purpose=purpose.name.lower(), start_ms=start_ms)
    pass_on(work, message)


def pass_on(work: Work, message: InstantMessage) -> None:
    """Tells every other seat, whoever named the instant."""
    tell_all(work, paths.INSTANTS, message, work.context.deadlines.commit_by)


def _has_named(work: Work, purpose: Purpose) -> bool:
    own = work.context.own
    return any(instant.seat == own and instant.purpose is purpose for instant in work.record.instants)

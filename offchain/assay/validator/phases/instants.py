"""Agreeing on the instant at which all devices are challenged."""

from __future__ import annotations

import structlog

from assay.protocol.messages import Gossip
from assay.validator import canonical
from assay.validator.phases.telling import tell_all
from assay.validator.rules import leaders
from assay.validator.rules.instants import LEAST_NOTICE_MS, Instant, chosen
from assay.validator.wire import InstantBody, InstantMessage
from assay.validator.work import Work

log = structlog.get_logger()


async def agree_instant(work: Work) -> Instant | None:
    """The instant to challenge at; None where no leader named one before commitments close."""
    context, record = work.context, work.record
    since = work.now()

    def round_reached() -> int:
        return leaders.current_round(work.services.pace.round_s, work.now() - since)

    def found() -> Instant | None:
        return chosen(record.instants, context.epoch_seed, context.n, round_reached())

    while work.now() < context.deadlines.commit_by:
        instant = found()
        if instant is not None:
            return instant
        if context.leader(round_reached()) == context.own:
            await announce(work)
            continue
        await work.services.wake.until(
            lambda: found() is not None or context.leader(round_reached()) == context.own,
            context.deadlines.commit_by,
        )
    return None


async def announce(work: Work) -> None:
    """Names an instant in this validator's turn, once: a second one would disqualify it."""
    context = work.context
    if any(instant.seat == context.own for instant in work.record.instants):
        return
    start_ms = int(work.now() * 1000) + LEAST_NOTICE_MS
    body = InstantBody(epoch_seed=context.epoch_seed, start_ms=start_ms)
    gossip = Gossip(context.epoch, context.set_id, "instant", canonical.content_hash(body.to_json()))
    message = InstantMessage(
        epoch=context.epoch,
        set_id=context.set_id,
        seat=work.account,
        content=body,
        signature=await work.services.statements.sign_gossip(gossip),
    )
    work.record.add_instant(message)
    log.info("instant announced", start_ms=start_ms)
    tell_all(work, "/v1/instants", message, context.deadlines.commit_by)

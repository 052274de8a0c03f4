"""Drawing rho, and giving up an epoch that missed a deadline: anyone may, so the seats take turns."""

from __future__ import annotations

import structlog

from assay.protocol.epochs import Phase
from assay.validator.phases.settling import settled
from assay.validator.work import Work

log = structlog.get_logger()


async def draw_rho(work: Work) -> bool:
    """Returns once rho is drawn at a final block (True) or can be drawn no more (False)."""
    context, services = work.context, work.services
    follower, deadline = services.follower, work.context.deadlines.draw_by
    delay = services.reader.timing.draw_delay

    def due() -> bool:
        state, head = follower.at_head(context.epoch), follower.head
        return (
            state is not None
            and head is not None
            and state.phase == Phase.SEALED
            and head.number >= state.seal_block + delay
        )

    def over() -> bool:
        return follower.head_phase(context.epoch) > Phase.SEALED

    await services.wake.until(lambda: due() or over(), deadline)
    # After a late seal there is little time: everybody's turn comes within half of what is left.
    turn_s = min(services.pace.stagger_s, max(0.0, deadline - work.now()) / (2 * context.n))
    await services.wake.until(over, min(deadline, work.now() + context.rank * turn_s))
    while not over() and work.now() < deadline:
        transaction = await services.writer.draw(context.epoch)
        if transaction is not None:
            log.info("drawn", transaction=transaction.hash, gas=transaction.gas_used)
        await services.wake.until(over, min(deadline, work.now() + services.pace.stagger_s))
    return await settled(work, Phase.DRAWN, deadline)


async def void_epoch(work: Work) -> None:
    """Declares the epoch void, in this validator's turn, unless somebody has."""
    follower, services = work.services.follower, work.services
    epoch = work.context.epoch

    def over() -> bool:
        return follower.head_phase(epoch) in (Phase.VOID, Phase.REPORTED)

    await services.wake.until(over, work.now() + work.context.rank * services.pace.stagger_s)
    if over():
        return
    transaction = await services.writer.void(epoch)
    if transaction is not None:
        log.info("voided", transaction=transaction.hash, gas=transaction.gas_used)

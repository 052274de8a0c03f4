"""Drawing rho, and giving up an epoch that missed a deadline: anyone may, so the seats take turns."""

from __future__ import annotations

from dataclasses import dataclass

import structlog

from assay.protocol.epochs import Phase
from assay.validator.context import EpochContext
from assay.validator.follower import Follower
from assay.validator.pace import Pace
from assay.validator.phases.finality import settled
from assay.validator.ports import ChainReader, ChainWriter, Clock
from assay.validator.wake import Wake

log = structlog.get_logger()


@dataclass(frozen=True)
class Drawing:
    """The seats take turns by their rank."""

    context: EpochContext
    reader: ChainReader
    writer: ChainWriter
    follower: Follower
    clock: Clock
    wake: Wake
    pace: Pace

    async def draw(self) -> bool:
        """Returns once rho is drawn at a final block (True) or can be drawn no more (False)."""
        context = self.context
        follower, deadline = self.follower, self.context.deadlines.draw_by
        delay = self.reader.timing.draw_delay

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

        await self.wake.until(lambda: due() or over(), deadline)
        # After a late seal there is little time: everybody's turn comes within half of what is left.
        turn_s = min(self.pace.stagger_s, max(0.0, deadline - self.clock.now()) / (2 * context.n))
        await self.wake.until(over, min(deadline, self.clock.now() + context.rank * turn_s))
        while not over() and self.clock.now() < deadline:
            transaction = await self.writer.draw(context.epoch)
            if transaction is not None:
                log.info("drawn", transaction=transaction.hash, gas=transaction.gas_used)
            await self.wake.until(over, min(deadline, self.clock.now() + self.pace.stagger_s))
        return await settled(follower, self.wake, context.epoch, Phase.DRAWN, deadline)

    async def void(self) -> None:
        """Declares the epoch void, in this validator's turn, unless somebody has."""
        follower = self.follower
        epoch = self.context.epoch

        def over() -> bool:
            return follower.head_phase(epoch) in (Phase.VOID, Phase.REPORTED)

        await self.wake.until(over, self.clock.now() + self.context.rank * self.pace.stagger_s)
        if over():
            return
        transaction = await self.writer.void(epoch)
        if transaction is not None:
            log.info("voided", transaction=transaction.hash, gas=transaction.gas_used)

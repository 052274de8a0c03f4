"""What other seats' messages come to: admitted to the epoch they are for, or refused with a reason."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from structlog.contextvars import bound_contextvars

from assay.protocol.epochs import Phase
from assay.validator.admission import admit_batch, admit_instant, admit_inventory
from assay.validator.errors import Refused
from assay.validator.phases.instants import pass_on
from assay.validator.ports import Clock
from assay.validator.wake import Wake
from assay.validator.work import Work
from assay.wire.gossip import BatchMessage, InstantMessage, InventoryMessage, ReportProposal, SealProposal


class Run(Protocol):
    """An epoch at work."""

    work: Work | None

    async def sign_seal(self, proposal: SealProposal) -> bytes: ...

    async def sign_report(self, proposal: ReportProposal) -> bytes: ...


class Inbox:
    """`run_of` gives the run of an epoch, None where there is none here. What is logged meanwhile carries the epoch."""

    def __init__(self, run_of: Callable[[int], Run | None], clock: Clock, wake: Wake) -> None:
        self._run_of, self._clock, self._wake = run_of, clock, wake

    def instant(self, message: InstantMessage) -> None:
        """Passed on to all: a leader that tells seats different instants is found out. Raises Refused."""
        with bound_contextvars(epoch=message.epoch):
            work = self._work(message.epoch)
            if admit_instant(work.record, message, self._clock.now()):
                self._wake.notify()
                pass_on(work, message)

    def inventory(self, message: InventoryMessage) -> None:
        """Raises Refused."""
        with bound_contextvars(epoch=message.epoch):
            if admit_inventory(self._work(message.epoch).record, message):
                self._wake.notify()

    def batch(self, message: BatchMessage) -> None:
        """Raises Refused."""
        with bound_contextvars(epoch=message.epoch):
            work = self._work(message.epoch)
            state = work.services.follower.at_final(message.epoch)
            drawn = state is not None and state.phase in (Phase.DRAWN, Phase.REPORTED)
            admit_batch(work.record, message, state.rho if state is not None and drawn else None, self._clock.now())
            self._wake.notify()

    async def seal_proposal(self, proposal: SealProposal) -> bytes:
        """This seat's signature. Raises Refused."""
        with bound_contextvars(epoch=proposal.epoch):
            return await self._run(proposal.epoch).sign_seal(proposal)

    async def report_proposal(self, proposal: ReportProposal) -> bytes:
        """This seat's signature. Raises Refused."""
        with bound_contextvars(epoch=proposal.epoch):
            return await self._run(proposal.epoch).sign_report(proposal)

    def _run(self, epoch: int) -> Run:
        run = self._run_of(epoch)
        if run is None:
            raise Refused(503, f"epoch {epoch} is not at work here")
        return run

    def _work(self, epoch: int) -> Work:
        work = self._run(epoch).work
        if work is None:
            raise Refused(503, f"epoch {epoch} is not open at a final block here")
        return work

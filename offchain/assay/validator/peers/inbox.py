"""What other seats' messages come to: admitted to the epoch they are for, or refused with a reason."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from typing import Protocol

from structlog.contextvars import bound_contextvars

from assay.protocol.types import Rho
from assay.validator.errors import Refused
from assay.validator.peers.admission import admit_batch, admit_instant, admit_inventory, check_sender
from assay.validator.ports import Clock
from assay.validator.storage.record import EpochRecord
from assay.validator.wake import Wake
from assay.wire.gossip import BatchMessage, InstantMessage, InventoryMessage, ReportProposal, SealProposal
from assay.wire.post_headers import PostHeaders


class EpochAtWork(Protocol):
    """An epoch at work."""

    record: EpochRecord | None

    def drawn_rho(self) -> Rho | None: ...

    def pass_on(self, message: InstantMessage) -> None: ...

    async def sign_seal(self, proposal: SealProposal) -> bytes: ...

    async def sign_report(self, proposal: ReportProposal) -> bytes: ...


class Inbox:
    """`run_of` gives the run of an epoch, None where there is none here. What is logged meanwhile carries the epoch."""

    def __init__(self, run_of: Callable[[int], EpochAtWork | None], clock: Clock, wake: Wake) -> None:
        self._run_of, self._clock, self._wake = run_of, clock, wake

    def sender(self, path: str, said: PostHeaders) -> None:
        """Raises Refused unless a seat of the epoch answers for what is about to be posted to a path."""
        check_sender(self._record(said.epoch).context, path, said)

    def instant(self, message: InstantMessage) -> None:
        """Passed on to all: what a leader tells one seat moves them all. Raises Refused."""
        with bound_contextvars(epoch=message.epoch):
            if admit_instant(self._record(message.epoch), message, self._clock.now()):
                self._wake.notify()
                self._run(message.epoch).pass_on(message)

    def inventory(self, message: InventoryMessage) -> None:
        """Raises Refused."""
        with bound_contextvars(epoch=message.epoch):
            if admit_inventory(self._record(message.epoch), message):
                self._wake.notify()

    def batch(self, message: BatchMessage) -> None:
        """Raises Refused."""
        with bound_contextvars(epoch=message.epoch):
            rho = self._run(message.epoch).drawn_rho()
            admit_batch(self._record(message.epoch), message, rho, self._clock.now())
            self._wake.notify()

    async def seal_proposal(self, proposal: SealProposal) -> bytes:
        """This seat's signature. Raises Refused."""
        with bound_contextvars(epoch=proposal.epoch):
            return await self._run(proposal.epoch).sign_seal(proposal)

    async def report_proposal(self, proposal: ReportProposal) -> bytes:
        """This seat's signature. Raises Refused."""
        with bound_contextvars(epoch=proposal.epoch):
            return await self._run(proposal.epoch).sign_report(proposal)

    def _run(self, epoch: int) -> EpochAtWork:
        run = self._run_of(epoch)
        if run is None:
            raise Refused(HTTPStatus.SERVICE_UNAVAILABLE, f"epoch {epoch} is not in progress here")
        return run

    def _record(self, epoch: int) -> EpochRecord:
        record = self._run(epoch).record
        if record is None:
            raise Refused(HTTPStatus.SERVICE_UNAVAILABLE, f"epoch {epoch} is not open at a final block here")
        return record

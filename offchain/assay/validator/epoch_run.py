"""One epoch from its opening to its report, phase after phase. Started again after a stop, it goes on where the chain
and the store say it is."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from http import HTTPStatus

import structlog

from assay.chain.errors import ChainError
from assay.daemon.ending import end_tasks
from assay.protocol.epochs import Phase
from assay.protocol.types import Rho
from assay.validator.agreement.rounds import Rounds
from assay.validator.context import EpochContext
from assay.validator.epoch_phases import EpochPhases, opening
from assay.validator.errors import Refused
from assay.validator.phases.finality import PATIENCE_S
from assay.validator.phases.instants import pass_on
from assay.validator.rules.deadlines import deadlines
from assay.validator.services import ValidatorServices
from assay.validator.storage.record import EpochRecord
from assay.wire.gossip import InstantMessage, ReportProposal, SealProposal

FAILED = "failed"
RETRY_S = 1.0  # after the chain has failed
log = structlog.get_logger()


@dataclass
class EpochRun:
    """Runs an epoch for the seat of `account`. `record` is there once the epoch is open at a final block."""

    services: ValidatorServices
    epoch: int
    account: str
    record: EpochRecord | None = None
    rho: Rho | None = None  # once it is drawn at a final block
    _open: EpochPhases | None = None
    _reports: Rounds[ReportProposal] | None = None  # once their inputs are to be had

    async def run(self) -> str:
        """Gives how the epoch ended: reported, void, unopened, unseated, or failed."""
        with structlog.contextvars.bound_contextvars(epoch=self.epoch):
            outcome, reason = await self._outcome()
            closes = deadlines(self.services.reader.timing, self.epoch).report_by
            while outcome == FAILED and self.services.clock.now() < closes:
                # A node that fails, or a block that is undone, ends no epoch: it goes on from what is stored.
                await self.services.clock.sleep(RETRY_S)
                outcome, reason = await self._outcome()
            state = self.services.follower.at_final(self.epoch)
            self.services.store.update_epoch(
                self.epoch,
                outcome=outcome,
                reason=reason[:256],
                epoch_seed=None if state is None else state.epoch_seed,
            )
            log.info("epoch over", outcome=outcome, reason=reason)
            return outcome

    async def sign_seal(self, proposal: SealProposal) -> bytes:
        """For a leader. Raises Refused."""
        if self._open is None:
            raise Refused(HTTPStatus.SERVICE_UNAVAILABLE, f"epoch {self.epoch} is not open at a final block here")
        return await self._open.seals.answer(proposal)

    async def sign_report(self, proposal: ReportProposal) -> bytes:
        """For a leader. Raises Refused."""
        if self._open is None:
            raise Refused(HTTPStatus.SERVICE_UNAVAILABLE, f"epoch {self.epoch} is not open at a final block here")
        if self._reports is None:
            raise Refused(HTTPStatus.SERVICE_UNAVAILABLE, f"epoch {self.epoch} is not observed here yet")
        return await self._reports.answer(proposal)

    def drawn_rho(self) -> Rho | None:
        """That of the final block; None before the draw."""
        state = self.services.follower.at_final(self.epoch)
        return state.rho if state is not None and state.phase in (Phase.DRAWN, Phase.REPORTED) else None

    def pass_on(self, message: InstantMessage) -> None:
        """Tells the other seats of an instant, whoever named it."""
        if self.record is not None:
            pass_on(self.services.gossip, self.record.context, message)

    async def _outcome(self) -> tuple[str, str]:
        try:
            overdue = deadlines(self.services.reader.timing, self.epoch).report_by <= self.services.clock.now()
            first = opening(self.services, self.epoch, self.account)
            if not await (self._was_opened() if overdue else first.open()):
                return "unopened", "nobody opened it in time"
            context = await first.read_context()
            if context is None:
                return "unseated", f"{self.account} holds no seat in it"
            record = EpochRecord(context, self.services.store)
            record.restore()
            self.record, self._open, self._reports = record, EpochPhases(self.services, record), None
            self.services.store.update_epoch(self.epoch, epoch_seed=context.epoch_seed)
            self.services.wake.notify()
            if overdue:
                return await self._void(self._open, "its last deadline passed while this validator was down")
            beside = asyncio.create_task(self._late(self._open))
            try:
                return await self._run(self._open, record)
            finally:
                await end_tasks([beside])
        except ChainError as error:
            log.warning("chain failed in an epoch", error=str(error))
            return FAILED, str(error)

    async def _was_opened(self) -> bool:
        """Of an epoch whose last deadline passed while this validator was down, and maybe all others: whether it was
        opened, once the block that says so is final."""
        follower, closes = self.services.follower, deadlines(self.services.reader.timing, self.epoch).report_by
        follower.watch(self.epoch)

        def final() -> bool:
            return follower.is_read(self.epoch) and follower.final is not None and follower.final.timestamp > closes

        await self.services.wake.until(final, self.services.clock.now() + PATIENCE_S)
        return follower.phase(self.epoch) != Phase.NONE

    async def _late(self, phases: EpochPhases) -> None:
        try:
            await phases.seals.add_late()
        except ChainError as error:
            log.warning("seal not signed late", error=str(error))

    async def _run(self, phases: EpochPhases, record: EpochRecord) -> tuple[str, str]:
        context = record.context
        log.info("epoch open", devices=len(context.devices), idle=len(context.idle), seats=context.n)
        if self._phase == Phase.OPEN:
            await phases.challenging.run()
        if not (self._phase >= Phase.SEALED or await self._sealed(phases, context)):
            return await self._void(phases, "not sealed in time")
        if not (self._phase >= Phase.DRAWN or await phases.drawing.draw()):
            return await self._void(phases, "not drawn in time")
        state = self.services.follower.at_final(self.epoch)
        if state is None or state.phase == Phase.VOID:
            return "void", "voided before the draw"
        sealed = await phases.sealing.lines(state.seal_root, state.seal_count, context.deadlines.report_by)
        if sealed is None:
            return await self._void(phases, "nobody served the sealed lines")
        self.rho = state.rho
        record.drop_other_draws(state.rho)
        if self._phase == Phase.DRAWN:
            await phases.verifying.run(sealed, state.rho)
            await phases.observing.run(sealed, state.rho)
        inputs = phases.inputs(sealed, state.rho)
        if not await inputs.ready():
            return await self._void(phases, "the rewards before it could not be fetched")
        self._reports = phases.reports(inputs)
        self.services.wake.notify()
        if self._phase == Phase.REPORTED or await self._reports.agree():
            return await self._reported(phases)
        return await self._void(phases, "not reported in time")

    @property
    def _phase(self) -> Phase:
        """At the final block."""
        return self.services.follower.phase(self.epoch)

    async def _sealed(self, phases: EpochPhases, context: EpochContext) -> bool:
        await phases.inventories.close()
        if not context.devices:
            log.info("no device is enrolled: nothing to seal")
        return await phases.seals.agree()

    async def _reported(self, phases: EpochPhases) -> tuple[str, str]:
        if self._reports is not None:
            await self._reports.add_late()
        await phases.adopting.adopt()
        return "reported", ""

    async def _void(self, phases: EpochPhases, reason: str) -> tuple[str, str]:
        if self._phase == Phase.REPORTED:
            return await self._reported(phases)
        await phases.drawing.void()
        return "void", reason

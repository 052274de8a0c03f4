"""One epoch from its opening to its report, phase after phase. Started again after a stop, it goes on where the chain
and the store say it is."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import structlog

from assay.chain.errors import ChainError
from assay.daemon.ending import end_tasks
from assay.protocol.epochs import Phase
from assay.validator.errors import Refused
from assay.validator.phases.adopting import adopt_report
from assay.validator.phases.challenging import challenge_devices
from assay.validator.phases.drawing import draw_rho, void_epoch
from assay.validator.phases.late_signatures import add_to_report, add_to_seal
from assay.validator.phases.observing import observe_epoch
from assay.validator.phases.opening import open_epoch, read_context
from assay.validator.phases.report_inputs import InputReader
from assay.validator.phases.report_signing import sign_report
from assay.validator.phases.reporting import report_epoch
from assay.validator.phases.seal_signing import sign_seal
from assay.validator.phases.sealed_content import sealed_lines
from assay.validator.phases.sealing import seal_epoch
from assay.validator.phases.settling import PATIENCE_S
from assay.validator.phases.verifying import verify_devices
from assay.validator.record import EpochRecord
from assay.validator.rules.deadlines import deadlines
from assay.validator.work import Services, Work
from assay.wire.gossip import ReportProposal, SealProposal

FAILED = "failed"
RETRY_S = 1.0  # after the chain has failed
log = structlog.get_logger()


@dataclass
class EpochRun:
    """Runs an epoch for the seat of `account`. `work` is there once the epoch is open at a final block."""

    services: Services
    epoch: int
    account: str
    work: Work | None = None
    inputs: InputReader | None = None  # once they are to be had
    rho: bytes | None = None  # once it is drawn at a final block

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
        return await sign_seal(self._open_work(), proposal)

    async def sign_report(self, proposal: ReportProposal) -> bytes:
        """For a leader. Raises Refused."""
        work = self._open_work()
        if self.inputs is None:
            raise Refused(503, f"epoch {self.epoch} is not observed here yet")
        return await sign_report(work, self.inputs, proposal)

    def _open_work(self) -> Work:
        if self.work is None:
            raise Refused(503, f"epoch {self.epoch} is not open at a final block here")
        return self.work

    async def _outcome(self) -> tuple[str, str]:
        try:
            overdue = deadlines(self.services.reader.timing, self.epoch).report_by <= self.services.clock.now()
            opened = self._was_opened() if overdue else open_epoch(self.services, self.epoch, self.account)
            if not await opened:
                return "unopened", "nobody opened it in time"
            context = await read_context(self.services, self.epoch, self.account)
            if context is None:
                return "unseated", f"{self.account} holds no seat in it"
            record = EpochRecord(context, self.services.store)
            record.restore()
            self.work = Work(self.services, context, record)
            self.services.store.update_epoch(self.epoch, epoch_seed=context.epoch_seed)
            self.services.wake.notify()
            if overdue:
                return await self._void(self.work, "its last deadline passed while this validator was down")
            beside = asyncio.create_task(self._late(self.work))
            try:
                return await self._phases(self.work)
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

    async def _late(self, work: Work) -> None:
        try:
            await add_to_seal(work)
        except ChainError as error:
            log.warning("seal not signed late", error=str(error))

    async def _phases(self, work: Work) -> tuple[str, str]:
        context = work.context
        log.info("epoch open", devices=len(context.devices), idle=len(context.idle), seats=context.n)
        if work.phase == Phase.OPEN:
            await challenge_devices(work)
        if not (work.phase >= Phase.SEALED or await seal_epoch(work)):
            return await self._void(work, "not sealed in time")
        if not (work.phase >= Phase.DRAWN or await draw_rho(work)):
            return await self._void(work, "not drawn in time")
        state = self.services.follower.at_final(self.epoch)
        assert state is not None  # noqa: S101  # its phase was just read
        if state.phase == Phase.VOID:
            return "void", "voided before it was drawn"
        sealed = await sealed_lines(work, state.seal_root, state.seal_count, context.deadlines.report_by)
        if sealed is None:
            return await self._void(work, "nobody served the sealed lines")
        self.rho = state.rho
        work.record.drop_other_draws(state.rho)
        if work.phase == Phase.DRAWN:
            await verify_devices(work, sealed, state.rho)
            await observe_epoch(work, sealed, state.rho)
        inputs = InputReader(work, sealed, state.rho)
        if not await inputs.ready():
            return await self._void(work, "the rewards before it were not to be had")
        self.inputs = inputs
        self.services.wake.notify()
        if work.phase == Phase.REPORTED or await report_epoch(work, inputs):
            return await self._reported(work)
        return await self._void(work, "not reported in time")

    async def _reported(self, work: Work) -> tuple[str, str]:
        if self.inputs is not None:
            await add_to_report(work, self.inputs)
        await adopt_report(work)
        return "reported", ""

    async def _void(self, work: Work, reason: str) -> tuple[str, str]:
        if work.phase == Phase.REPORTED:
            return await self._reported(work)
        await void_epoch(work)
        return "void", reason

"""The report: what follows from the batches that it names and from what the chain fixes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus

import structlog

from assay.protocol.epochs import EpochState, Phase
from assay.protocol.leaves import DeviceLeaf, RewardLeaf, device_tree, reward_tree
from assay.protocol.messages import EpochReport
from assay.protocol.types import Root
from assay.validator.agreement.report_inputs import InputReader, ReportInputs
from assay.validator.agreement.rounds import UNSIGNED, Accepted, AgreementTerms, Draft
from assay.validator.chain.follower import Follower
from assay.validator.context import EpochContext
from assay.validator.errors import Refused
from assay.validator.pace import Pace
from assay.validator.peers.batch_exchange import BatchExchange
from assay.validator.ports import ChainReader, ChainWriter, Clock, Statements, Transaction
from assay.validator.rules.leaders import RoundTimes, report_rounds
from assay.validator.rules.reports import data_hash, device_leaves, in_seat_order, left_out
from assay.validator.rules.rewards import cumulative_rewards
from assay.validator.rules.values import Batch, RuleError
from assay.validator.storage.record import EpochRecord
from assay.validator.storage.store import Store
from assay.validator.wake import Wake
from assay.wire import canonical, paths
from assay.wire.gossip import NamedBatch, ReportProposal
from assay.wire.leaves import DevicesBody, RewardsBody

log = structlog.get_logger()


@dataclass(frozen=True)
class Reporting:
    """A report leaves out no batch that came while observations were open."""

    inputs: InputReader
    context: EpochContext
    record: EpochRecord
    store: Store
    statements: Statements
    reader: ChainReader
    writer: ChainWriter
    follower: Follower
    exchange: BatchExchange
    clock: Clock
    wake: Wake
    pace: Pace

    @property
    def terms(self) -> AgreementTerms:
        return AgreementTerms("report", paths.REPORT_PROPOSALS, Phase.REPORTED, self.context.deadlines.report_by)

    def times(self) -> RoundTimes:
        return report_rounds(self.context.deadlines, self.context.n, self.pace.round_s, self.record.batch_at)

    def proposals(self) -> Mapping[int, ReportProposal]:
        return self.record.report_proposals

    async def gather(self, ends: float, wanted: Callable[[], bool]) -> float:
        # Until observations close a batch may still come that no report may leave out.
        def complete() -> bool:
            return len(self.record.batches) == self.context.n or not wanted()

        if not await self.wake.until(complete, self.context.deadlines.observe_by):
            await self.exchange.fetch_missing(self.inputs.rho, self.clock.now() + 2 * self.pace.grace_s)
        return max(ends, self.clock.now() + self.pace.round_s)

    async def propose(self, round_: int, ends: float) -> Draft[ReportProposal] | None:
        context = self.context
        held = [self.record.batches[seat] for seat in sorted(self.record.batches)]
        if len(held) < context.quorum:
            log.info("no quorum of batches", round=round_, batches=len(held), quorum=context.quorum)
            return None
        inputs = await self.inputs.current(ends)
        if inputs is None:
            log.warning("report not proposed: the rewards before it could not be fetched", round=round_)
            return None
        results = work_out(context, inputs, in_seat_order(h.batch for h in held))
        keep(self.store, context.epoch, results)
        proposal = ReportProposal(
            epoch=context.epoch,
            set_id=context.set_id,
            round=round_,
            seat=context.account,
            rho=inputs.rho,
            devices_root=results.devices_root,
            rewards_root=results.rewards_root,
            rewards_total=results.rewards_total,
            data_hash=results.data_hash,
            batches=tuple(
                NamedBatch(seat=context.seats[h.batch.seat].account, digest=h.batch.digest, content=h.content)
                for h in held
            ),
            signature=UNSIGNED,
        )
        return Draft(proposal, {"batches": len(held), "devices": len(results.devices)})

    async def check(self, proposal: ReportProposal, ends: float) -> None:
        """Recomputes it from the batches it names: signed is only what comes out the same."""
        context = self.context
        if proposal.rho != self.inputs.rho:
            raise Refused(HTTPStatus.CONFLICT, f"epoch {context.epoch} has rho 0x{self.inputs.rho.hex()} here")
        # Held at the cut-off: what came after observations closed need not be named.
        held = [seat for seat, h in self.record.batches.items() if h.received_at <= context.deadlines.observe_by]
        batches = await self.exchange.named(proposal, self.inputs.rho, ends)
        missing = left_out(held, batches)
        if missing:
            names = ", ".join(context.seats[seat].account for seat in missing)
            raise Refused(HTTPStatus.CONFLICT, f"the report leaves out the batch of {names}")
        inputs = await self.inputs.current(ends)
        if inputs is None:
            reason = f"the rewards before epoch {context.epoch} could not be fetched"
            raise Refused(HTTPStatus.SERVICE_UNAVAILABLE, reason)
        try:
            results = work_out(context, inputs, batches)
        except RuleError as error:
            raise Refused(HTTPStatus.CONFLICT, str(error)) from None
        if _roots(proposal) != _roots(results):
            reason = f"the named batches make another report here: devices 0x{results.devices_root.hex()}"
            raise Refused(HTTPStatus.CONFLICT, reason)
        keep(self.store, context.epoch, results)

    async def sign(self, proposal: ReportProposal) -> bytes:
        return await self.statements.sign_report(proposal.message())

    async def submit(self, proposal: ReportProposal, mask: int, signatures: bytes) -> Transaction | None:
        return await self.writer.report(proposal.message(), mask, signatures)

    async def accepted(self) -> Accepted | None:
        """Recomputed from the batches it was proposed with, or all that are held where no proposal came."""
        context = self.context
        final, state = self.follower.final, self.follower.at_final(context.epoch)
        if final is None or state is None:
            return None

        async def sign(round_: int) -> bytes | None:
            accepted_in = await self.reader.reported_block(context.epoch, final)
            if accepted_in is None:
                return None
            ends = self.clock.now() + self.pace.round_s
            # What counted when it was accepted: a later veto takes nothing from the presence of who signed it.
            inputs = await self.inputs.as_of(accepted_in, ends)
            if inputs is None:
                return None
            results = work_out(context, inputs, await self._batches_of(round_, ends))
            if _roots(state) != _roots(results):
                raise RuleError("the batches held here make another report")
            keep(self.store, context.epoch, results)
            report = EpochReport(context.epoch, context.set_id, round_, inputs.rho, *_roots(results))
            return await self.statements.sign_report(report)

        return Accepted(state.report_signers, final, sign)

    async def _batches_of(self, round_: int, ends: float) -> list[Batch]:
        """Raises RuleError where one that the round's proposal names is not to be had."""
        proposal = self.record.report_proposals.get(round_)
        if proposal is None:
            return [self.record.batches[seat].batch for seat in sorted(self.record.batches)]
        try:
            return await self.exchange.named(proposal, self.inputs.rho, ends)
        except Refused as error:
            raise RuleError(error.reason) from None


@dataclass(frozen=True, slots=True)
class Results:
    """A report worked out."""

    devices: tuple[DeviceLeaf, ...]
    rewards: tuple[RewardLeaf, ...]
    devices_root: Root
    rewards_root: Root
    rewards_total: int
    data_hash: bytes


def work_out(context: EpochContext, inputs: ReportInputs, batches: Sequence[Batch]) -> Results:
    """The report that follows from these batches. Raises RuleError."""
    devices = device_leaves(context.epoch, inputs.sealed, batches, context.profile_of, context.n, inputs.rho)
    if not devices:
        raise RuleError(f"the batches of epoch {context.epoch} name no device: there is nothing to report")
    totals = cumulative_rewards(
        inputs.previous_rewards,
        context.seats,
        devices,
        context.known_profile,
        lambda device_id: context.devices[device_id].provider,
        inputs.presence,
        inputs.emission,
        inputs.slashed,
    )
    fallen = next((a for a, least in inputs.floor.items() if totals.get(a, 0) < least), None)
    if fallen is not None:
        raise RuleError(f"{fallen} would have earned {totals.get(fallen, 0)}, but a standing report says more")
    rewards = tuple(RewardLeaf(account, totals[account]) for account in sorted(totals, key=str.lower))
    return Results(
        devices,
        rewards,
        device_tree(devices).root,
        reward_tree(rewards).root,
        sum(totals.values()),
        data_hash(batches),
    )


def keep(store: Store, epoch: int, results: Results) -> None:
    """Stores the trees, to be served and to continue the rewards from."""
    devices = DevicesBody(epoch=epoch, leaves=tuple(results.devices))
    rewards = RewardsBody(
        epoch=epoch,
        leaves=tuple(results.rewards),
    )
    store.put_tree(epoch, "devices", results.devices_root, canonical.encode(devices.to_json()))
    store.put_tree(epoch, "rewards", results.rewards_root, canonical.encode(rewards.to_json()))


def _roots(report: ReportProposal | Results | EpochState) -> tuple[Root, Root, int, bytes]:
    """As proposed, worked out, or held by the chain."""
    return report.devices_root, report.rewards_root, report.rewards_total, report.data_hash

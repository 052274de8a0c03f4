"""Agreeing on the report and posting it."""

from __future__ import annotations

import structlog

from assay.protocol.epochs import Phase
from assay.protocol.messages import EpochReport
from assay.signing.errors import SigningError
from assay.validator.phases.report_inputs import InputReader
from assay.validator.phases.results import keep, work_out
from assay.validator.phases.settling import settled
from assay.validator.phases.signatures import collect, packed
from assay.validator.rules.reports import in_seat_order
from assay.validator.rules.values import RuleError
from assay.validator.work import Work
from assay.wire import paths
from assay.wire.gossip import NamedBatch, ReportProposal

log = structlog.get_logger()


async def report_epoch(work: Work, reader: InputReader) -> bool:
    """Takes part until the epoch is reported at a final block (True) or can be reported no more (False)."""
    attempted: set[int] = set()
    deadline = work.context.deadlines.report_by

    def turn() -> int | None:
        round_ = work.report_round()
        return round_ if work.context.leader(round_) == work.context.own and round_ not in attempted else None

    while wanted(work) and work.now() < deadline:
        round_ = turn()
        if round_ is not None:
            attempted.add(round_)
            await _lead(work, reader, round_)
            continue
        await work.services.wake.until(lambda: not wanted(work) or turn() is not None, deadline)
    return await settled(work, Phase.REPORTED, deadline)


def wanted(work: Work) -> bool:
    """Whether the head still waits for a report."""
    return work.services.follower.head_phase(work.context.epoch) <= Phase.DRAWN


async def _lead(work: Work, reader: InputReader, round_: int) -> None:
    context, record, pace = work.context, work.record, work.services.pace
    turn_ends = min(context.deadlines.report_by, work.now() + pace.round_s)
    # Until observations close a batch may still come that no report may leave out.
    await work.services.wake.until(
        lambda: len(record.batches) == context.n or not wanted(work), max(turn_ends, _cut_off(work))
    )
    turn_ends = max(turn_ends, work.now() + pace.round_s)
    for earlier in sorted(record.report_proposals, reverse=True):
        if (
            wanted(work)
            and earlier < round_
            and await _complete(work, record.report_proposals[earlier], None, turn_ends)
        ):
            return
    held = [record.batches[seat] for seat in sorted(record.batches)]
    if not wanted(work) or len(held) < context.quorum:
        log.info("no quorum of batches", round=round_, batches=len(held), quorum=context.quorum)
        return
    batches = in_seat_order(h.batch for h in held)
    inputs = await reader.current(turn_ends)
    if inputs is None:
        log.warning("report not proposed: the rewards before it were not to be had", round=round_)
        return
    try:
        results = work_out(work, inputs, batches)
        report = EpochReport(
            context.epoch,
            context.set_id,
            round_,
            inputs.rho,
            results.devices_root,
            results.rewards_root,
            results.rewards_total,
            results.data_hash,
        )
        keep(work, results)
        signature = await work.services.statements.sign_report(report)
    except (RuleError, SigningError) as error:
        log.warning("report not signed", round=round_, reason=str(error))
        return
    proposal = ReportProposal(
        epoch=context.epoch,
        set_id=context.set_id,
        round=round_,
        seat=work.account,
        rho=inputs.rho,
        devices_root=results.devices_root,
        rewards_root=results.rewards_root,
        rewards_total=results.rewards_total,
        data_hash=results.data_hash,
        batches=tuple(
            NamedBatch(seat=context.seats[h.batch.seat].account, digest=h.batch.digest, content=h.content) for h in held
        ),
        signature=signature,
    )
    record.add_report_proposal(proposal)
    log.info("report proposed", round=round_, batches=len(held), devices=len(results.devices))
    await _complete(work, proposal, signature, turn_ends)


def _cut_off(work: Work) -> float:
    return work.context.deadlines.observe_by


async def _complete(work: Work, proposal: ReportProposal, own: bytes | None, deadline: float) -> bool:
    signatures = await collect(work, paths.REPORT_PROPOSALS, proposal, own, deadline, lambda: wanted(work))
    if len(signatures) < work.context.quorum or not wanted(work):
        log.info("no quorum", round=proposal.round, signed=len(signatures), quorum=work.context.quorum)
        return False
    mask, packed_signatures = packed(signatures)
    transaction = await work.services.writer.report(proposal.message(), mask, packed_signatures)
    if transaction is not None:
        log.info("reported", transaction=transaction.hash, gas=transaction.gas_used, signers=len(signatures))
    return True

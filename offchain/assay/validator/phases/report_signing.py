"""A signer's side of the report: recompute it from the batches it names, sign only what comes out the
same.
"""

from __future__ import annotations

from pydantic import ValidationError

from assay.signing.errors import SigningError
from assay.validator.admission import admit_batch, check_proposal
from assay.validator.errors import Refused
from assay.validator.phases.report_inputs import InputReader
from assay.validator.phases.results import keep, work_out
from assay.validator.record import HeldBatch
from assay.validator.rules.reports import left_out
from assay.validator.rules.values import Batch, RuleError
from assay.validator.work import Work
from assay.wire.gossip import BatchMessage, NamedBatch, ReportProposal
from assay.wire.limits import MAX_CONTENT_BYTES


async def sign_report(work: Work, reader: InputReader, proposal: ReportProposal) -> bytes:
    """This validator's signature for a proposed report. Raises Refused with the reason why not."""
    context = work.context
    check_proposal(context, proposal, work.report_round())
    work.record.add_statement(proposal, proposal.seat, proposal.signature)
    if proposal.rho != reader.rho:
        raise Refused(409, f"epoch {context.epoch} has rho 0x{reader.rho.hex()} here")
    # Held at the cut-off: what came after observations closed need not be named.
    held = [seat for seat, h in work.record.batches.items() if h.received_at <= context.deadlines.observe_by]
    batches = [(await _batch(work, reader.rho, named, proposal.seat)).batch for named in proposal.batches]
    missing = left_out(held, batches)
    if missing:
        names = ", ".join(context.seats[seat].account for seat in missing)
        raise Refused(409, f"the report leaves out the batch of {names}")
    inputs = await reader.current(work.now() + work.services.pace.request_s)
    if inputs is None:
        raise Refused(503, f"the rewards before epoch {context.epoch} were not to be had")
    try:
        results = work_out(work, inputs, batches)
    except RuleError as error:
        raise Refused(409, str(error)) from None
    named_root = (
        proposal.devices_root,
        proposal.rewards_root,
        proposal.rewards_total,
        proposal.data_hash,
    )
    if named_root != (
        results.devices_root,
        results.rewards_root,
        results.rewards_total,
        results.data_hash,
    ):
        raise Refused(409, f"the named batches make another report here: devices 0x{results.devices_root.hex()}")
    work.record.add_report_proposal(proposal)
    keep(work, results)
    try:
        return await work.services.statements.sign_report(proposal.message())
    except SigningError as error:
        raise Refused(409, str(error)) from None


async def named_batches(work: Work, rho: bytes, round_: int) -> list[Batch]:
    """The batches that a report of this round was proposed with, or all that are held where no proposal came.

    Raises RuleError where one is not to be had.
    """
    proposal = work.record.report_proposals.get(round_)
    if proposal is None:
        return [work.record.batches[seat].batch for seat in sorted(work.record.batches)]
    try:
        return [(await _batch(work, rho, named, proposal.seat)).batch for named in proposal.batches]
    except Refused as error:
        raise RuleError(error.reason) from None


async def _batch(work: Work, rho: bytes, named: NamedBatch, leader: str) -> HeldBatch:
    seat = work.context.seat_of(named.seat)
    known = None if seat is None else work.record.by_digest.get((seat, named.digest))
    if known is not None:
        return known
    body = await work.services.gossip.fetch([leader, named.seat], named.content, MAX_CONTENT_BYTES)
    if body is None:
        raise Refused(503, f"the batch of {named.seat} was not to be had")
    try:
        message = BatchMessage.parse(body)
    except ValidationError:
        raise Refused(422, f"the content named for {named.seat} is no batch") from None
    held = admit_batch(work.record, message, rho, work.now())
    if held.batch.digest != named.digest or message.seat != named.seat:
        raise Refused(422, f"the content named for {named.seat} is another batch")
    return held

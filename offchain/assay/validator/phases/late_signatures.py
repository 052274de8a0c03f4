"""Signing what was accepted without this seat: presence is what rewards count, and a late signature counts too."""

from __future__ import annotations

import structlog

from assay.protocol.epochs import Phase
from assay.protocol.messages import EpochReport
from assay.signing.errors import SigningError
from assay.validator.phases.report_inputs import InputReader
from assay.validator.phases.report_signing import named_batches
from assay.validator.phases.results import keep, work_out
from assay.validator.phases.sealed_content import sealed_lines
from assay.validator.rules.seals import check_leaves, check_seal, seal_of
from assay.validator.rules.values import RuleError
from assay.validator.work import Work

log = structlog.get_logger()


async def add_to_seal(work: Work) -> None:
    """Serves the lines of the seal as soon as the head has it, and adds this seat's signature where it is missing and
    the seal is one it would have signed.

    At the head, since presence counts up to the draw, which may come before the seal is final. Nothing is risked: a
    seal that is reorganised away costs the seat that round, never a second signature in it.
    """
    context, record, follower = work.context, work.record, work.services.follower
    await work.services.wake.until(
        lambda: follower.head_phase(context.epoch) >= Phase.SEALED, context.deadlines.draw_by
    )
    state, head = follower.at_head(context.epoch), follower.head
    if state is None or head is None or state.seal_block == 0:
        return
    lines = await sealed_lines(work, state.seal_root, state.seal_count, context.deadlines.draw_by)
    if lines is None or state.seal_signers >> context.own & 1:
        return
    round_ = await work.services.reader.accepted_round(context.epoch, False, head)
    if round_ is None:
        return
    seal = seal_of(context.epoch, context.set_id, round_, context.epoch_seed, lines)
    try:
        check_leaves(lines, context.epoch, context.epoch_seed, context.device_of, context.domain)
        check_seal(seal, lines, context.epoch, context.set_id, context.epoch_seed, record.inventory_sets(), context.n)
        signature = await work.services.statements.sign_seal(seal)
    except (RuleError, SigningError) as error:
        log.info("seal not signed late", round=round_, reason=str(error))
        return
    await _add(work, False, round_, signature)


async def add_to_report(work: Work, reader: InputReader) -> None:
    """The same for the accepted report: recomputed from the batches it was proposed with, or all that are held."""
    context = work.context
    final, state = work.services.follower.final, work.services.follower.at_final(context.epoch)
    if final is None or state is None or state.report_signers >> context.own & 1:
        return
    round_ = await work.services.reader.accepted_round(context.epoch, True, final)
    accepted_in = await work.services.reader.reported_block(context.epoch, final)
    if round_ is None or accepted_in is None:
        return
    # What counted when it was accepted: a later veto takes nothing from the presence of who signed it.
    deadline = work.now() + work.services.pace.round_s
    inputs = await reader.as_of(accepted_in, deadline)
    if inputs is None:
        return
    try:
        batches = await named_batches(work, inputs.rho, round_, deadline)
        results = work_out(work, inputs, batches)
    except RuleError as error:
        log.info("report not signed late", round=round_, reason=str(error))
        return
    accepted = (state.devices_root, state.rewards_root, state.rewards_total, state.data_hash)
    if accepted != (results.devices_root, results.rewards_root, results.rewards_total, results.data_hash):
        log.info("report not signed late", round=round_, reason="the batches held here make another report")
        return
    keep(work, results)
    try:
        signature = await work.services.statements.sign_report(
            EpochReport(context.epoch, context.set_id, round_, inputs.rho, *accepted)
        )
    except SigningError as error:
        log.info("report not signed late", round=round_, reason=str(error))
        return
    await _add(work, True, round_, signature)


async def _add(work: Work, is_report: bool, round_: int, signature: bytes) -> None:
    transaction = await work.services.writer.add_signature(
        work.context.epoch, is_report, round_, work.context.own, signature
    )
    if transaction is not None:
        log.info("signed late", what="report" if is_report else "seal", transaction=transaction.hash)

"""A signer's side of sealing: whether to sign what a leader proposes."""

from __future__ import annotations

import asyncio

from assay.signing.errors import SigningError
from assay.validator.admission import check_proposal
from assay.validator.errors import Refused
from assay.validator.phases.inventories import fetch_commitment
from assay.validator.phases.probing import fetch_lanes
from assay.validator.rules.lanes import check_none_left_out
from assay.validator.rules.seals import check_leaves, check_seal
from assay.validator.rules.values import NO_ROOT, RuleError
from assay.validator.work import Work
from assay.wire.gossip import SealProposal


async def sign_seal(work: Work, proposal: SealProposal) -> bytes:
    """This validator's signature for a proposed seal. Raises Refused with the reason why not."""
    context, record = work.context, work.record
    check_proposal(context, proposal, work.seal_round())
    record.add_statement(proposal, proposal.seat, proposal.signature)
    if proposal.epoch_seed != context.epoch_seed:
        raise Refused(409, f"epoch {context.epoch} has the seed 0x{context.epoch_seed.hex()} here")
    if not context.devices:
        raise Refused(409, f"epoch {context.epoch} has no devices: nothing to seal")
    if record.inventory_at is None or len(record.inventories) < context.quorum:
        raise Refused(503, f"{len(record.inventories)} inventories held here, a quorum is {context.quorum}")
    if not len(proposal.commitments) == len(proposal.lanes) == len(proposal.leaves):
        given = f"{len(proposal.commitments)} commitments and {len(proposal.lanes)} probes"
        raise Refused(422, f"{given} for {len(proposal.leaves)} lines")
    leaves = proposal.leaves
    seal = proposal.message()
    try:
        check_leaves(leaves, context.epoch, context.epoch_seed, context.device_of, context.domain)
        check_seal(
            seal,
            leaves,
            context.epoch,
            context.set_id,
            context.epoch_seed,
            record.inventory_sets(),
            context.n,
        )
        check_none_left_out(leaves, proposal.commitments, record.inventories, record.inventory_lanes, context.n)
    except RuleError as error:
        raise Refused(409, str(error)) from None
    await _hold_commitments(work, proposal)
    record.add_seal_proposal(proposal)
    try:
        return await work.services.statements.sign_seal(seal)
    except SigningError as error:
        raise Refused(409, str(error)) from None


async def _hold_commitments(work: Work, proposal: SealProposal) -> None:
    """Every line must be of a commitment, and of an answer to the probe where it has a lane root, that is held and
    served here. Raises Refused."""

    async def hold(line_index: int) -> None:
        await hold_commitment(line_index)
        line = proposal.leaves[line_index]
        if line.lane_root == NO_ROOT or work.record.answer(line.device_id, line.lane_root) is not None:
            return
        fetched = await fetch_lanes(work, proposal.lanes[line_index], line.result_root, proposal.seat)
        if fetched is None or (fetched.device_id, fetched.lane_root) != (line.device_id, line.lane_root):
            raise Refused(409, f"no valid probe of device 0x{line.device_id.hex()} was to be had")

    async def hold_commitment(line_index: int) -> None:
        line = proposal.leaves[line_index]
        held = work.record.commitments.get(line.device_id)
        if held is not None and (held.message.nonce_root, held.message.result_root) == (
            line.nonce_root,
            line.result_root,
        ):
            return
        fetched = await fetch_commitment(work, proposal.commitments[line_index], proposal.seat)
        if fetched is None or (fetched.device_id, fetched.nonce_root, fetched.result_root) != (
            line.device_id,
            line.nonce_root,
            line.result_root,
        ):
            raise Refused(409, f"no valid commitment of device 0x{line.device_id.hex()} was to be had")

    await asyncio.gather(*(hold(i) for i in range(len(proposal.leaves))))

"""Agreeing on what the devices committed to, and sealing it."""

from __future__ import annotations

import structlog

from assay.protocol.epochs import Phase
from assay.signing.errors import SigningError
from assay.validator.phases.inventories import close_inventory, fetch_listed
from assay.validator.phases.settling import settled
from assay.validator.phases.signatures import collect, packed
from assay.validator.rules.inventories import complete
from assay.validator.rules.seals import seal_of, sealed_leaves
from assay.validator.rules.values import NO_ROOT
from assay.validator.work import Work
from assay.wire import paths
from assay.wire.gossip import SealProposal

log = structlog.get_logger()


async def seal_epoch(work: Work) -> bool:
    """Takes part until the epoch is sealed at a final block (True) or can be sealed no more (False)."""
    await close_inventory(work)
    if not work.context.devices:
        log.info("no device is enrolled: nothing to seal")
    attempted: set[int] = set()
    deadline = work.context.deadlines.seal_by

    def turn() -> int | None:
        round_ = work.seal_round()
        return round_ if work.context.leader(round_) == work.context.own and round_ not in attempted else None

    while work.phase == Phase.OPEN and work.now() < deadline:
        round_ = turn()
        if round_ is not None and wanted(work):
            attempted.add(round_)
            await _lead(work, round_)
            continue
        await work.services.wake.until(
            lambda: work.phase != Phase.OPEN or (turn() is not None and wanted(work)), deadline
        )
    return await settled(work, Phase.SEALED, deadline)


def wanted(work: Work) -> bool:
    """Whether the head still waits for a seal. An epoch without a single device has nothing to report: it is left to
    be void."""
    return bool(work.context.devices) and work.services.follower.head_phase(work.context.epoch) <= Phase.OPEN


async def _lead(work: Work, round_: int) -> None:
    context, record, pace = work.context, work.record, work.services.pace
    turn_ends = min(context.deadlines.seal_by, work.now() + pace.round_s)
    await work.services.wake.until(
        lambda: complete(record.inventory_sets(), context.n) or not wanted(work),
        min(turn_ends, work.now() + (2 * pace.grace_s)),
    )
    if len(record.inventories) < context.quorum:
        await work.services.wake.until(lambda: len(record.inventories) >= context.quorum, turn_ends)
    for earlier in sorted(record.seal_proposals, reverse=True):
        if wanted(work) and earlier < round_ and await _complete(work, record.seal_proposals[earlier], None, turn_ends):
            return
    if not wanted(work) or len(record.inventories) < context.quorum:
        return
    await fetch_listed(work)
    leaves = sealed_leaves(record.commitments.values(), record.lane_roots())
    seal = seal_of(context.epoch, context.set_id, round_, context.epoch_seed, leaves)
    try:
        signature = await work.services.statements.sign_seal(seal)
    except SigningError as error:
        log.warning("seal not signed", round=round_, reason=str(error))
        return
    proposal = SealProposal(
        epoch=seal.epoch,
        set_id=seal.set_id,
        round=round_,
        seat=work.account,
        epoch_seed=seal.epoch_seed,
        seal_root=seal.seal_root,
        count=seal.count,
        leaves=tuple(leaves),
        commitments=tuple(record.contents[leaf.device_id] for leaf in leaves),
        lanes=tuple(record.lane_contents.get(leaf.device_id, NO_ROOT) for leaf in leaves),
        signature=signature,
    )
    record.add_seal_proposal(proposal)
    log.info("seal proposed", round=round_, devices=len(leaves))
    await _complete(work, proposal, signature, turn_ends)


async def _complete(work: Work, proposal: SealProposal, own: bytes | None, deadline: float) -> bool:
    signatures = await collect(work, paths.SEAL_PROPOSALS, proposal, own, deadline, lambda: wanted(work))
    if len(signatures) < work.context.quorum or not wanted(work):
        log.info("no quorum", round=proposal.round, signed=len(signatures), quorum=work.context.quorum)
        return False
    mask, packed_signatures = packed(signatures)
    transaction = await work.services.writer.seal(proposal.message(), mask, packed_signatures)
    if transaction is not None:
        log.info("sealed", transaction=transaction.hash, gas=transaction.gas_used, signers=len(signatures))
    return True

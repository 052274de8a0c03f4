"""Signing and telling what this validator saw."""

from __future__ import annotations

from collections.abc import Sequence

import structlog

from assay.protocol.epochs import Phase
from assay.protocol.leaves import ObservationLeaf, SealedLeaf, batch_tree
from assay.protocol.messages import Observations
from assay.signing.errors import SigningError
from assay.validator.phases.telling import tell_all
from assay.validator.rules.lanes import in_time
from assay.validator.rules.observations import OpeningOutcome, Seen, observe, uptime_bps
from assay.validator.work import Work
from assay.wire import paths
from assay.wire.gossip import BatchMessage

log = structlog.get_logger()


async def observe_epoch(work: Work, sealed: Sequence[SealedLeaf], rho: bytes) -> None:
    """Signs one batch an epoch and tells it, at the time for it: devices are to be there until then. Raises DoubleSign
    where another was signed before a crash lost it.
    """
    context, record = work.context, work.record
    await work.services.wake.until(lambda: work.phase != Phase.DRAWN, context.deadlines.batch_by)
    known = record.batches.get(context.own)
    record.batch_at = record.batch_at or work.now()
    if known is None:
        leaves = observations(work, sealed, rho)
        statement = Observations(context.epoch, context.set_id, rho, batch_tree(leaves).root)
        try:
            signature = await work.services.statements.sign_observations(statement)
        except SigningError as error:
            log.warning("observations not signed", reason=str(error))
            return
        message = BatchMessage(
            epoch=context.epoch,
            set_id=context.set_id,
            seat=work.account,
            rho=rho,
            leaves=tuple(leaves),
            signature=signature,
        )
        record.add_batch(message, work.now())
        work.services.wake.notify()
        log.info("observed", devices=len(leaves), passed=sum(1 for leaf in leaves if leaf.flags & 1))
    else:
        content = work.services.store.content(known.content)
        if content is None:
            return
        message = BatchMessage.parse(content[1])
    tell_all(work, paths.OBSERVATIONS, message, context.deadlines.report_by)


def observations(work: Work, sealed: Sequence[SealedLeaf], rho: bytes) -> tuple[ObservationLeaf, ...]:
    """This validator's leaves for the devices of the epoch, ascending; none for those other committees check."""
    context, record, store = work.context, work.record, work.services.store
    outcomes = {v.device_id: OpeningOutcome(v.outcome) for v in store.verdicts(context.epoch, rho)}
    leaves = {leaf.device_id: leaf for leaf in sealed}
    shown = store.memory_verdicts(context.epoch, rho)
    liveness = store.liveness(context.epoch)
    challenged = store.nonces(context.epoch, context.epoch_seed)

    def seen(device_id: bytes) -> Seen:
        held, leaf = record.commitments.get(device_id), leaves.get(device_id)
        return Seen(
            device_id=device_id,
            leased=context.devices[device_id].leased,
            asked=device_id in challenged,
            timed_root=held.message.result_root if held is not None else None,
            elapsed_us=record.elapsed_us.get(device_id, 0),
            sealed_root=None if leaf is None else leaf.result_root,
            outcome=outcomes.get(device_id),
            uptime_bps=uptime_bps(liveness.get(device_id, {})),
            memory=shown.get(device_id, (False, ""))[0],
            prompt=leaf is not None and _lanes_in_time(work, leaf),
        )

    spoken_of = (d for d in sorted(context.devices) if d not in leaves or work.checks(d, rho, len(sealed)))
    return tuple(observe(seen(device_id)) for device_id in spoken_of)


def _lanes_in_time(work: Work, leaf: SealedLeaf) -> bool:
    """Whether the sealed lanes are those that this validator timed, and came in time. Where its nonce was not waited
    for its time says nothing: the lanes may have been walked before it asked."""
    record = work.record
    timed = record.lanes.get(leaf.device_id)
    if timed is None or timed.message.lane_root != leaf.lane_root:
        return False
    if work.account not in (used.validator for used in timed.nonces):
        return False
    return in_time(record.lane_elapsed_us.get(leaf.device_id, 0), work.known_profile(leaf.device_id))

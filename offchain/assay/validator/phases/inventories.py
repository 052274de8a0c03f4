"""Telling the others which commitments are held, and getting those that others hold."""

from __future__ import annotations

import asyncio

import structlog
from pydantic import ValidationError

from assay.protocol.messages import Gossip
from assay.validator.phases.listed_content import fetch_content
from assay.validator.phases.probing import fetch_lanes
from assay.validator.phases.telling import tell_all
from assay.validator.rules.commitments import check_commitment
from assay.validator.rules.values import NO_ROOT, RuleError
from assay.validator.work import Work
from assay.wire import canonical, paths
from assay.wire.gossip import InventoryBody, InventoryEntry, InventoryMessage
from assay.wire.limits import MAX_COMMITMENT_BYTES
from assay.wire.measurement import SignedCommitment

log = structlog.get_logger()


async def close_inventory(work: Work) -> None:
    """Signs and tells what this validator holds, once an epoch."""
    context, record = work.context, work.record
    if record.inventory_at is not None:
        return
    entries = tuple(
        InventoryEntry(device_id=d, digest=record.contents[d], lanes=record.lane_contents.get(d, NO_ROOT))
        for d in sorted(record.contents)
    )
    body = InventoryBody(epoch_seed=context.epoch_seed, entries=entries)
    gossip = Gossip(context.epoch, context.set_id, "inventory", canonical.content_hash(body.to_json()))
    message = InventoryMessage(
        epoch=context.epoch,
        set_id=context.set_id,
        seat=work.account,
        content=body,
        signature=await work.services.statements.sign_gossip(gossip),
    )
    record.inventory_at = work.now()
    record.add_inventory(message)
    work.services.wake.notify()
    tell_all(work, paths.INVENTORIES, message, context.deadlines.seal_by)


async def fetch_listed(work: Work) -> None:
    """Gets every commitment and answer to a probe that some inventory lists and this validator lacks, as far as anybody
    serves it."""
    wanted = {
        (device_id, digest)
        for seat, devices in work.record.inventories.items()
        if seat != work.context.own
        for device_id, digest in devices.items()
        if device_id not in work.record.commitments
    }
    await asyncio.gather(*(fetch_commitment(work, digest) for _, digest in sorted(wanted)))
    answers = {
        (device_id, digest)
        for seat, devices in work.record.inventory_lanes.items()
        if seat != work.context.own
        for device_id, digest in devices.items()
        if device_id in work.record.commitments and device_id not in work.record.lanes
    }
    roots = {device_id: held.message.result_root for device_id, held in work.record.commitments.items()}
    await asyncio.gather(*(fetch_lanes(work, digest, roots[device_id]) for device_id, digest in sorted(answers)))


async def fetch_commitment(work: Work, digest: bytes, first: str | None = None) -> SignedCommitment | None:
    """A commitment by the H of its content, from the store or a peer (`first` is asked first), fully
    checked.
    """
    body = await fetch_content(work, digest, MAX_COMMITMENT_BYTES, first)
    if body is None:
        return None
    try:
        commitment = SignedCommitment.parse(body)
        known = work.context.device_of(commitment.device_id)
        if known is None:
            raise RuleError(f"device 0x{commitment.device_id.hex()} is not enrolled")
        check_commitment(
            commitment,
            work.context.epoch,
            work.context.epoch_seed,
            *known,
            work.context.seats,
            work.context.domain,
        )
    except (ValidationError, RuleError) as error:
        log.warning("fetched commitment refused", reason=str(error)[:300])
        return None
    work.record.add_commitment(commitment, 0)
    return commitment

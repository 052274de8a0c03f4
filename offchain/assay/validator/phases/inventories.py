"""Telling the others which commitments are held, and getting those that others hold."""

from __future__ import annotations

import asyncio

import structlog
from pydantic import ValidationError

from assay.protocol.messages import Gossip
from assay.validator import canonical
from assay.validator.phases.listed_content import fetch_content
from assay.validator.phases.probing import fetch_lanes
from assay.validator.phases.telling import tell_all
from assay.validator.rules.commitments import check_commitment
from assay.validator.rules.values import NO_ROOT, RuleError
from assay.validator.wire import CommitmentBody, InventoryBody, InventoryEntry, InventoryMessage
from assay.validator.work import Work

MOST_COMMITMENT_BYTES = 64 << 10
log = structlog.get_logger()


async def close_inventory(work: Work) -> None:
    """Signs and tells what this validator holds, once an epoch."""
    context, record = work.context, work.record
    if record.inventory_at is not None:
        return
    entries = tuple(
        InventoryEntry(device_id=d, digest=commitment.content, lanes=record.evidence[d].lanes_content)
        for d, commitment in record.committed().items()
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
    tell_all(work, "/v1/inventories", message, context.deadlines.seal_by)


async def fetch_listed(work: Work, deadline: float) -> None:
    """Gets every commitment and answer to a probe that some inventory lists and this validator lacks, as far as anybody
    serves it by the deadline."""
    record = work.record
    listed = [
        entry
        for seat, devices in sorted(record.inventories.items())
        if seat != work.context.own
        for entry in devices.values()
    ]
    commitments = {(e.device_id, e.digest) for e in listed if record.evidence[e.device_id].commitment is None}
    await asyncio.gather(*(fetch_commitment(work, *wanted, deadline) for wanted in sorted(commitments)))
    answers = {
        (e.device_id, e.lanes, root)
        for e in listed
        if e.lanes != NO_ROOT
        and record.evidence[e.device_id].lanes is None
        and (root := record.evidence[e.device_id].result_root) is not None
    }
    await asyncio.gather(*(fetch_lanes(work, *wanted, deadline) for wanted in sorted(answers)))


async def fetch_commitment(
    work: Work, device_id: bytes, digest: bytes, deadline: float, first: str | None = None
) -> CommitmentBody | None:
    """A commitment of a device by the H of its content, from the store or a peer (`first` is asked first), fully
    checked.
    """
    body = await fetch_content(work, device_id, digest, MOST_COMMITMENT_BYTES, deadline, first)
    if body is None:
        return None
    try:
        commitment = CommitmentBody.model_validate_json(body)
        known = work.context.device_of(commitment.device_id)
        if known is None:
            raise RuleError(f"device 0x{commitment.device_id.hex()} is not enrolled")
        check_commitment(
            commitment.held(),
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

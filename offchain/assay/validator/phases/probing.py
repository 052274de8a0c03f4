"""The memory probe: a fresh nonce to each device that has committed, and where its lanes ended."""

from __future__ import annotations

import asyncio

import structlog
from pydantic import ValidationError

from assay.proof.probe.calibration import deadline_us
from assay.protocol.messages import ProbeNonce
from assay.validator import canonical
from assay.validator.errors import DeviceFailure
from assay.validator.phases.listed_content import fetch_content
from assay.validator.phases.stopwatch import Stopwatch
from assay.validator.rules.lanes import check_lanes
from assay.validator.rules.values import Device, RuleError
from assay.validator.wire_probe import LanesBody
from assay.validator.work import Work

RETRY_S = 0.25
MOST_LANES_BYTES = 64 << 10
log = structlog.get_logger()


async def probe_device(work: Work, device: Device) -> None:
    """Asks a device that has committed, until it answers or twice the probe's deadline is over: what comes later is
    worth nothing here, and other seats' inventories may still list it."""
    context, services, record = work.context, work.services, work.record
    profile, held = context.profiles[device.profile], record.commitments.get(device.device_id)
    if profile.W == 0 or held is None or device.device_id in record.lanes:
        return
    fresh = services.random(32)
    root = held.message.result_root
    nonce = services.store.nonce(context.epoch, device.device_id, root, fresh)
    message = ProbeNonce(context.epoch, context.epoch_seed, device.device_id, root, work.account, nonce)
    signature = await services.statements.sign_probe_nonce(message)
    body = canonical.encode({**message.to_json(), "signature": "0x" + signature.hex()})
    watch = Stopwatch(services.clock)
    ends = min(context.deadlines.commit_by, work.now() + 2 * deadline_us(profile) / 1e6)
    while (left := ends - work.now()) > 0:
        try:
            answer = await services.devices.probe(device, body, left, watch.start)
        except DeviceFailure as error:
            log.debug("probe unanswered", device="0x" + device.device_id.hex(), error=str(error))
            await services.clock.sleep(RETRY_S)
            continue
        # As with challenges: when the clock of an older nonce started is not known any more.
        elapsed_us = watch.elapsed_us() if nonce == fresh else 0
        await asyncio.sleep(0)
        lanes = _checked(work, answer, root)
        if lanes is not None:
            record.add_lanes(lanes, elapsed_us)
            log.info("memory probed", device="0x" + device.device_id.hex(), elapsed_us=elapsed_us)
        return


async def fetch_lanes(work: Work, digest: bytes, result_root: bytes, first: str | None = None) -> LanesBody | None:
    """An answer by the H of its content, from the store or a peer (`first` is asked first), fully checked: one of a
    device that committed to `result_root`."""
    body = await fetch_content(work, digest, MOST_LANES_BYTES, first)
    lanes = None if body is None else _checked(work, body, result_root)
    if lanes is not None:
        work.record.add_lanes(lanes, 0)
    return lanes


def _checked(work: Work, answer: bytes, result_root: bytes) -> LanesBody | None:
    context = work.context
    try:
        body = LanesBody.model_validate_json(answer)
        known = context.device_of(body.device_id)
        if known is None:
            raise RuleError(f"device 0x{body.device_id.hex()} is not enrolled")
        check_lanes(body.held(), context.epoch, context.epoch_seed, result_root, *known, context.seats, context.domain)
    except (ValidationError, RuleError) as error:
        log.warning("probe refused", reason=str(error)[:300])
        return None
    return body

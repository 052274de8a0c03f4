"""The memory probe: at one instant a fresh nonce to each device that has committed, and where its lanes ended."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

import structlog
from pydantic import ValidationError

from assay.proof.probe.calibration import deadline_us
from assay.protocol.messages import ProbeNonce
from assay.protocol.profile import Profile
from assay.validator.errors import DeviceFailure
from assay.validator.phases.instants import agree_instant
from assay.validator.phases.listed_content import fetch_content
from assay.validator.phases.stopwatch import Stopwatch
from assay.validator.rules.instants import LEAST_NOTICE_MS, MOST_LAG_MS, Instant, earliest_probe_ms
from assay.validator.rules.lanes import check_lanes
from assay.validator.rules.values import Device, RuleError
from assay.validator.work import Work
from assay.wire import canonical
from assay.wire.gossip import Purpose
from assay.wire.limits import MAX_COMMITMENT_BYTES
from assay.wire.measurement import SignedLanes, SignedProbeNonce

RETRY_S = 0.25
log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class ProbeAnswer:
    """What a device answered of the result it committed to, unchecked; `elapsed_us` is 0 where it is no time."""

    device: Device
    result_root: bytes
    body: bytes
    elapsed_us: int


async def agree_probe(work: Work, challenged: Instant) -> Instant | None:
    """The one instant at which all devices that have committed are probed; None where none has a probe, or no leader
    names one in time."""
    profiles = [work.context.profiles[device.profile] for device in work.context.idle]
    deadlines = [profile.deadline_ms for profile in profiles if profile.W > 0]
    if not deadlines:
        return None
    earliest_ms = earliest_probe_ms(challenged.start_ms, deadlines)
    # A leader that names it any earlier gives it away for longer.
    since = (earliest_ms - LEAST_NOTICE_MS) / 1000
    await work.services.clock.sleep(max(0.0, since - work.now()))
    # Whoever named the first instant was there, so its turn is the first again.
    instant = await agree_instant(work, Purpose.MEMORY, challenged.seat, since, earliest_ms)
    if instant is None:
        log.warning("no instant for the memory probe", epoch=work.context.epoch)
    return instant


async def probe_device(work: Work, device: Device, instant: Instant) -> ProbeAnswer | None:
    """Asks a device that has committed, until it answers or twice the probe's deadline is over: what comes later is
    worth nothing here, and other seats' inventories may still list it."""
    context, services, record = work.context, work.services, work.record
    profile, held = context.profiles[device.profile], record.commitments.get(device.device_id)
    if profile.W == 0 or held is None or device.device_id in record.lanes or _is_late(work, device, profile):
        return None
    fresh = services.random(32)
    root = held.message.result_root
    nonce = services.store.nonce(context.epoch, device.device_id, root, fresh)
    message = ProbeNonce(context.epoch, context.epoch_seed, device.device_id, root, work.account, nonce)
    signature = await services.statements.sign_probe_nonce(message)
    body = canonical.encode(SignedProbeNonce.of(message, signature).to_json())
    await services.clock.sleep(max(0.0, instant.start_ms / 1000 - work.now()))
    # As with challenges, of an older nonce it is not known when its clock started. Of one that leaves here long after
    # the instant the clock would start when the device may have had time to make its window again.
    timed = nonce == fresh and work.now() * 1000 <= instant.start_ms + MOST_LAG_MS
    watch = Stopwatch(services.clock)
    ends = min(context.deadlines.commit_by, work.now() + 2 * deadline_us(profile) / 1e6)
    while (left := ends - work.now()) > 0:
        try:
            answer = await services.devices.probe(device, body, left, watch.start)
        except DeviceFailure as error:
            log.debug("probe unanswered", device="0x" + device.device_id.hex(), error=str(error))
            await services.clock.sleep(RETRY_S)
            continue
        return ProbeAnswer(device, root, answer, watch.elapsed_us() if timed else 0)
    return None


def _is_late(work: Work, device: Device, profile: Profile) -> bool:
    """A device that was late with its work earns nothing by its memory, and would not be probed with the others."""
    return work.record.elapsed_us.get(device.device_id, 0) > profile.deadline_ms * 1000


async def take_lanes(work: Work, answers: Sequence[ProbeAnswer]) -> None:
    """Checks and keeps what devices answered. After all have been timed: devices answer at once, and an answer that
    waits here while others are checked would seem late."""
    for answer in answers:
        lanes = _checked(work, answer.body, answer.result_root)
        if lanes is not None and lanes.device_id == answer.device.device_id:
            work.record.add_lanes(lanes, answer.elapsed_us)
            log.info("memory probed", device="0x" + lanes.device_id.hex(), elapsed_us=answer.elapsed_us)
        await asyncio.sleep(0)


async def fetch_lanes(work: Work, digest: bytes, result_root: bytes, first: str | None = None) -> SignedLanes | None:
    """An answer by the H of its content, from the store or a peer (`first` is asked first), fully checked: one of a
    device that committed to `result_root`."""
    body = await fetch_content(work, digest, MAX_COMMITMENT_BYTES, first)
    lanes = None if body is None else _checked(work, body, result_root)
    if lanes is not None:
        work.record.add_lanes(lanes, 0)
    return lanes


def _checked(work: Work, answer: bytes, result_root: bytes) -> SignedLanes | None:
    context = work.context
    try:
        body = SignedLanes.parse(answer)
        known = context.device_of(body.device_id)
        if known is None:
            raise RuleError(f"device 0x{body.device_id.hex()} is not enrolled")
        check_lanes(body, context.epoch, context.epoch_seed, result_root, *known, context.seats, context.domain)
    except (ValidationError, RuleError) as error:
        log.warning("probe refused", reason=str(error)[:300])
        return None
    return body

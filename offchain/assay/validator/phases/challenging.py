"""Challenging all idle devices at one instant and collecting what they commit to; at a second one, after the work's
deadline, the probe of their memory."""

from __future__ import annotations

import asyncio

import structlog

from assay.protocol.messages import Challenge
from assay.signing.errors import SigningError
from assay.validator.errors import DeviceFailure
from assay.validator.phases.instants import agree_instant
from assay.validator.phases.probing import ProbeAnswer, agree_probe, probe_device, take_lanes
from assay.validator.phases.stopwatch import Stopwatch
from assay.validator.rules.commitments import check_commitment
from assay.validator.rules.instants import Instant
from assay.validator.rules.values import Device
from assay.validator.work import Work
from assay.wire import canonical
from assay.wire.gossip import Purpose
from assay.wire.measurement import SignedChallenge, SignedCommitment

RETRY_S = 0.25
log = structlog.get_logger()


async def challenge_devices(work: Work) -> None:
    """Returns when every idle device has answered or commitments close."""
    if work.record.inventory_at is not None or not work.context.idle:
        return
    instant = await agree_instant(work, Purpose.WORK, work.context.leader(0), work.now())
    if instant is None:
        log.warning("no instant", epoch=work.context.epoch)
        return
    probe = asyncio.create_task(agree_probe(work, instant))
    tasks = [asyncio.create_task(_measure(work, device, instant, probe)) for device in work.context.idle]
    pending = set(tasks)

    def ended(task: asyncio.Task[ProbeAnswer | None]) -> None:
        pending.discard(task)
        if not pending:
            work.services.wake.notify()

    for task in tasks:
        task.add_done_callback(ended)
    try:
        await work.services.wake.until(lambda: not pending, work.context.deadlines.commit_by)
    finally:
        for waiting in (probe, *tasks):
            waiting.cancel()
        answers = await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.gather(probe, return_exceptions=True)
    await take_lanes(work, [answer for answer in answers if isinstance(answer, ProbeAnswer)])
    log.info(
        "commitments collected",
        held=len(work.record.commitments),
        probes=len(work.record.lanes),
        idle=len(work.context.idle),
    )
    failed = [a for a in answers if isinstance(a, Exception)]
    if failed:
        raise failed[0]


async def _measure(
    work: Work, device: Device, instant: Instant, probe: asyncio.Task[Instant | None]
) -> ProbeAnswer | None:
    try:
        if device.device_id not in work.record.commitments:
            await _challenge(work, device, instant)
        second = await asyncio.shield(probe)
        return None if second is None else await probe_device(work, device, second)
    except SigningError as error:
        log.warning("device not measured", device=_name(device), reason=str(error))
        return None


async def _challenge(work: Work, device: Device, instant: Instant) -> None:
    context, services = work.context, work.services
    fresh = services.random(32)
    nonce = services.store.nonce(context.epoch, device.device_id, context.epoch_seed, fresh)
    challenge = Challenge(context.epoch, context.epoch_seed, device.device_id, work.account, nonce)
    signature = await services.statements.sign_challenge(challenge)
    body = canonical.encode(SignedChallenge.of(challenge, signature).to_json())
    # All are ready before any leaves: signing for many devices takes longer than telling them.
    await services.clock.sleep(max(0.0, instant.start_ms / 1000 - work.now()))
    watch = Stopwatch(services.clock)
    while (left := context.deadlines.commit_by - work.now()) > 0:
        try:
            answer = await services.devices.challenge(device, body, left, watch.start)
        except DeviceFailure as error:
            log.debug("challenge unanswered", device=_name(device), error=str(error))
            await services.clock.sleep(RETRY_S)
            continue
        # An older nonce is one from before a crash: when its clock started is not known any more.
        elapsed_us = watch.elapsed_us() if nonce == fresh else 0
        # Of answers that come together, all are timed before the first is checked.
        await asyncio.sleep(0)
        _take(work, device, answer, elapsed_us)
        return


def _take(work: Work, device: Device, answer: bytes, elapsed_us: int) -> None:
    context = work.context
    try:
        body = SignedCommitment.parse(answer)
        profile = context.profiles[device.profile]
        check_commitment(
            body,
            context.epoch,
            context.epoch_seed,
            device,
            profile,
            context.seats,
            context.domain,
        )
    except ValueError as error:
        log.warning("commitment refused", device=_name(device), reason=str(error)[:300])
        return
    work.record.add_commitment(body, elapsed_us)
    work.services.wake.notify()
    log.info("commitment", device=_name(device), elapsed_us=elapsed_us, nonces=len(body.challenges))


def _name(device: Device) -> str:
    return "0x" + device.device_id.hex()

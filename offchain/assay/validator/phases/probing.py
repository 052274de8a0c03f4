"""The memory probe: at one instant a fresh nonce to each device that has committed, and where its lanes ended."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import structlog

from assay.proof.probe.calibration import deadline_us
from assay.protocol.messages import ProbeNonce
from assay.protocol.profile import Profile
from assay.protocol.types import Root
from assay.validator.context import EpochContext
from assay.validator.errors import DeviceFailure
from assay.validator.phases.instants import Begun, Instants, Meeting
from assay.validator.phases.listed_content import checked_lanes
from assay.validator.phases.stopwatch import Stopwatch
from assay.validator.ports import Clock, Devices, Statements
from assay.validator.rules.instants import MAX_LAG_MS, MIN_NOTICE_MS, Instant, earliest_probe_ms
from assay.validator.rules.values import EpochDevice
from assay.validator.storage.record import DeviceEvidence, EpochRecord
from assay.validator.storage.store import Store
from assay.wire import canonical
from assay.wire.gossip import Purpose
from assay.wire.measurement import SignedProbeNonce

RETRY_S = 0.25
log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class ProbeAnswer:
    """What a device answered of the result it committed to, unchecked; `elapsed_us` is 0 where it is no time."""

    device: EpochDevice
    result_root: Root
    body: bytes
    elapsed_us: int


@dataclass(frozen=True)
class Probing:
    """Asks each device once, at the one instant for all."""

    context: EpochContext
    record: EpochRecord
    instants: Instants
    statements: Statements
    devices: Devices
    store: Store
    clock: Clock
    random: Callable[[int], bytes]

    async def agree(self, challenged: Instant) -> Begun | None:
        """Returns shortly before the one instant at which all devices that have committed are probed: a task that ends
        when it begins. None where no device has a probe, or no leader names one in time."""
        profiles = [self.context.profiles[device.profile] for device in self.context.idle]
        deadlines = [profile.deadline_ms for profile in profiles if profile.W > 0]
        if not deadlines:
            return None
        earliest_ms = earliest_probe_ms(challenged.start_ms, deadlines)
        # A leader that names it any earlier gives it away for longer.
        since = (earliest_ms - MIN_NOTICE_MS) / 1000
        await self.clock.sleep(max(0.0, since - self.clock.now()))
        # Whoever named the first instant was there, so its turn is the first again.
        begun = await self.instants.agree(Meeting(Purpose.MEMORY, challenged.seat, since, earliest_ms))
        if begun is None:
            log.warning("no instant for the memory probe", epoch=self.context.epoch)
        return begun

    async def ask(self, device: EpochDevice, begun: Begun) -> ProbeAnswer | None:
        """Asks a device that has committed, until it answers or twice the probe's deadline is over: what comes later is
        worth nothing here, and other seats' inventories may still list it."""
        context, record = self.context, self.record
        profile, evidence = context.profiles[device.profile], record.evidence[device.device_id]
        root = evidence.result_root
        if profile.W == 0 or root is None or evidence.lanes is not None or _is_late(evidence, profile):
            return None
        fresh = self.random(32)
        nonce = self.store.nonce(context.epoch, device.device_id, root, fresh)
        message = ProbeNonce(context.epoch, context.epoch_seed, device.device_id, root, self.context.account, nonce)
        signature = await self.statements.sign_probe_nonce(message)
        body = canonical.encode(SignedProbeNonce.of(message, signature).to_json())
        instant = await asyncio.shield(begun)
        # As with challenges, of an older nonce it is not known when its clock started. Of one that leaves here long
        # after the instant the clock would start when the device may have had time to make its window again.
        timed = nonce == fresh and self.clock.now() * 1000 <= instant.start_ms + MAX_LAG_MS
        watch = Stopwatch(self.clock)
        ends = min(context.deadlines.commit_by, self.clock.now() + 2 * deadline_us(profile) / 1e6)
        while (left := ends - self.clock.now()) > 0:
            try:
                answer = await self.devices.probe(device, body, left, watch.start)
            except DeviceFailure as error:
                log.debug("probe unanswered", device="0x" + device.device_id.hex(), error=str(error))
                await self.clock.sleep(RETRY_S)
                continue
            return ProbeAnswer(device, root, answer, watch.elapsed_us() if timed else 0)
        return None

    async def take(self, answers: Sequence[ProbeAnswer]) -> None:
        """Checks and keeps what devices answered. After all have been timed: devices answer at once, and an answer that
        waits here while others are checked would seem late."""
        for answer in answers:
            lanes = checked_lanes(self.context, answer.body, answer.result_root)
            if lanes is not None and lanes.device_id == answer.device.device_id:
                self.record.add_lanes(lanes, answer.elapsed_us)
                log.info("memory probed", device="0x" + lanes.device_id.hex(), elapsed_us=answer.elapsed_us)
            await asyncio.sleep(0)


def _is_late(evidence: DeviceEvidence, profile: Profile) -> bool:
    """A device that was late with its work earns nothing by its memory, and would not be probed with the others."""
    return evidence.commitment is not None and evidence.commitment.elapsed_us > profile.deadline_ms * 1000

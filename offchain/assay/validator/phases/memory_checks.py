"""Asking a sealed device for the lanes that ρ draws, and checking that they were walked over what it committed to."""

from __future__ import annotations

from dataclasses import dataclass

import structlog

from assay.proof.probe import verification
from assay.proof.probe.layout import OPENED_LANES
from assay.protocol.leaves import SealedLeaf
from assay.protocol.profile import Profile
from assay.protocol.types import NO_ROOT, Rho
from assay.validator.context import EpochContext
from assay.validator.devices.opening_checks import OpeningChecker
from assay.validator.errors import DeviceFailure
from assay.validator.ports import Clock, Devices
from assay.validator.rules.values import EpochDevice
from assay.validator.storage.record import EpochRecord
from assay.validator.storage.store import Store
from assay.wire import canonical
from assay.wire.measurement import LanesRequest

RETRY_S = 0.4
log = structlog.get_logger()


@dataclass(frozen=True)
class MemoryChecks:
    """Follows the rows: a device whose opening is wrong is not asked for lanes."""

    context: EpochContext
    record: EpochRecord
    store: Store
    checker: OpeningChecker
    devices: Devices
    clock: Clock

    async def check(
        self, leaf: SealedLeaf, device: EpochDevice, profile: Profile, rho: Rho, opening: bytes, ends: float
    ) -> None:
        """Stores whether the device has shown the memory it claims. `opening` is its verified opening of rows; it is
        asked until `ends`, Unix seconds."""
        if leaf.lane_root == NO_ROOT:
            return
        shown, reason = await self._shown(leaf, device, profile, rho, opening, ends)
        self.store.put_memory_verdict(self.context.epoch, rho, leaf.device_id, shown, reason)
        log.info("memory checked", device="0x" + leaf.device_id.hex(), shown=shown, reason=reason)

    async def _shown(
        self, leaf: SealedLeaf, device: EpochDevice, profile: Profile, rho: Rho, opening: bytes, ends: float
    ) -> tuple[bool, str]:
        answer = self.record.evidence[leaf.device_id].by_lane_root.get(leaf.lane_root)
        if answer is None:
            return False, "the answer behind the sealed lane root is not held here"
        lanes = await self._ask(device, profile, rho, ends)
        if lanes is None:
            return False, "no lanes in time"
        verdict = await self.checker.verify_lanes(
            profile, rho, leaf.device_id, opening, answer.message.challenge, leaf.lane_root, lanes
        )
        return verdict.valid, verdict.reason

    async def _ask(self, device: EpochDevice, profile: Profile, rho: Rho, ends: float) -> bytes | None:
        request = LanesRequest(epoch=self.context.epoch, device_id=device.device_id, rho=rho)
        body, most = canonical.encode(request.to_json()), verification.length(profile, OPENED_LANES)
        while (left := ends - self.clock.now()) > 0:
            try:
                return await self.devices.lanes(device, body, most, left)
            except DeviceFailure as error:
                log.debug("no lanes", device="0x" + device.device_id.hex(), error=str(error))
                await self.clock.sleep(RETRY_S)
        return None

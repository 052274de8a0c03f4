"""A leased device answers no challenges; it still shows that it is there."""

from __future__ import annotations

from collections.abc import Mapping

from assay.protocol.types import DeviceId
from assay.provider.devices.device import OwnDevice
from assay.provider.errors import NotFound
from assay.wire.measurement import live_answer, live_digest


def answer(devices: Mapping[DeviceId, OwnDevice], device_id: DeviceId, nonce: bytes) -> dict[str, str]:
    """The signed sign of life. Raises NotFound for a device of somebody else."""
    device = devices.get(device_id)
    if device is None:
        raise NotFound(f"device 0x{device_id.hex()} is not served here")
    return live_answer(device_id, nonce, device.sign(live_digest(device_id, nonce)))

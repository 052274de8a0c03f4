"""A leased device answers no challenges; it still shows that it is there."""

from __future__ import annotations

from collections.abc import Mapping

from assay.provider.device import Device
from assay.provider.errors import NotFound
from assay.wire.measurement import live_answer, live_digest


def answer(devices: Mapping[bytes, Device], device_id: bytes, nonce: bytes) -> dict[str, str]:
    """The signed sign of life. Raises NotFound for a device of somebody else."""
    device = devices.get(device_id)
    if device is None:
        raise NotFound(f"device 0x{device_id.hex()} is not served here")
    return live_answer(device_id, nonce, device.sign(live_digest(device_id, nonce)))

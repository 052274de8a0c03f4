"""A leased device answers no challenges; it still shows that it is there."""

from __future__ import annotations

from collections.abc import Mapping

from assay.protocol.keccak import keccak
from assay.provider.device import Device
from assay.provider.errors import NotFound

TAG = b"assay.live"


def digest(device_id: bytes, nonce: bytes) -> bytes:
    """What the device key signs: H("assay.live" ‖ deviceId ‖ nonce), both 32 bytes. No contract reads it."""
    return keccak(TAG + device_id + nonce)


def answer(devices: Mapping[bytes, Device], device_id: bytes, nonce: bytes) -> dict[str, str]:
    """The signed sign of life. Raises NotFound for a device of somebody else."""
    device = devices.get(device_id)
    if device is None:
        raise NotFound(f"device 0x{device_id.hex()} is not served here")
    return {
        "deviceId": device.name,
        "nonce": "0x" + nonce.hex(),
        "signature": "0x" + device.sign(digest(device_id, nonce)).hex(),
    }

"""Whether a device is there: its key signs a nonce that nobody could foresee."""

from __future__ import annotations

import secrets

from assay.chain.devices import Device
from assay.network.origins import Endpoint
from assay.protocol.hexadecimal import HexadecimalError, parse_signature, to_hex
from assay.protocol.keccak import keccak
from assay.protocol.signing import signed_by
from assay.renter.errors import RenterError
from assay.renter.http_client import HttpClient

TAG = b"assay.live"
TIMEOUT_S = 5.0


async def is_alive(http: HttpClient, device: Device) -> bool:
    """Whether H("assay.live" ‖ deviceId ‖ nonce) comes back signed by the device key within five seconds."""
    if not device.endpoint:
        return False
    nonce = secrets.token_bytes(32)
    path = f"/v1/devices/{to_hex(device.device_id)}/live?nonce={to_hex(nonce)}"
    try:
        answer = await http.json_of(
            "GET", Endpoint(device.endpoint, device.tls_fingerprint), path, timeout_s=TIMEOUT_S, most=4096
        )
        signature = parse_signature(answer.get("signature", ""))
    except (RenterError, HexadecimalError):
        return False
    return signed_by(keccak(TAG + device.device_id + nonce), signature, device.device_key)

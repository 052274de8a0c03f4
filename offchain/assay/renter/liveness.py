"""Whether a device is there: its key signs a nonce that nobody could foresee."""

from __future__ import annotations

import secrets

from assay.chain.devices import Device
from assay.network.origins import Endpoint
from assay.protocol.signing import signed_by
from assay.renter.errors import RenterError
from assay.renter.http_client import HttpClient
from assay.wire import paths
from assay.wire.limits import MAX_LIVE_BYTES
from assay.wire.measurement import live_digest, signature_in

TIMEOUT_S = 5.0


async def is_alive(http: HttpClient, device: Device) -> bool:
    """Whether H("assay.live" ‖ deviceId ‖ nonce) comes back signed by the device key within five seconds."""
    if not device.endpoint:
        return False
    nonce = secrets.token_bytes(32)
    endpoint = Endpoint(device.endpoint, device.tls_fingerprint)
    try:
        answer = await http.json_of(
            "GET", endpoint, paths.live(device.device_id, nonce), timeout_s=TIMEOUT_S, most=MAX_LIVE_BYTES
        )
    except RenterError:
        return False
    signature = signature_in(answer)
    digest = live_digest(device.device_id, nonce)
    return signature is not None and signed_by(digest, signature, device.device_key)

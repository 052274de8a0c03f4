"""HTTP to providers' daemons, with limits on time and size. Nothing a device answers is believed here."""

from __future__ import annotations

import json
from collections.abc import Callable

from assay.network.client import Client
from assay.network.errors import NetworkError
from assay.network.origins import Endpoint
from assay.protocol.hexadecimal import HexadecimalError, parse_signature, to_hex
from assay.protocol.keccak import keccak
from assay.protocol.signing import signed_by
from assay.validator.errors import DeviceFailure
from assay.validator.rules.values import Device

MOST_COMMITMENT_BYTES = 64 << 10
MOST_ALIVE_BYTES = 4 << 10
LIVENESS_TAG = b"assay.live"


class DeviceClient:
    """Reaches devices at the endpoints that the registry announces."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def challenge(self, device: Device, body: bytes, timeout_s: float, sent: Callable[[], None]) -> bytes:
        """The device's commitment, held for until it is there; `sent` is called when the request leaves."""
        return await self._request(device, "POST", "/v1/challenges", body, MOST_COMMITMENT_BYTES, timeout_s, sent)

    async def probe(self, device: Device, body: bytes, timeout_s: float, sent: Callable[[], None]) -> bytes:
        """Where the device's lanes ended, held for until it is there; `sent` is called when the request leaves."""
        return await self._request(device, "POST", "/v1/probes", body, MOST_COMMITMENT_BYTES, timeout_s, sent)

    async def lanes(self, device: Device, body: bytes, most_bytes: int, timeout_s: float) -> bytes:
        """The bytes of an opening of lanes, at most `most_bytes` and one more."""
        return await self._request(device, "POST", "/v1/lanes", body, most_bytes + 1, timeout_s)

    async def opening(self, device: Device, body: bytes, most_bytes: int, timeout_s: float) -> bytes:
        """The bytes of an opening, at most `most_bytes` and one more."""
        return await self._request(device, "POST", "/v1/openings", body, most_bytes + 1, timeout_s)

    async def alive(self, device: Device, nonce: bytes, timeout_s: float) -> bool:
        """Whether the device key signed H("assay.live" ‖ deviceId ‖ nonce)."""
        name = to_hex(device.device_id)
        path = f"/v1/devices/{name}/live?nonce={to_hex(nonce)}"
        answer = await self._request(device, "GET", path, None, MOST_ALIVE_BYTES, timeout_s)
        try:
            signature = parse_signature(json.loads(answer)["signature"])
        except (ValueError, KeyError, TypeError, HexadecimalError, RecursionError):
            return False
        return signed_by(keccak(LIVENESS_TAG + device.device_id + nonce), signature, device.device_key)

    async def close(self) -> None:
        """Lets connections go."""
        await self._client.close()

    async def _request(
        self,
        device: Device,
        method: str,
        path: str,
        body: bytes | None,
        most_bytes: int,
        timeout_s: float,
        sent: Callable[[], None] = lambda: None,
    ) -> bytes:
        if not device.endpoint:
            raise DeviceFailure("no endpoint announced")
        endpoint = Endpoint(device.endpoint, device.tls_fingerprint)
        try:
            answer = await self._client.request(
                method, endpoint, path, body=body, most_bytes=most_bytes, timeout_s=timeout_s, sent=sent
            )
        except NetworkError as error:
            raise DeviceFailure(str(error)) from None
        if answer.status != 200:
            raise DeviceFailure(f"HTTP {answer.status}: {answer.body[:200]!r}")
        return answer.body

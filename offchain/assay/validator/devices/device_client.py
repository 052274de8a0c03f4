"""HTTP to providers' daemons, with limits on time and size. Nothing a device answers is believed here."""

from __future__ import annotations

import json
from collections.abc import Callable
from http import HTTPStatus

from assay.network.client import Client
from assay.network.errors import NetworkError
from assay.network.origins import Endpoint
from assay.protocol.signing import signed_by
from assay.validator.errors import DeviceFailure
from assay.validator.rules.values import EpochDevice
from assay.wire import paths
from assay.wire.limits import MAX_COMMITMENT_BYTES, MAX_LIVE_BYTES
from assay.wire.measurement import live_digest, signature_in


class DeviceClient:
    """Reaches devices at the endpoints that the registry announces."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def challenge(self, device: EpochDevice, body: bytes, timeout_s: float, sent: Callable[[], None]) -> bytes:
        """The device's commitment, held for until it is there; `sent` is called when the request leaves."""
        return await self._request(device, "POST", paths.CHALLENGES, body, MAX_COMMITMENT_BYTES, timeout_s, sent)

    async def probe(self, device: EpochDevice, body: bytes, timeout_s: float, sent: Callable[[], None]) -> bytes:
        """Where the device's lanes ended, held for until it is there; `sent` is called when the request leaves."""
        return await self._request(device, "POST", paths.PROBES, body, MAX_COMMITMENT_BYTES, timeout_s, sent)

    async def lanes(self, device: EpochDevice, body: bytes, max_bytes: int, timeout_s: float) -> bytes:
        """The bytes of an opening of lanes, at most `most_bytes` and one more."""
        return await self._request(device, "POST", paths.LANES, body, max_bytes + 1, timeout_s)

    async def opening(self, device: EpochDevice, body: bytes, max_bytes: int, timeout_s: float) -> bytes:
        """The bytes of an opening, at most `most_bytes` and one more."""
        return await self._request(device, "POST", paths.OPENINGS, body, max_bytes + 1, timeout_s)

    async def alive(self, device: EpochDevice, nonce: bytes, timeout_s: float) -> bool:
        """Whether the device key signed H("assay.live" ‖ deviceId ‖ nonce)."""
        path = paths.live(device.device_id, nonce)
        answer = await self._request(device, "GET", path, None, MAX_LIVE_BYTES, timeout_s)
        try:
            signature = signature_in(json.loads(answer))
        except (ValueError, RecursionError):
            return False
        digest = live_digest(device.device_id, nonce)
        return signature is not None and signed_by(digest, signature, device.device_key)

    async def close(self) -> None:
        """Lets connections go."""
        await self._client.close()

    async def _request(
        self,
        device: EpochDevice,
        method: str,
        path: str,
        body: bytes | None,
        max_bytes: int,
        timeout_s: float,
        sent: Callable[[], None] = lambda: None,
    ) -> bytes:
        if not device.endpoint:
            raise DeviceFailure("no endpoint announced")
        endpoint = Endpoint(device.endpoint, device.tls_fingerprint)
        try:
            answer = await self._client.request(
                method, endpoint, path, body=body, max_bytes=max_bytes, timeout_s=timeout_s, sent=sent
            )
        except NetworkError as error:
            raise DeviceFailure(str(error)) from None
        if answer.status != HTTPStatus.OK:
            raise DeviceFailure(f"HTTP {answer.status}: {answer.body[:200]!r}")
        return answer.body

"""HTTP to providers' daemons, with limits on time and size. Nothing a device answers is believed here."""

from __future__ import annotations

import asyncio
import json
import ssl

import httpx2

from assay.chain.pinned_tls import pinned_context
from assay.protocol.hexadecimal import HexadecimalError, parse_signature, to_hex
from assay.protocol.keccak import keccak
from assay.protocol.signing import signed_by
from assay.validator.errors import DeviceFailure, PeerFailure
from assay.validator.peer_client import CONNECT_S, read_limited
from assay.validator.rules.values import Device

MOST_COMMITMENT_BYTES = 64 << 10
MOST_ALIVE_BYTES = 4 << 10
SHARDS = 128
LIVENESS_TAG = b"assay.live"


class DeviceClient:
    """Reaches devices at the endpoints that the registry announces."""

    def __init__(self, transport: httpx2.AsyncBaseTransport | None = None) -> None:
        self._transport = transport
        self._clients: dict[tuple[bytes, int], httpx2.AsyncClient] = {}
        self._contexts: dict[bytes, ssl.SSLContext] = {}

    async def challenge(self, device: Device, body: bytes, timeout_s: float) -> bytes:
        """The device's commitment, held for until it is there."""
        return await self._request(device, "POST", "/v1/challenges", body, MOST_COMMITMENT_BYTES, timeout_s)

    async def probe(self, device: Device, body: bytes, timeout_s: float) -> bytes:
        """Where the device's lanes ended, held for until it is there."""
        return await self._request(device, "POST", "/v1/probes", body, MOST_COMMITMENT_BYTES, timeout_s)

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
        for client in self._clients.values():
            await client.aclose()

    def _client(self, device: Device) -> httpx2.AsyncClient:
        """A client that takes the announced certificate only; without one, what certificate authorities say.

        One of `SHARDS` for each certificate: a pool looks at all of its connections for each request.
        """
        key = (device.tls_fingerprint, device.device_id[-1] % SHARDS)
        if key not in self._clients:
            self._clients[key] = httpx2.AsyncClient(
                transport=self._transport,
                verify=self._context(device.tls_fingerprint),
                trust_env=False,
                follow_redirects=False,
                limits=httpx2.Limits(max_connections=None, max_keepalive_connections=8),
            )
        return self._clients[key]

    def _context(self, fingerprint: bytes) -> ssl.SSLContext:
        # Making one reads every root certificate of the machine.
        if fingerprint not in self._contexts:
            self._contexts[fingerprint] = (
                pinned_context(fingerprint) if any(fingerprint) else ssl.create_default_context()
            )
        return self._contexts[fingerprint]

    async def _request(
        self,
        device: Device,
        method: str,
        path: str,
        body: bytes | None,
        most_bytes: int,
        timeout_s: float,
    ) -> bytes:
        if not device.endpoint:
            raise DeviceFailure("no endpoint announced")
        try:
            # The time-outs of the client bound each read; this one bounds an answer that never ends.
            async with (
                asyncio.timeout(timeout_s),
                self._client(device).stream(
                    method,
                    device.endpoint.rstrip("/") + path,
                    content=body,
                    headers={"content-type": "application/json"} if body is not None else {},
                    timeout=httpx2.Timeout(timeout_s, connect=min(CONNECT_S, timeout_s)),
                ) as response,
            ):
                answer = await read_limited(response, most_bytes)
                if response.status_code != 200:
                    raise DeviceFailure(f"HTTP {response.status_code}: {answer[:200]!r}")
                return answer
        except (
            httpx2.HTTPError,
            httpx2.InvalidURL,
            httpx2.StreamError,
            PeerFailure,
            TimeoutError,
            ValueError,
        ) as error:
            raise DeviceFailure(f"{device.endpoint}: {error or type(error).__name__}") from None

"""HTTP to providers' daemons, with limits on time and size. Nothing a device answers is believed here."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import aiohttp
from aiohttp.connector import Connection

from assay.chain.pinned_tls import pinned_context
from assay.protocol.signing import signed_by
from assay.validator.errors import DeviceFailure
from assay.validator.peer_client import CONNECT_S
from assay.validator.rules.values import Device
from assay.wire import paths
from assay.wire.limits import MAX_COMMITMENT_BYTES, MAX_LIVE_BYTES
from assay.wire.measurement import live_digest, signature_in

CONNECTING_AT_ONCE = 256  # more handshakes than a processor does in CONNECT_S would all fail
HEADERS = {"accept-encoding": "identity", "content-type": "application/json"}


class DeviceClient:
    """Reaches devices at the endpoints that the registry announces."""

    def __init__(self, session: aiohttp.ClientSession | None = None) -> None:
        self._opened = session

    async def challenge(self, device: Device, body: bytes, timeout_s: float, sent: Callable[[], None]) -> bytes:
        """The device's commitment, held for until it is there; `sent` is called when the request leaves."""
        return await self._request(device, "POST", paths.CHALLENGES, body, MAX_COMMITMENT_BYTES, timeout_s, sent)

    async def probe(self, device: Device, body: bytes, timeout_s: float, sent: Callable[[], None]) -> bytes:
        """Where the device's lanes ended, held for until it is there; `sent` is called when the request leaves."""
        return await self._request(device, "POST", paths.PROBES, body, MAX_COMMITMENT_BYTES, timeout_s, sent)

    async def lanes(self, device: Device, body: bytes, most_bytes: int, timeout_s: float) -> bytes:
        """The bytes of an opening of lanes, at most `most_bytes` and one more."""
        return await self._request(device, "POST", paths.LANES, body, most_bytes + 1, timeout_s)

    async def opening(self, device: Device, body: bytes, most_bytes: int, timeout_s: float) -> bytes:
        """The bytes of an opening, at most `most_bytes` and one more."""
        return await self._request(device, "POST", paths.OPENINGS, body, most_bytes + 1, timeout_s)

    async def alive(self, device: Device, nonce: bytes, timeout_s: float) -> bool:
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
        if self._opened is not None:
            await self._opened.close()

    @property
    def _session(self) -> aiohttp.ClientSession:
        # Made where it is used first: a session belongs to a running loop.
        if self._opened is None:
            trace = aiohttp.TraceConfig()
            trace.on_request_headers_sent.append(_tell)
            self._opened = aiohttp.ClientSession(
                connector=_Connector(),
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                trace_configs=[trace],
            )
        return self._opened

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
        try:
            async with self._session.request(
                method,
                device.endpoint.rstrip("/") + path,
                data=body,
                headers=HEADERS,
                allow_redirects=False,
                ssl=_authority(device.tls_fingerprint),
                timeout=aiohttp.ClientTimeout(total=timeout_s, sock_connect=min(CONNECT_S, timeout_s)),
                trace_request_ctx=sent,
            ) as response:
                answer = await _read_limited(response, most_bytes)
                if response.status != 200:
                    raise DeviceFailure(f"HTTP {response.status}: {answer[:200]!r}")
                return answer
        except (aiohttp.ClientError, OSError, ValueError) as error:  # a time-out is an OSError
            raise DeviceFailure(f"{device.endpoint}: {error or type(error).__name__}") from None


class _Connector(aiohttp.TCPConnector):
    """Connects to so many at once; the time that connecting may take counts from a connection's turn."""

    def __init__(self) -> None:
        super().__init__(limit=0)
        self._slots = asyncio.Semaphore(CONNECTING_AT_ONCE)

    async def connect(self, *args: Any, **kwargs: Any) -> Connection:
        async with self._slots:
            return await super().connect(*args, **kwargs)


async def _tell(_session: aiohttp.ClientSession, context: SimpleNamespace, _parameters: object) -> None:
    context.trace_request_ctx()


def _authority(fingerprint: bytes) -> ssl.SSLContext | bool:
    """The announced certificate only; without one, what certificate authorities say."""
    return pinned_context(fingerprint) if any(fingerprint) else True


async def _read_limited(response: aiohttp.ClientResponse, most_bytes: int) -> bytes:
    body = bytearray()
    async for piece in response.content.iter_any():
        body += piece
        if len(body) > most_bytes:
            raise DeviceFailure(f"the answer is longer than {most_bytes} bytes")
    return bytes(body)

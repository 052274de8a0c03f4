"""HTTP to providers and validators, with limits on time and size. Nothing that they answer is believed here."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

import httpx2

from assay.chain.pinned_tls import pinned_context
from assay.renter.errors import ProviderRefused, Unreachable

MAX_JSON = 16 << 20
MAX_REASON = 500
CONNECT_S = 5.0


class HttpClient:
    """Requests to one peer at a time by its address. `transport` stands in for the network in tests."""

    def __init__(self, transport: httpx2.AsyncBaseTransport | None = None) -> None:
        self._transport = transport
        self._client = self._new_client()
        self._pinned: dict[str, httpx2.AsyncClient] = {}

    async def close(self) -> None:
        """Lets connections go."""
        for client in (self._client, *self._pinned.values()):
            await client.aclose()

    def pin(self, endpoint: str, fingerprint: bytes) -> None:
        """From now on https to this endpoint takes only the certificate with the fingerprint (32 bytes) that the
        registry announces; all zero leaves it to certificate authorities."""
        origin = _origin(endpoint)
        if origin.startswith("https://") and any(fingerprint) and origin not in self._pinned:
            self._pinned[origin] = self._new_client(pinned_context(fingerprint))

    def _new_client(self, tls: ssl.SSLContext | None = None) -> httpx2.AsyncClient:
        return httpx2.AsyncClient(
            transport=self._transport,
            verify=tls if tls is not None else True,
            trust_env=False,
            follow_redirects=False,
            limits=httpx2.Limits(max_connections=64, max_keepalive_connections=32),
        )

    async def bytes_of(
        self,
        method: str,
        url: str,
        *,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        most: int = MAX_JSON,
        timeout_s: float = 30.0,
    ) -> bytes:
        """The body of a good answer. Raises ProviderRefused for a refusal, Unreachable for anything else."""
        try:
            async with (
                asyncio.timeout(timeout_s),
                self._stream(method, url, body, headers, timeout_s) as response,
            ):
                content = bytearray()
                async for piece in response.aiter_bytes():
                    content += piece
                    if len(content) > most:
                        raise Unreachable(f"{url}: answered more than {most} bytes")
        except TimeoutError:
            raise Unreachable(f"{url}: no answer within {timeout_s:.0f} s") from None
        if response.status_code >= 400:
            raise ProviderRefused(response.status_code, _reason(bytes(content)))
        return bytes(content)

    async def json_of(self, method: str, url: str, **options: Any) -> dict[str, Any]:
        """As `bytes_of`, parsed: a JSON object."""
        content = await self.bytes_of(method, url, **options)
        try:
            value = json.loads(content)
        except (ValueError, RecursionError):
            raise Unreachable(f"{url}: the answer is not JSON") from None
        if not isinstance(value, dict):
            raise Unreachable(f"{url}: the answer is not a JSON object")
        return value

    async def pieces_of(self, url: str, *, headers: Mapping[str, str] | None = None) -> AsyncIterator[bytes]:
        """The body of a good answer as it comes, for as long as it takes."""
        async with self._stream("GET", url, None, headers, None) as response:
            if response.status_code >= 400:
                raise ProviderRefused(response.status_code, _reason(await response.aread()))
            async for piece in response.aiter_bytes():
                yield piece

    @asynccontextmanager
    async def _stream(
        self,
        method: str,
        url: str,
        body: bytes | None,
        headers: Mapping[str, str] | None,
        timeout_s: float | None,
    ) -> AsyncIterator[httpx2.Response]:
        given = dict(headers or {})
        if body is not None:
            given.setdefault("content-type", "application/json")
        timeout = httpx2.Timeout(timeout_s, connect=CONNECT_S)
        try:
            client = self._pinned.get(_origin(url), self._client)
            async with client.stream(method, url, content=body, headers=given, timeout=timeout) as response:
                yield response
        except (httpx2.HTTPError, httpx2.InvalidURL, httpx2.StreamError) as error:
            raise Unreachable(f"{url}: {error or type(error).__name__}") from None


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def _reason(content: bytes) -> str:
    try:
        value = json.loads(content)
        text = value["error"] if "error" in value else value["detail"]
    except (ValueError, KeyError, TypeError, RecursionError):
        text = content.decode("utf-8", "replace")
    return printable(str(text))


def printable(text: str) -> str:
    """What another host says, fit for a line on a terminal."""
    return "".join(c if c.isprintable() else " " for c in text[:MAX_REASON])

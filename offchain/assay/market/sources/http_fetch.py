"""GET of what strangers serve: a size limit, a time limit, no redirects, and no address inside our own
network.
"""

from __future__ import annotations

import asyncio
import ipaddress
import json
import socket
from typing import Any, Protocol
from urllib.parse import urlsplit

import httpx2

from assay.market.errors import SourceFault

REQUEST_S = 10.0
MOST_BYTES = 64 << 20


class Fetch(Protocol):
    """Fetches a URL."""

    async def __call__(self, url: str, most_bytes: int = MOST_BYTES) -> bytes:
        """The body of a 200 answer. Raises SourceFault."""


class HttpFetch:
    """A Fetch over the network. `allow_private` lets it reach loopback and private addresses, for local
    chains.
    """

    def __init__(self, allow_private: bool) -> None:
        self._allow_private = allow_private
        # Endpoints come from the chain, where anyone may announce any: proxies and redirects would widen the
        # reach.
        self._client = httpx2.AsyncClient(
            timeout=REQUEST_S,
            follow_redirects=False,
            trust_env=False,
            # Certificates are pinned by fingerprint, not by name, and every body proves itself by hash or
            # signature.
            verify=False,
            limits=httpx2.Limits(max_connections=64, max_keepalive_connections=16),
        )

    async def __call__(self, url: str, most_bytes: int = MOST_BYTES) -> bytes:
        await self._check(url)
        try:
            async with asyncio.timeout(REQUEST_S * 3), self._client.stream("GET", url) as response:
                if response.status_code != 200:
                    raise SourceFault(f"{shown(url)}: HTTP {response.status_code}")
                body = bytearray()
                async for piece in response.aiter_bytes():
                    body += piece
                    if len(body) > most_bytes:
                        raise SourceFault(f"{shown(url)}: more than {most_bytes} bytes")
        except TimeoutError:
            raise SourceFault(f"{shown(url)}: no answer in time") from None
        except (httpx2.HTTPError, httpx2.InvalidURL, httpx2.StreamError) as error:
            raise SourceFault(f"{shown(url)}: {str(error)[:120] or type(error).__name__}") from None
        return bytes(body)

    async def _check(self, url: str) -> None:
        parts = urlsplit(url)
        try:
            host, port = parts.hostname, parts.port
        except ValueError:
            host, port = None, None
        if parts.scheme not in ("http", "https") or not host or parts.username:
            raise SourceFault(f"{shown(url)}: is no http(s) address")
        if self._allow_private:
            return
        loop = asyncio.get_running_loop()
        try:
            found = await loop.getaddrinfo(host, port or 443, type=socket.SOCK_STREAM)
        except OSError:
            raise SourceFault(f"{shown(url)}: the name does not resolve") from None
        if any(not ipaddress.ip_address(address[4][0]).is_global for address in found):
            raise SourceFault(f"{shown(url)}: is not a public address")

    async def close(self) -> None:
        """Lets connections go."""
        await self._client.aclose()


def shown(url: str) -> str:
    """An address as it may stand in messages."""
    return url.split("?", 1)[0][:200]


def parse_json(body: bytes, what: str) -> Any:
    """Raises SourceFault for a body that is no JSON."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        raise SourceFault(f"{what}: is not JSON") from None

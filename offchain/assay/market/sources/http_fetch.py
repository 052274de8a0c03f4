"""Requests to what strangers announce: a size limit, a time limit, no redirects, and no address inside our own
network. A name is resolved once, and the connection goes to the address that was looked at.
"""

from __future__ import annotations

import asyncio
import ipaddress
import json
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

import httpx2

from assay.chain.pinned_tls import pinned_context
from assay.market.errors import SourceFault

REQUEST_S = 10.0
MOST_BYTES = 64 << 20
Resolve = Callable[[str, int], Awaitable[Sequence[str]]]


class Fetch(Protocol):
    """Fetches a URL."""

    async def __call__(self, url: str, most_bytes: int = MOST_BYTES) -> bytes:
        """The body of a 200 answer. Raises SourceFault."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A request that somebody else made and that is passed on. `fingerprint` is the certificate that the registry
    names for the endpoint; all zero where it names none.
    """

    method: str
    url: str
    body: bytes
    headers: Mapping[str, str]
    fingerprint: bytes


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer whose body is still to be read."""

    status: int
    content_type: str
    pieces: AsyncIterator[bytes]


async def resolve(host: str, port: int) -> list[str]:
    """The addresses of a name. Raises OSError."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(address[4][0]) for address in found]


class HttpFetch:
    """A Fetch over the network. `allow_private` lets it reach loopback and private addresses, for local chains."""

    def __init__(
        self, allow_private: bool, resolve: Resolve = resolve, transport: httpx2.AsyncBaseTransport | None = None
    ) -> None:
        self._allow_private = allow_private
        self._resolve = resolve
        self._transport = transport
        # Endpoints come from the chain, where anyone may announce any: proxies and redirects would widen the reach.
        # What is fetched here proves itself by hash or signature, whoever serves it.
        self._client = self._new_client(verify=False)

    def _new_client(self, verify: Any) -> httpx2.AsyncClient:
        return httpx2.AsyncClient(
            timeout=REQUEST_S,
            follow_redirects=False,
            trust_env=False,
            verify=verify,
            transport=self._transport,
            limits=httpx2.Limits(max_connections=64, max_keepalive_connections=16),
        )

    async def __call__(self, url: str, most_bytes: int = MOST_BYTES) -> bytes:
        target, extras = await self._pinned(url)
        body = bytearray()
        with _faults(url):
            async with asyncio.timeout(REQUEST_S * 3), self._client.stream("GET", target, **extras) as response:
                if response.status_code != 200:
                    raise SourceFault(f"{shown(url)}: HTTP {response.status_code}")
                async for piece in response.aiter_bytes():
                    body += piece
                    if len(body) > most_bytes:
                        raise SourceFault(f"{shown(url)}: more than {most_bytes} bytes")
        return bytes(body)

    @asynccontextmanager
    async def passed_on(self, asked: Asked, most_bytes: int, most_seconds: float) -> AsyncIterator[Answer]:
        """The answer to a request, read while it comes. Raises SourceFault, also while the pieces are read."""
        target, extras = await self._pinned(asked.url)
        extras["headers"] = {**asked.headers, **extras["headers"]}
        pinned = any(asked.fingerprint)
        client = self._new_client(verify=pinned_context(asked.fingerprint) if pinned else True)

        async def pieces(response: httpx2.Response) -> AsyncIterator[bytes]:
            count = 0
            with _faults(asked.url):
                async for piece in response.aiter_bytes():
                    count += len(piece)
                    if count > most_bytes:
                        raise SourceFault(f"{shown(asked.url)}: more than {most_bytes} bytes")
                    yield piece

        async with client:
            with _faults(asked.url):
                request = client.build_request(asked.method, target, content=asked.body, timeout=most_seconds, **extras)
                response = await client.send(request, stream=True)
            try:
                kind = response.headers.get("content-type", "application/octet-stream")
                yield Answer(response.status_code, kind, pieces(response))
            finally:
                await response.aclose()

    async def _pinned(self, url: str) -> tuple[httpx2.URL, dict[str, Any]]:
        """The URL with an address in the name's place, and what the name is still needed for."""
        try:
            parsed = httpx2.URL(url)
            host, port = parsed.host, parsed.port or (443 if parsed.scheme == "https" else 80)
        except (httpx2.InvalidURL, ValueError):
            raise SourceFault(f"{shown(url)}: is no http(s) address") from None
        if parsed.scheme not in ("http", "https") or not host or parsed.userinfo:
            raise SourceFault(f"{shown(url)}: is no http(s) address")
        try:
            addresses = await self._resolve(host, port)
        except (OSError, UnicodeError):
            raise SourceFault(f"{shown(url)}: the name does not resolve") from None
        if not addresses:
            raise SourceFault(f"{shown(url)}: the name does not resolve")
        if not self._allow_private and not all(_is_public(address) for address in addresses):
            raise SourceFault(f"{shown(url)}: is not a public address")
        # Asked again, the name server could answer with another address than the one looked at here.
        extras: dict[str, Any] = {"headers": {"host": parsed.netloc.decode("ascii")}}
        if parsed.scheme == "https":
            extras["extensions"] = {"sni_hostname": host}
        return parsed.copy_with(host=addresses[0]), extras

    async def close(self) -> None:
        """Lets connections go."""
        await self._client.aclose()


def _is_public(address: str) -> bool:
    found = ipaddress.ip_address(address.split("%", 1)[0])
    inner = getattr(found, "ipv4_mapped", None) or getattr(found, "sixtofour", None)
    return found.is_global and not found.is_multicast and (inner is None or inner.is_global)


@contextmanager
def _faults(url: str) -> Iterator[None]:
    """Turns what can go wrong in a request into SourceFault."""
    try:
        yield
    except TimeoutError:
        raise SourceFault(f"{shown(url)}: no answer in time") from None
    except (httpx2.HTTPError, httpx2.InvalidURL, httpx2.StreamError) as error:
        raise SourceFault(f"{shown(url)}: {str(error)[:120] or type(error).__name__}") from None


def shown(url: str) -> str:
    """An address as it may stand in messages."""
    return url.split("?", 1)[0][:200]


def parse_json(body: bytes, what: str) -> Any:
    """Raises SourceFault for a body that is no JSON."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        raise SourceFault(f"{what}: is not JSON") from None

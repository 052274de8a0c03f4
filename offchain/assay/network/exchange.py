"""One request over HTTP and the beginning of its answer: connections, TLS, and the rule about addresses."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, Protocol

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.connector import Connection
from yarl import URL

from assay.network.addresses import Addresses
from assay.network.errors import NetworkError, RequestFailed, Silence
from assay.network.origins import Origin
from assay.network.pinned_tls import pinned_context

CONNECT_CONCURRENCY = 256  # more handshakes than a processor does in the time for connecting would all fail


@dataclass(frozen=True, slots=True)
class Request:
    """What is sent. `fingerprint` is H of the only certificate that is taken; zeros leave it to authorities, None takes
    any: for what proves itself by hash or signature. `own` is for an address that whoever runs us named. `sent` is
    called when the request leaves.
    """

    method: str
    origin: Origin
    path: str
    body: bytes | None
    headers: Mapping[str, str]
    fingerprint: bytes | None
    connect_s: float
    read_s: float
    sent: Callable[[], None]
    own: bool = False


class Response(Protocol):
    """An answer whose body is still to be read."""

    status: int
    content_type: str
    headers: Mapping[str, str]  # names in lower case

    def pieces(self) -> AsyncIterator[bytes]:
        """The body as it comes. Raises RequestFailed."""

    def close(self) -> None:
        """Gives the connection up where the body was not read to its end."""


class Exchange(Protocol):
    """Sends requests; in tests, without a network."""

    async def send(self, request: Request) -> Response:
        """The beginning of the answer. Raises NetworkError."""

    async def close(self) -> None:
        """Lets connections go."""


class HttpExchange:
    """Requests over sockets: no proxies of the environment, no redirects, no cookies, nothing decompressed."""

    def __init__(self, addresses: Addresses) -> None:
        self._addresses = {False: addresses, True: Addresses(True)}
        self._opened: dict[bool, aiohttp.ClientSession] = {}

    async def send(self, request: Request) -> Response:
        session = self.session(request.own)
        try:
            # Addresses in place of a name are not resolved, and so have to be looked at here.
            if _is_address(request.origin.host):
                await self._addresses[request.own].of(request.origin.host, request.origin.port)
            answer = await session.request(
                request.method,
                URL(request.origin.url + request.path, encoded=True),
                data=request.body,
                headers={"accept-encoding": "identity", **request.headers},
                allow_redirects=False,
                ssl=_authority(request.fingerprint) if request.origin.is_secure else True,
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=request.connect_s, sock_read=request.read_s),
                trace_request_ctx=request.sent,
            )
        except (aiohttp.ClientError, OSError, ValueError, NetworkError) as error:
            raise _failure(request.origin, error) from None
        return _Response(request.origin, answer)

    async def close(self) -> None:
        for session in self._opened.values():
            await session.close()

    def session(self, own: bool = False) -> aiohttp.ClientSession:
        """The connections to strangers, or to what whoever runs us named."""
        # Made where it is used first: a session belongs to a running loop.
        if own not in self._opened:
            trace = aiohttp.TraceConfig()
            trace.on_request_headers_sent.append(_tell)
            self._opened[own] = aiohttp.ClientSession(
                connector=_Connector(self._addresses[own]),
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                trust_env=False,
                trace_configs=[trace],
            )
        return self._opened[own]


class _Response:
    def __init__(self, origin: Origin, answer: aiohttp.ClientResponse) -> None:
        self._origin, self._answer = origin, answer
        self.status = answer.status
        self.content_type = answer.headers.get("content-type", "application/octet-stream")
        self.headers: Mapping[str, str] = {name.lower(): value for name, value in answer.headers.items()}

    async def pieces(self) -> AsyncIterator[bytes]:
        try:
            async for piece in self._answer.content.iter_any():
                yield piece
        except TimeoutError:
            raise Silence(f"{self._origin}: the answer stopped midway") from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise _failure(self._origin, error) from None

    def close(self) -> None:
        # One that was read to its end has gone back to the pool already.
        self._answer.close()


class _Resolver(AbstractResolver):
    """Names by our rule: the connection goes to the addresses that were looked at."""

    def __init__(self, addresses: Addresses) -> None:
        self._addresses = addresses

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        found = await self._addresses.of(host, port)
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=socket.AF_INET6 if ":" in address else socket.AF_INET,
                proto=0,
                flags=socket.AI_NUMERICHOST,
            )
            for address in found
        ]

    async def close(self) -> None:
        """Nothing is held."""


class _Connector(aiohttp.TCPConnector):
    """Connects to so many at once; the time that connecting may take counts from a connection's turn."""

    def __init__(self, addresses: Addresses) -> None:
        super().__init__(limit=0, resolver=_Resolver(addresses))
        self._slots = asyncio.Semaphore(CONNECT_CONCURRENCY)

    async def connect(self, *args: Any, **kwargs: Any) -> Connection:
        async with self._slots:
            return await super().connect(*args, **kwargs)


async def _tell(_session: aiohttp.ClientSession, context: SimpleNamespace, _parameters: object) -> None:
    context.trace_request_ctx()


def _authority(fingerprint: bytes | None) -> ssl.SSLContext | bool:
    if fingerprint is None:
        return False
    return pinned_context(fingerprint) if any(fingerprint) else True


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _failure(origin: Origin, error: Exception) -> NetworkError:
    if isinstance(error, NetworkError):
        return error
    if isinstance(error, TimeoutError) and not str(error):
        return RequestFailed(f"{origin}: no answer in time")
    return RequestFailed(f"{origin}: {str(error)[:300] or type(error).__name__}")

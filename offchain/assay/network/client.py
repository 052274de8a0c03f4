"""The client for everyone whom we do not trust: seats, devices, providers, markets.

Each request has a limit on its size, a deadline for the whole of it, and one for each silence in it. It goes to an
announced origin at an address that the rule allows, and takes the certificate announced with it. Nothing that comes
back is believed here.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Self

from assay.network.addresses import Addresses
from assay.network.backoff import Backoff, Failures
from assay.network.errors import NetworkError, RequestFailed
from assay.network.exchange import Exchange, HttpExchange, Request, Response
from assay.network.origins import Endpoint, Origin, parse_origin

CONNECT_S = 5.0
READ_S = 30.0  # the longest silence in an answer
_TARGET = re.compile(r"/[!-~]*", re.ASCII)


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """What a request came to."""

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Stream:
    """An answer whose body is read as it comes."""

    status: int
    content_type: str
    pieces: AsyncIterator[bytes]
    headers: Mapping[str, str] = field(default_factory=dict)


class Client:
    """Requests over an exchange. `backoff` spaces out those to a destination that does not answer."""

    def __init__(
        self,
        exchange: Exchange,
        *,
        connect_s: float = CONNECT_S,
        backoff: Backoff | None = None,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._exchange = exchange
        self._connect_s = connect_s
        self._failures = Failures(backoff or Backoff(0.0, 1.0, 0.0), now)

    @classmethod
    def over_network(cls, *, allow_private: bool, connect_s: float = CONNECT_S, backoff: Backoff | None = None) -> Self:
        """A client with sockets of its own. `allow_private` lets it reach loopback and private addresses."""
        return cls(HttpExchange(Addresses(allow_private)), connect_s=connect_s, backoff=backoff)

    async def request(
        self,
        method: str,
        endpoint: Endpoint,
        path: str,
        *,
        max_bytes: int,
        timeout_s: float,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        verified: bool = True,
        sent: Callable[[], None] = lambda: None,
    ) -> HttpAnswer:
        """The whole answer, within `timeout_s` from now and `most_bytes`. `verified` False takes any certificate: for
        what proves itself by hash or signature. Raises NetworkError."""
        origin = parse_origin(endpoint.url)
        pin = endpoint.tls_fingerprint if verified else None
        content = bytearray()
        try:
            async with asyncio.timeout(timeout_s):
                response = await self._send(method, origin, path, body, headers, pin, endpoint.own, timeout_s, sent)
                try:
                    async for piece in response.pieces():
                        content += piece
                        if len(content) > max_bytes:
                            raise RequestFailed(f"{origin}: the answer is longer than {max_bytes} bytes")
                finally:
                    response.close()
        except TimeoutError:
            raise RequestFailed(f"{origin}: no complete answer within {timeout_s:g} s") from None
        return HttpAnswer(response.status, bytes(content), response.headers)

    @asynccontextmanager
    async def stream(
        self,
        method: str,
        endpoint: Endpoint,
        path: str,
        *,
        max_bytes: int | None = None,
        timeout_s: float | None = None,
        read_s: float = READ_S,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> AsyncIterator[Stream]:
        """An answer as it comes: no silence longer than `read_s` seconds, and where a limit is given no more than
        `timeout_s` seconds of reading and `most_bytes`. Raises NetworkError, also while pieces are read."""
        origin = parse_origin(endpoint.url)
        ends = None if timeout_s is None else asyncio.get_running_loop().time() + timeout_s

        async def pieces(response: Response) -> AsyncIterator[bytes]:
            count, coming = 0, response.pieces()
            while True:
                try:
                    async with asyncio.timeout_at(ends):
                        piece = await anext(coming, None)
                except TimeoutError:
                    raise RequestFailed(f"{origin}: not finished within {timeout_s:g} s") from None
                if piece is None:
                    return
                count += len(piece)
                if max_bytes is not None and count > max_bytes:
                    raise RequestFailed(f"{origin}: the answer is longer than {max_bytes} bytes")
                yield piece

        try:
            async with asyncio.timeout(read_s):
                response = await self._send(
                    method, origin, path, body, headers, endpoint.tls_fingerprint, endpoint.own, read_s, lambda: None
                )
        except TimeoutError:
            raise RequestFailed(f"{origin}: no answer within {read_s:g} s") from None
        try:
            yield Stream(response.status, response.content_type, pieces(response), response.headers)
        finally:
            response.close()

    async def close(self) -> None:
        """Lets connections go."""
        await self._exchange.close()

    async def _send(
        self,
        method: str,
        origin: Origin,
        path: str,
        body: bytes | None,
        headers: Mapping[str, str] | None,
        pin: bytes | None,
        own: bool,
        read_s: float,
        sent: Callable[[], None],
    ) -> Response:
        if not _TARGET.fullmatch(path):
            raise RequestFailed(f"{origin}: {ascii(path)[:100]} is not a request path")
        destination = (origin, pin)
        if (wait := self._failures.wait(destination)) > 0:
            await asyncio.sleep(wait)
        given = dict(headers or {})
        if body is not None:
            given.setdefault("content-type", "application/json")
        connect_s = min(self._connect_s, read_s)
        request = Request(method, origin, path, body, given, pin, connect_s, read_s, sent, own)
        try:
            response = await self._exchange.send(request)
        except (NetworkError, asyncio.CancelledError):
            # Cancelled by its deadline, most likely: that is no answer either.
            self._failures.failed(destination)
            raise
        self._failures.answered(destination)
        return response

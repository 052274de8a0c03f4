"""Passes HTTP and WebSockets on to a port that a workload of a lease listens on."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterable
from http import HTTPStatus

import aiohttp
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response, StreamingResponse
from starlette.websockets import WebSocket, WebSocketDisconnect
from yarl import URL

from assay.provider.access.lease_ports import LeasePorts
from assay.provider.access.notebooks import base_path
from assay.provider.errors import ProviderError

CONNECT_S = 5.0
READ_S = 300.0  # the longest silence in an answer of a workload
HEARTBEAT_S = 30.0
PIECE = 1 << 16
MAX_MESSAGE = 64 << 20
# Of one connection, not of the message (RFC 9110, 7.6.1).
HOP_BY_HOP = frozenset({
    "connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "te", "trailer", "transfer-encoding",
    "upgrade", "proxy-connection",
})  # fmt: skip
# A worker for every page of this origin; the end of all that a browser holds for it.
REACHING_OUT = frozenset({b"service-worker-allowed", b"clear-site-data"})
HOP_BY_HOP_BYTES = frozenset(name.encode() for name in HOP_BY_HOP)
STARTING = "<!doctype html><meta http-equiv=refresh content=1><title>Starting</title><p>The notebook starts."


class ReverseProxy:
    """One client for each workload, made when it is first asked for."""

    def __init__(self, ports: LeasePorts) -> None:
        self._ports = ports
        self._clients: dict[tuple[int, str], aiohttp.ClientSession] = {}

    async def http(self, request: Request, lease_id: int, job_id: str, port: int, private: str) -> Response:
        """The workload's answer. Cookies whose names begin with `private`, and our own login, are not passed on."""
        try:
            client = await self._client(lease_id, job_id)
            answer = await client.request(
                request.method,
                _address("http", port, request),
                headers=_outgoing(request.headers.items(), private),
                data=await request.body() or None,
                allow_redirects=False,
            )
        except (aiohttp.ClientError, OSError, ProviderError):
            await self._forget(lease_id, job_id)
            return HTMLResponse(
                STARTING, HTTPStatus.SERVICE_UNAVAILABLE, {"retry-after": "1", "cache-control": "no-store"}
            )

        async def pieces() -> AsyncIterator[bytes]:
            async with answer:
                async for piece in answer.content.iter_chunked(PIECE):
                    yield piece

        response = StreamingResponse(pieces(), answer.status)
        response.raw_headers = coming_out(answer.raw_headers, base_path(lease_id).encode(), private.encode())
        return response

    async def websocket(self, browser: WebSocket, lease_id: int, job_id: str, port: int, private: str) -> None:
        """Joins a browser's WebSocket to one of the workload, until either side ends."""
        protocols = browser.scope.get("subprotocols", [])
        handshake = ("sec-websocket-", "content-length")
        headers = {n: v for n, v in _outgoing(browser.headers.items(), private) if not n.startswith(handshake)}
        try:
            client = await self._client(lease_id, job_id)
            inside = await client.ws_connect(
                _address("ws", port, browser),
                protocols=protocols,
                headers=headers,
                max_msg_size=MAX_MESSAGE,
                heartbeat=HEARTBEAT_S,
            )
        except (aiohttp.ClientError, OSError, ProviderError):
            await self._forget(lease_id, job_id)
            await browser.close(1013)
            return
        async with inside:
            await browser.accept(subprotocol=inside.protocol)
            ways = [asyncio.create_task(_in(browser, inside)), asyncio.create_task(_out(inside, browser))]
            try:
                await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for way in ways:
                    way.cancel()
                await asyncio.gather(*ways, return_exceptions=True)
        with contextlib.suppress(RuntimeError):  # it was the browser that went
            await browser.close(inside.close_code or 1000)

    async def _client(self, lease_id: int, job_id: str) -> aiohttp.ClientSession:
        known = (lease_id, job_id)
        if known not in self._clients:
            factory = await self._ports.factory(lease_id, job_id)
            self._clients[known] = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(socket_factory=lambda _: factory(), limit=64),
                auto_decompress=False,
                cookie_jar=aiohttp.DummyCookieJar(),
                skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding", "Content-Type"),
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_S, sock_read=READ_S),
            )
        return self._clients[known]

    async def _forget(self, lease_id: int, job_id: str) -> None:
        """The workload may be another one when it is asked for again."""
        client = self._clients.pop((lease_id, job_id), None)
        if client is not None:
            await client.close()

    async def close(self) -> None:
        """Closes every connection."""
        for lease_id, job_id in list(self._clients):
            await self._forget(lease_id, job_id)


def _address(scheme: str, port: int, request: Request | WebSocket) -> URL:
    path, query = request.scope["raw_path"].decode("ascii"), request.url.query
    return URL(f"{scheme}://127.0.0.1:{port}{path}{'?' + query if query else ''}", encoded=True)


def coming_out(headers: Iterable[tuple[bytes, bytes]], base: bytes, private: bytes) -> list[tuple[bytes, bytes]]:
    """A workload's headers as its browser gets them. All leases here share an origin: what would reach beyond `base`,
    where this one is shown, is cut down to it or left out.
    """
    kept = []
    for name, value in ((name.lower(), value) for name, value in headers):
        if name == b"set-cookie":
            value = _within(value, base, private)
        if value and name not in HOP_BY_HOP_BYTES and name not in REACHING_OUT:
            kept.append((name, value))
    return kept


def _within(cookie: bytes, base: bytes, private: bytes) -> bytes:
    """A cookie for paths below `base` only; empty for one that takes the name of ours."""
    pair, *attributes = [part.strip() for part in cookie.split(b";")]
    if pair.lower().startswith((private.lower(), b"__host-")) or b"=" not in pair:
        return b""
    path, kept = base, []
    for attribute in attributes:
        name, _, value = attribute.partition(b"=")
        if name.strip().lower() == b"path" and value.strip().startswith(base) and b".." not in value:
            path = value.strip()
        elif name.strip().lower() not in (b"path", b"domain"):
            kept.append(attribute)
    return b"; ".join([pair, *kept, b"Path=" + path])


def _outgoing(headers: Iterable[tuple[str, str]], private: str) -> list[tuple[str, str]]:
    """Headers as they go in: Host and Origin as the browser sent them, so that both still agree."""
    kept = []
    for name, value in headers:
        if name == "cookie":
            value = "; ".join(c for c in value.split("; ") if not c.strip().startswith(private))
        if name not in HOP_BY_HOP and name not in ("authorization", "content-length") and value:
            kept.append((name, value))
    return kept


async def _in(browser: WebSocket, inside: aiohttp.ClientWebSocketResponse) -> None:
    with contextlib.suppress(WebSocketDisconnect):
        while True:
            message = await browser.receive()
            if message["type"] == "websocket.disconnect":
                return
            if (text := message.get("text")) is not None:
                await inside.send_str(text)
            else:
                await inside.send_bytes(message["bytes"])


async def _out(inside: aiohttp.ClientWebSocketResponse, browser: WebSocket) -> None:
    async for message in inside:
        if message.type is aiohttp.WSMsgType.TEXT:
            await browser.send_text(message.data)
        elif message.type is aiohttp.WSMsgType.BINARY:
            await browser.send_bytes(message.data)

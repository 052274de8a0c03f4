"""The server side of every daemon: a socket, uvicorn under our own signals, and an end that is waited for."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import AsyncIterator, Iterator
from typing import Any

import h11
import structlog
import uvicorn
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from assay.network.connections import ConnectionLimits, Listener
from assay.network.errors import ListenFailed

SHUTDOWN_S = 3
BACKLOG = 2_048
KEEP_ALIVE_S = 30
HEADERS_S = 10.0  # in which a request's line and headers must be there
log = structlog.get_logger()


class Server(uvicorn.Server):
    """uvicorn over sockets that are handed in, and without its signal handlers: the process decides when to stop."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """As uvicorn's, with a limit of time for the TLS handshake too."""
        await self.lifespan.startup()
        loop, config = asyncio.get_running_loop(), self.config
        protocol: Any = config.http_protocol_class

        def connected() -> asyncio.Protocol:
            made: asyncio.Protocol = protocol(config, self.server_state, self.lifespan.state)
            return made

        self.servers = [
            await loop.create_server(
                connected,
                sock=listening,
                ssl=config.ssl,
                backlog=config.backlog,
                ssl_handshake_timeout=None if config.ssl is None else protocol.headers_s,
            )
            for listening in sockets or []
        ]
        self.started = True


class HurriedProtocol(H11Protocol):
    """HTTP/1.1 that closes a connection whose request has not begun within `headers_s` seconds: whoever sends half of
    one holds a descriptor for that long, and no longer.
    """

    headers_s = HEADERS_S
    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._hurry()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if (
            self.transport.is_closing()
            or self.transport.get_protocol() is not self
            or (self.cycle is not None and not self.cycle.response_complete)
        ):
            self._rest()
        elif self.cycle is not None and self.conn.their_state is h11.IDLE and not self.conn.trailing_data[0]:
            # Between two requests: what came was the rest of a body that nobody wanted.
            self._rest()
            if self.timeout_keep_alive_task is None:
                later = self.loop.call_later(self.timeout_keep_alive, self.timeout_keep_alive_handler)
                self.timeout_keep_alive_task = later
        else:
            self._hurry()

    def connection_lost(self, exc: Exception | None) -> None:
        self._rest()
        super().connection_lost(exc)

    def _hurry(self) -> None:
        if self._deadline is None:
            self._deadline = self.loop.call_later(self.headers_s, self._too_late)

    def _rest(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _too_late(self) -> None:
        # Nothing is owed to whoever has asked for nothing.
        self.transport.abort()


class BrokenOff:
    """No error of ours, and no traceback: who hangs up in mid-body is owed nothing, and requests that outlast
    `SHUTDOWN_S` are cancelled. Whoever waits hears that this daemon stops; an answer that has begun is cut off, lest
    half of it look whole."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Raises what the application raises but for these two."""
        begun = False

        async def noted(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self._app(scope, receive, noted)
        except ClientDisconnect:
            log.info("the client disconnected midway", path=scope.get("path"))
        except asyncio.CancelledError:
            log.info("a request was cut off at shutdown", path=scope.get("path"))
            if not begun and scope["type"] == "http":
                stopping = JSONResponse({"error": "this daemon stops"}, 503, {"connection": "close"})
                await stopping(scope, receive, send)


def listening_socket(host: str, port: int, limits: ConnectionLimits | None = None) -> socket.socket:
    """A bound socket, whose connections are limited to what the process can bear where nothing else is said. Raises
    ListenFailed where the address is taken or is not this machine's."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = Listener(family, limits or ConnectionLimits.of_process())
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
        listening.listen(BACKLOG)
    except OSError as error:
        listening.close()
        reason = error.strerror or str(error)
        raise ListenFailed(f"cannot listen on {host}:{port}: {reason}; choose another with --port") from None
    return listening


def server(app: ASGIApp, tls: ssl.SSLContext | None = None, headers_s: float = HEADERS_S) -> Server:
    """A server for the application; `serve(sockets=[...])` runs it until `should_exit` is set."""
    config = uvicorn.Config(
        BrokenOff(app),
        http=type("_Protocol", (HurriedProtocol,), {"headers_s": headers_s}),
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=SHUTDOWN_S,
        lifespan="off",
    )
    config.load()
    config.ssl = tls
    return Server(config)


@contextlib.asynccontextmanager
async def serving(web: Server, listening: socket.socket) -> AsyncIterator[asyncio.Task[None]]:
    """Serves for the time of a `with` block, and ends answering what it is at before the block is left."""
    task = asyncio.create_task(web.serve(sockets=[listening]))
    try:
        yield task
    finally:
        web.should_exit = True
        await asyncio.gather(task, return_exceptions=True)

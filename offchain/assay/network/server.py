"""The server side of every daemon: a socket, uvicorn under our own signals, and an end that is waited for."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import AsyncIterator, Iterator

import uvicorn
from starlette.types import ASGIApp

from assay.network.errors import ListenFailed

SHUTDOWN_S = 3
BACKLOG = 2_048
KEEP_ALIVE_S = 30
MAX_CONNECTIONS = 20_000  # every seat holds one open for each device


class Server(uvicorn.Server):
    """uvicorn without its signal handlers: the process decides when to stop."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def listening_socket(host: str, port: int) -> socket.socket:
    """A bound socket. Raises ListenFailed where the address is taken or is not this machine's."""
    listening = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
        listening.listen(BACKLOG)
    except OSError as error:
        listening.close()
        reason = error.strerror or str(error)
        raise ListenFailed(f"cannot listen on {host}:{port}: {reason}; choose another with --port") from None
    return listening


def server(app: ASGIApp, tls: ssl.SSLContext | None = None) -> Server:
    """A server for the application; `serve(sockets=[...])` runs it until `should_exit` is set."""
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE_S,
        limit_concurrency=MAX_CONNECTIONS,
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

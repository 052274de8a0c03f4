"""Serves the application until told to stop."""

from __future__ import annotations

import contextlib
import socket
import ssl
from collections.abc import Iterator

import uvicorn
from starlette.types import ASGIApp

from assay.provider.errors import ProviderError

SHUTDOWN_S = 3
BACKLOG = 1024
MOST_CONNECTIONS = 20_000  # every seat holds one open for each device


class Server(uvicorn.Server):
    """uvicorn without its signal handlers: the process decides when to stop."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def listening_socket(host: str, port: int) -> socket.socket:
    """A bound socket. Raises ProviderError where the address is taken or is not this machine's."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
    except OSError as error:
        listening.close()
        raise ProviderError(f"cannot listen on {host}:{port}: {error.strerror}; choose another with --port") from error
    listening.listen(BACKLOG)
    return listening


def server(app: ASGIApp, tls: ssl.SSLContext | None = None) -> Server:
    """A server for the application; `serve(sockets=[...])` runs it until `should_exit` is set."""
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_keep_alive=30,
        limit_concurrency=MOST_CONNECTIONS,
        timeout_graceful_shutdown=SHUTDOWN_S,
        lifespan="off",
    )
    config.load()
    config.ssl = tls
    return Server(config)

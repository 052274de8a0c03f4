"""A port of this machine that leads to a provider, over TLS with the pinned certificate: for browsers, which know
neither the certificate nor the registry."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from assay.network.addresses import Addresses
from assay.network.client import CONNECT_S
from assay.network.errors import BadOrigin, NetworkError
from assay.network.origins import Endpoint, Origin, parse_origin
from assay.network.pinned_tls import pinned_context
from assay.renter.errors import BadInput

PIECE = 1 << 16
HOST = "127.0.0.1"
KEEP_ALIVE_S = 30


@asynccontextmanager
async def local_proxy(endpoint: Endpoint, addresses: Addresses, port: int = 0) -> AsyncIterator[str]:
    """The address, http://127.0.0.1:PORT, for the time of a `with` block; port 0 takes a free one.

    Bytes are passed on as they come, so that Host and Origin stay what the browser sent. Raises BadInput for a port
    that is in use and for an endpoint that is none.
    """
    try:
        origin = parse_origin(endpoint.url)
    except BadOrigin as error:
        raise BadInput(str(error)) from None
    tls = _context(origin, endpoint.tls_fingerprint)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(CONNECT_S):
                address = (await addresses.of(origin.host, origin.port))[0]
                name = origin.host if tls else None
                far = await asyncio.open_connection(address, origin.port, ssl=tls, server_hostname=name)
        except (OSError, NetworkError):
            writer.close()
            return
        for one in (writer, far[1]):
            _keep_alive(one)
        await asyncio.gather(_pump(reader, far[1]), _pump(far[0], writer))

    try:
        server = await asyncio.start_server(serve, HOST, port)
    except OSError as error:
        raise BadInput(f"cannot listen on {HOST}:{port} ({error.strerror}): name another with --port") from None
    try:
        yield f"http://{HOST}:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()


def _keep_alive(writer: asyncio.StreamWriter) -> None:
    """Has the system ask whether the other side is still there: a proxy in between may have forgotten both of us."""
    connection = writer.get_extra_info("socket")
    if connection is not None and hasattr(socket, "TCP_KEEPIDLE"):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, KEEP_ALIVE_S)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, KEEP_ALIVE_S)


def _context(origin: Origin, fingerprint: bytes) -> ssl.SSLContext | None:
    if not origin.is_secure:
        return None
    return pinned_context(fingerprint) if any(fingerprint) else ssl.create_default_context()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Passes on until either side is gone."""
    with suppress(OSError, ssl.SSLError):
        while piece := await reader.read(PIECE):
            writer.write(piece)
            await writer.drain()
    with suppress(OSError, ssl.SSLError):
        writer.close()

"""A port of this machine that leads to a provider, over TLS with the pinned certificate: for browsers, which know
neither the certificate nor the registry."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from urllib.parse import urlsplit

from assay.chain.pinned_tls import pinned_context
from assay.renter.errors import BadInput

PIECE = 1 << 16
HOST = "127.0.0.1"
PORTS = {"http": 80, "https": 443}


@asynccontextmanager
async def local_proxy(endpoint: str, fingerprint: bytes, port: int = 0) -> AsyncIterator[str]:
    """The address, http://127.0.0.1:PORT, for the time of a `with` block; port 0 takes a free one.

    Bytes are passed on as they come, so that Host and Origin stay what the browser sent. Raises BadInput for a port
    that is in use.
    """
    parts = urlsplit(endpoint)
    host, target = parts.hostname or "", parts.port or PORTS.get(parts.scheme, 0)
    tls = _context(parts.scheme, fingerprint)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            far_reader, far_writer = await asyncio.open_connection(host, target, ssl=tls)
        except OSError:
            writer.close()
            return
        await asyncio.gather(_pump(reader, far_writer), _pump(far_reader, writer))

    try:
        server = await asyncio.start_server(serve, HOST, port)
    except OSError as error:
        raise BadInput(f"cannot listen on {HOST}:{port} ({error.strerror}): name another with --port") from None
    try:
        yield f"http://{HOST}:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()


def _context(scheme: str, fingerprint: bytes) -> ssl.SSLContext | None:
    if scheme != "https":
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

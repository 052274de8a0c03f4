"""What tests of images stand on: wires that break, and `Images` over a registry and an engine."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import cache
from pathlib import Path

import docker

from assay.network.addresses import Addresses
from assay.network.client import Client
from assay.network.exchange import HttpExchange
from assay.provider.database import open_database
from assay.provider.images.cache import ImageUses
from assay.provider.images.engine_images import EngineImages
from assay.provider.images.images import Images
from assay.provider.images.policy import ImagePolicy
from assay.provider.images.registry import RegistryLogin
from assay.provider.images.unfinished import PullBook

from .image_registry import PASSWORD, USER, ImageRegistry
from .podman import IMAGE

LOGIN = RegistryLogin(USER, PASSWORD)


@contextlib.contextmanager
def engine_client(store: str) -> Iterator[docker.DockerClient]:
    client = docker.DockerClient(base_url=store)
    try:
        yield client
    finally:
        client.close()


@cache
def held_by(engine: str) -> EngineImages:
    return EngineImages(engine)


@asynccontextmanager
async def cut_off(
    registry: ImageRegistry, after: int, most: int | None = None, stalls: bool = False
) -> AsyncIterator[ImageRegistry]:
    """The registry behind a wire that breaks, or `stalls`, after so many bytes of each connection; after `most` breaks
    nothing at all comes over it any more."""
    port, breaks = int(registry.authority.rpartition(":")[2]), 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal breaks
        if most is not None and breaks >= most:
            writer.transport.abort()
            return
        upstream, sending = await asyncio.open_connection("127.0.0.1", port)

        async def ask() -> None:
            while piece := await reader.read(1 << 16):
                sending.write(piece)

        asking = asyncio.create_task(ask())
        left = after
        with contextlib.suppress(ConnectionError):
            while left > 0 and (piece := await upstream.read(min(left, 1 << 16))):
                left -= len(piece)
                writer.write(piece)
                await writer.drain()
        breaks += left <= 0
        if stalls and left <= 0:
            await asyncio.Event().wait()
        asking.cancel()
        sending.close()
        writer.close()

    async def kept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        serving = asyncio.current_task()
        assert serving is not None
        connections.add(serving)
        await serve(reader, writer)

    connections: set[asyncio.Task[None]] = set()
    server = await asyncio.start_server(kept, "127.0.0.1", 0)
    async with server:
        yield replace(registry, origin=f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
        for connection in connections:
            connection.cancel()


@asynccontextmanager
async def images_of(
    engine: str, registry: ImageRegistry, folder: Path, max_bytes: int = 1 << 30, reserve: int = 1 << 20
) -> AsyncIterator[Images]:
    client = Client(HttpExchange(Addresses(allow_private=False)))
    database = open_database(folder / "provider.sqlite")
    uses = ImageUses(database, clock=Counter())
    policy = ImagePolicy(default=IMAGE, private=(registry.origin,))
    try:
        yield Images(held_by(engine), client, policy, uses, PullBook(database), max_bytes, reserve=reserve)
    finally:
        await client.close()


class Counter:
    """A clock that goes on by a second each time."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        self.now += 1
        return self.now

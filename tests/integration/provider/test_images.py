"""Images from a real registry into a real engine: podman, and Debian's docker-registry with a login."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import docker
import pytest

from assay.network.addresses import Addresses
from assay.network.client import Client
from assay.network.exchange import HttpExchange
from assay.provider.database import open_database
from assay.provider.errors import ImageRefused, Unavailable
from assay.provider.images.cache import ImageUses
from assay.provider.images.engine_images import EngineImages
from assay.provider.images.images import Images
from assay.provider.images.policy import CACHE_NAME, ImagePolicy
from assay.provider.images.pull_server import PullProgress
from assay.provider.images.registry import RegistryLogin

from .image_registry import PASSWORD, USER, ImageRegistry, busybox, image_registry, layer, registry_missing
from .podman import IMAGE

LOGIN = RegistryLogin(USER, PASSWORD)


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ImageRegistry]:
    if reason := registry_missing():
        pytest.skip(reason)
    with image_registry(tmp_path_factory.mktemp("registry")) as served:
        yield served


@asynccontextmanager
async def images_of(
    engine: str, registry: ImageRegistry, folder: Path, max_bytes: int = 1 << 30, reserve: int = 1 << 20
) -> AsyncIterator[Images]:
    client = Client(HttpExchange(Addresses(allow_private=False)))
    uses = ImageUses(open_database(folder / "provider.sqlite"), clock=Counter())
    policy = ImagePolicy(default=IMAGE, private=(registry.origin,))
    try:
        yield Images(EngineImages(engine), client, policy, uses, max_bytes, reserve=reserve)
    finally:
        await client.close()


class Counter:
    """A clock that goes on by a second each time."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        self.now += 1
        return self.now


async def test_obtain__private_image_with_its_login__runs_and_is_known_by_its_content(
    engine: str, registry: ImageRegistry, tmp_path: Path
) -> None:
    made = registry.publish("team/first", "1", [busybox(), layer({"hello": b"there"})], index=True)
    progress = PullProgress()
    async with images_of(engine, registry, tmp_path) as images:
        got = await images.obtain(made.name, LOGIN, made.digest, progress)
    assert (progress.layers, progress.layers_done) == (2, 2)
    assert progress.bytes == progress.total_bytes > 100_000
    client = docker.DockerClient(base_url=engine)
    output = client.containers.run(got.image_id, ["/bin/sh", "-c", "busybox cat /hello"], remove=True, network_mode="none")
    assert output == b"there"
    names = [tag for one in client.images.list() for tag in one.tags]
    assert [name for name in names if name.startswith("127.0.0.1")] == []
    assert f"{CACHE_NAME}:{got.image_id.removeprefix('sha256:')}" in names
    client.close()

"""Pulls that break off, in every way: nothing of them stays, and the next one is had."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from assay.provider.errors import ImageRefused, Unavailable
from assay.provider.images.images import Images
from assay.provider.images.pull_server import PullProgress
from tests.integration.provider.conftest import until
from tests.integration.provider.image_bench import LOGIN, cut_off, engine_client, held_by, images_of
from tests.integration.provider.image_registry import PASSWORD, USER, ImageRegistry, Published, busybox, layer
from tests.integration.provider.podman import PodmanService

MIB = 1 << 20
PULLER = """
import asyncio, sys, time
from pathlib import Path
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

async def pull(engine, origin, folder, name, user, password):
    database = open_database(Path(folder) / "provider.sqlite")
    client = Client(HttpExchange(Addresses(allow_private=False)))
    policy = ImagePolicy(private=(origin,))
    images = Images(
        EngineImages(engine), client, policy, ImageUses(database, time.time), PullBook(database), 1 << 30, reserve=1
    )
    await images.obtain(name, RegistryLogin(user, password))

asyncio.run(pull(*sys.argv[1:]))
"""


def stays_on_the_way(registry: ImageRegistry, tag: str) -> Published:
    """An image whose first layers come and are unpacked to 60 MiB, and whose last stalls."""
    zeros = [layer({f"zeros{number}": bytes(20 * MIB)}) for number in range(3)]
    return registry.publish("team/half", tag, [busybox(), *zeros, layer({"x": os.urandom(3 * MIB)})])


async def until_true(condition: Callable[[], bool]) -> None:
    await asyncio.to_thread(until, condition)


async def freed(store: str, free: int) -> None:
    """Once all that was taken since is free again, and the engine has no image that nobody knows."""

    def nothing_left() -> bool:
        names = [name for held in held_by(store).all() for name in held.names]
        return held_by(store).free_bytes() > free - 4 * MIB and not any(one.startswith("127.0.0.1") for one in names)

    await until_true(nothing_left)


@asynccontextmanager
async def half_way(
    store: str, registry: ImageRegistry, folder: Path
) -> AsyncIterator[tuple[Images, asyncio.Task[object], int]]:
    """A pull that has got stuck when most was unpacked, and the room that there was before."""
    made = stays_on_the_way(registry, "1")
    async with cut_off(registry, 2 * MIB, stalls=True) as stuck, images_of(store, stuck, folder) as images:
        free = held_by(store).free_bytes()
        pull = asyncio.create_task(images.obtain(made.name.replace(registry.authority, stuck.authority), LOGIN))
        await until_true(lambda: held_by(store).free_bytes() < free - 55 * MIB)
        yield images, pull, free


@pytest.mark.deep
async def test_obtain__far_larger_unpacked_than_it_travels__is_broken_off_before_the_disk_is_full(
    small_store: str, registry: ImageRegistry, tmp_path: Path
) -> None:
    bombs = [layer({f"zeros{number}": bytes(60 * MIB)}) for number in range(4)]
    assert sum(map(len, bombs)) < 2 * MIB
    made = registry.publish("team/bomb", "1", bombs)
    least = free = held_by(small_store).free_bytes()

    async with images_of(small_store, registry, tmp_path, reserve=100 * MIB) as images:
        coming = asyncio.create_task(images.obtain(made.name, LOGIN))
        while not coming.done():
            await asyncio.sleep(0.05)
            least = min(least, held_by(small_store).free_bytes())
        with pytest.raises(ImageRefused, match="larger unpacked than this provider's disk has room for"):
            await coming
        assert least < free - 50 * MIB, "the pull ended for another reason"
        await freed(small_store, free)
        small = registry.publish("team/small", "1", [busybox()])
        assert (await images.obtain(small.name, LOGIN)).image_id


@pytest.mark.deep
async def test_obtain__the_disk_fills_while_it_is_unpacked__says_so_and_leaves_the_room(
    small_store: str, registry: ImageRegistry, tmp_path: Path
) -> None:
    made = registry.publish("team/brim", "1", [layer({f"zeros{number}": bytes(60 * MIB)}) for number in range(4)])
    free = held_by(small_store).free_bytes()
    async with images_of(small_store, registry, tmp_path, reserve=0) as images:
        with pytest.raises(ImageRefused, match="no space left on device"):
            await images.obtain(made.name, LOGIN)
    await freed(small_store, free)


@pytest.mark.deep
async def test_obtain__nobody_waits_any_more__leaves_the_room_and_what_others_stand_on(
    small_store: str, registry: ImageRegistry, tmp_path: Path
) -> None:
    below = registry.publish("team/below", "1", [busybox()])
    async with images_of(small_store, registry, tmp_path) as images:
        base = await images.obtain(below.name, LOGIN)
    async with half_way(small_store, registry, tmp_path) as (images, pull, free):
        began = time.monotonic()
        pull.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await pull
        await freed(small_store, free)
        assert time.monotonic() - began < 15, "it waited for a registry that says nothing"
        await images.tidy()
    with engine_client(small_store) as client:
        command = ["/bin/sh", "-c", "busybox echo stands"]
        assert client.containers.run(base.image_id, command, remove=True, network_mode="none") == b"stands\n"
    # Its layers are asked for again, and it is had in the end.
    async with images_of(small_store, registry, tmp_path) as images:
        assert (await images.obtain(f"{registry.authority}/team/half:1", LOGIN)).image_id


@pytest.mark.deep
async def test_obtain__the_engine_is_killed__says_so_and_leaves_the_room_once_it_is_back(
    small_store: str, registry: ImageRegistry, tmp_path: Path
) -> None:
    engine = PodmanService.of[small_store]
    async with half_way(small_store, registry, tmp_path) as (images, pull, free):
        await asyncio.to_thread(engine.kill)
        with pytest.raises(Unavailable, match="engine does not answer"):
            await pull
        assert held_by(small_store).free_bytes() < free - 50 * MIB
        await asyncio.to_thread(engine.start)
        await images.tidy()
        await freed(small_store, free)


@pytest.mark.deep
async def test_tidy__this_daemon_was_killed__frees_what_its_pull_has_left(
    small_store: str, registry: ImageRegistry, tmp_path: Path
) -> None:
    made = stays_on_the_way(registry, "2")
    free = held_by(small_store).free_bytes()
    async with cut_off(registry, 2 * MIB, stalls=True) as stuck:
        name = made.name.replace(registry.authority, stuck.authority)
        puller = await asyncio.create_subprocess_exec(
            sys.executable, "-c", PULLER, small_store, stuck.origin, str(tmp_path), name, USER, PASSWORD
        )
        try:
            await until_true(lambda: held_by(small_store).free_bytes() < free - 55 * MIB)
        finally:
            puller.kill()
            await puller.wait()
    assert held_by(small_store).free_bytes() < free - 50 * MIB
    async with images_of(small_store, registry, tmp_path) as images:
        await images.tidy()
        await freed(small_store, free)
        assert (await images.obtain(made.name, LOGIN, progress=(progress := PullProgress()))).image_id
    assert progress.layers_done == 5, "layers of a pull that had ended were still there"


@pytest.mark.deep
async def test_obtain__registry_that_never_gives_it_whole__is_told_and_can_be_tried_again(
    store: str, registry: ImageRegistry, tmp_path: Path
) -> None:
    made = registry.publish("team/broken", "1", [layer({"x": os.urandom(3 << 20)})])
    async with cut_off(registry, 1 << 20, most=2) as flaky, images_of(store, flaky, tmp_path) as images:
        with pytest.raises(Unavailable, match=r"broke off|ends it after"):
            await images.obtain(made.name.replace(registry.authority, flaky.authority), LOGIN)
    async with images_of(store, registry, tmp_path) as images:
        assert (await images.obtain(made.name, LOGIN)).image_id

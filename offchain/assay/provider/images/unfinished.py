"""Frees what pulls leave at the engine that did not come to their end: broken off, cancelled, or cut short by a restart
of the engine or of this daemon.

Layers that were unpacked before a pull ended stay in Podman's store, belong to no image, and its API shows them to
nobody. So the engine is given an image of just these layers, which it has and does not fetch, and is told to remove it.
"""

from __future__ import annotations

import asyncio
import json
import secrets
from dataclasses import dataclass

import structlog
from sqlalchemy import Engine, delete, select
from sqlalchemy.dialects.sqlite import insert

from assay.provider.database import pulls
from assay.provider.errors import ProviderError, Unavailable
from assay.provider.images.engine_images import EngineImages, PullCall
from assay.provider.images.manifests import ImageManifest, digest_of, parse_manifest
from assay.provider.images.pull_server import PullProgress, PullServer

MAX_ROUNDS = 8
log = structlog.get_logger()


@dataclass(frozen=True)
class UnfinishedPull:
    """A pull that was begun: `name` is what the engine knows it by, `manifest` and `config` are the image's own."""

    name: str
    manifest: bytes
    config: bytes

    @classmethod
    def of(cls, manifest: ImageManifest, config: bytes) -> UnfinishedPull:
        """One that begins. Its name is known to the engine alone: others on this machine find nothing under it."""
        return cls(secrets.token_hex(16), manifest.body, config)


class PullBook:
    """The pulls that were begun and whose end is not known: kept over restarts."""

    def __init__(self, database: Engine) -> None:
        self._database = database

    def begin(self, pull: UnfinishedPull) -> None:
        """A pull begins."""
        values = {"name": pull.name, "manifest": pull.manifest, "config": pull.config}
        with self._database.begin() as connection:
            connection.execute(insert(pulls).values(values))

    def end(self, pull: UnfinishedPull) -> None:
        """It left an image, or nothing."""
        with self._database.begin() as connection:
            connection.execute(delete(pulls).where(pulls.c.name == pull.name))

    def unfinished(self) -> list[UnfinishedPull]:
        """Those that were begun."""
        with self._database.connect() as connection:
            rows = connection.execute(select(pulls.c.name, pulls.c.manifest, pulls.c.config)).all()
        return [UnfinishedPull(row.name, row.manifest, row.config) for row in rows]


async def free_layers(engine: EngineImages, pull: UnfinishedPull) -> None:
    """Removes what a pull has left at the engine. Layers that other images use stay. Not while another pull is under
    way, which may build on them. Raises Unavailable where the engine does not do it."""
    await asyncio.to_thread(_remove_named, engine, pull)
    left: int | None = None
    for _ in range(MAX_ROUNDS):
        # Again until it stays the same: a layer that was being unpacked may have come meanwhile.
        before, left = left, await _claim(engine, pull)
        await asyncio.to_thread(_remove_named, engine, pull)
        if left in (0, before):
            return
    raise Unavailable("the engine goes on unpacking a pull that has ended")


async def _claim(engine: EngineImages, pull: UnfinishedPull) -> int:
    """Has the engine make images of an image's first layers, as many as it has; how many those are."""
    count = len(parse_manifest(pull.manifest, pull.name).layers)
    low, high, probe = 0, count, 1  # most often there is none
    while low < high:
        if await _makes(engine, pull, probe):
            low = probe
        else:
            high = probe - 1
        probe = (low + high + 1) // 2
    return low


async def _makes(engine: EngineImages, pull: UnfinishedPull, layers: int) -> bool:
    manifest, config = beginning_of(pull, layers)
    async with PullServer(None, manifest, config, PullProgress(), pull.name) as server:
        try:
            await asyncio.to_thread(engine.pull, server.reference, PullCall())
        except ProviderError:
            if server.lacks_layer:
                return False
            raise
    return True


def beginning_of(pull: UnfinishedPull, layers: int) -> tuple[ImageManifest, bytes]:
    """The image that an image's first layers are by themselves: its manifest and configuration."""
    config = json.loads(pull.config)
    kept = {name: config[name] for name in ("architecture", "os", "variant") if name in config}
    differences = config["rootfs"]["diff_ids"][:layers]
    made = json.dumps({**kept, "config": {}, "rootfs": {"type": "layers", "diff_ids": differences}}).encode()
    whole = json.loads(pull.manifest)
    described = {**whole["config"], "digest": digest_of(made), "size": len(made)}
    beginning = {
        name: value for name, value in whole.items() if name in ("schemaVersion", "mediaType")
    } | {"config": described, "layers": whole["layers"][:layers]}  # fmt: skip
    return parse_manifest(json.dumps(beginning).encode(), pull.name), made


def _remove_named(engine: EngineImages, pull: UnfinishedPull) -> None:
    """Removes the images that the engine made for a pull and that were given no other name."""
    for held in engine.all():
        for name in held.names:
            if f"/{pull.name}:" in name:
                engine.remove_name(name)

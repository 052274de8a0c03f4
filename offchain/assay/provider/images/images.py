"""Looks at images, fetches them, and keeps the cache within its bounds."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import structlog
from sqlalchemy.exc import SQLAlchemyError

from assay.network.client import Client
from assay.provider.errors import ImageRefused, ProviderError, Unavailable
from assay.provider.images.cache import UNPACKED, ImageRoom, ImageUses, to_remove
from assay.provider.images.engine_images import EngineImages, HeldImage, PullCall
from assay.provider.images.manifests import (
    INDEXES,
    ImageManifest,
    ImageTraits,
    digest_of,
    own_architecture,
    parse_manifest,
    parse_traits,
    platform_digest,
)
from assay.provider.images.policy import CACHE_NAME, ImagePolicy
from assay.provider.images.pull_server import PullProgress, PullServer
from assay.provider.images.references import ImageReference
from assay.provider.images.registry import RegistryLogin, RegistrySession
from assay.provider.images.unfinished import PullBook, UnfinishedPull, free_layers
from assay.provider.pods.pod import PodImage

PULL_CONCURRENCY = 2
CHECK_CONCURRENCY = 8
CHECK_S = 60.0
WATCH_S = 0.25
RESERVE = 1 << 30
GIB = 1 << 30
_INDEX = re.compile(rb'"mediaType"\s*:\s*"([^"]{1,200})"')
log = structlog.get_logger()


@dataclass(frozen=True)
class SeenImage:
    """An image as its registry describes it; `digest` is what a renter pins to have this again. An image that the
    engine has by itself has no manifest."""

    reference: ImageReference
    digest: str | None
    manifest: ImageManifest | None
    config: bytes
    traits: ImageTraits | None
    session: RegistrySession | None
    public: bool

    @property
    def bytes(self) -> int:
        """What is to be fetched, packed."""
        return self.manifest.total_bytes if self.manifest else 0

    @property
    def notes(self) -> tuple[str, ...]:
        """What of it a pod does otherwise."""
        return self.traits.notes if self.traits else ()


class Images:
    """`in_use` are ids that no pod has been made of yet, but will. `max_bytes` bounds all that was pulled."""

    def __init__(
        self,
        engine: EngineImages,
        client: Client,
        policy: ImagePolicy,
        uses: ImageUses,
        book: PullBook,
        max_bytes: int,
        in_use: Callable[[], Collection[str]] = tuple,
        reserve: int = RESERVE,
    ) -> None:
        self._engine = engine
        self._client = client
        self._policy = policy
        self._uses = uses
        self._book = book
        self._max_bytes = max_bytes
        self._in_use = in_use
        self._reserve = reserve
        self._pulls = asyncio.Semaphore(PULL_CONCURRENCY)
        self._checks = asyncio.Semaphore(CHECK_CONCURRENCY)
        self._making_room = asyncio.Lock()
        self._coming: dict[str, int] = {}  # ids of images that are being pulled -> bytes that they will take
        self._turns: dict[str, asyncio.Lock] = {}
        self._used: Counter[str] = Counter()
        self._tidying: set[asyncio.Task[None]] = set()

    async def check(
        self, image: str | None, login: RegistryLogin | None = None, digest: str | None = None
    ) -> SeenImage:
        """Looks at an image without fetching it: whether it is there, may be had, is for this machine, and fits. None
        is the provider's own choice. Raises ImageRefused, Unavailable."""
        reference = self._policy.reference(image)
        if digest is not None:
            reference = reference.pinned(digest)
        if reference.is_own:
            return await self._own(reference)
        origin = self._policy.origin_of(reference)
        session = RegistrySession(self._client, reference, origin, login, self._policy.origins)
        try:
            async with asyncio.timeout(CHECK_S), self._checks:
                seen = await self._seen(reference, session, public=login is None)
        except TimeoutError:
            raise Unavailable(f"image {reference.name}: its registry took more than {CHECK_S:.0f} s") from None
        if await asyncio.to_thread(self._engine.find, engine_name(seen)) is None:
            if self._tidying:
                await asyncio.wait(self._tidying)
            await self._fit(seen)
        return seen

    async def obtain(
        self,
        image: str | None,
        login: RegistryLogin | None = None,
        digest: str | None = None,
        progress: PullProgress | None = None,
    ) -> PodImage:
        """The image at this engine, fetched where it is not there already. Its registry is asked each time: it alone
        says who may have it. One that it showed everybody before is taken from the cache where it does not answer.
        Raises ImageRefused, Unavailable."""
        try:
            seen = await self.check(image, login, digest)
        except Unavailable:
            known = await self.held(image, digest) if login is None else None
            if known is None:
                raise
            log.warning("registry does not answer, image taken from the cache", image=known.reference)
            return known
        return await self.fetch(seen, progress)

    async def fetch(self, seen: SeenImage, progress: PullProgress | None = None) -> PodImage:
        """What was looked at, fetched where it is not there already. Raises as `obtain`."""
        if seen.manifest is None:
            held = await asyncio.to_thread(self._engine.find, seen.reference.name)
            if held is None:
                raise ImageRefused(f"image {seen.reference.name}: the engine here has no such image")
            return PodImage(seen.reference.name, plain(held.image_id))
        key = seen.manifest.config.digest
        # Two leases that want the same wait for one pull.
        async with self._turns.setdefault(key, asyncio.Lock()):
            held = await asyncio.to_thread(self._engine.find, engine_name(seen))
            if held is None:
                async with self._pulls:
                    held = await self._pulled(seen, progress or PullProgress())
        await asyncio.to_thread(self._uses.note, held.image_id, seen.reference.name, seen.public)
        volumes = seen.traits.volumes if seen.traits else ()
        return PodImage(seen.reference.name, plain(held.image_id), volumes=volumes)

    @contextmanager
    def using(self, seen: SeenImage) -> Iterator[None]:
        """Keeps an image for as long as it is neither a pod's yet nor given up."""
        key = seen.manifest.config.digest if seen.manifest else seen.reference.name
        self._used[key] += 1
        try:
            yield
        finally:
            self._used[key] -= 1
            self._used += Counter()  # without those that nobody uses any more

    async def tidy(self) -> None:
        """Frees what pulls have left that did not come to their end, and brings the cache back within its bound."""
        async with self._making_room:
            await self._free_unfinished()
            await self._make_room(0)

    async def status(self) -> dict[str, Any]:
        """What the cache holds, for `/v1/status`."""
        held = [one for one in await asyncio.to_thread(self._engine.all) if one.cached]
        return {
            "images": len(held),
            "bytes": sum(one.bytes for one in held),
            "maxBytes": self._max_bytes,
            "pulling": len(self._coming),
        }

    async def _seen(self, reference: ImageReference, session: RegistrySession, public: bool) -> SeenImage:
        architecture, name = own_architecture(), reference.name
        body = await session.manifest(reference.target)
        found = _INDEX.search(body)
        top = digest_of(body)
        if (found and found[1].decode("latin-1") in INDEXES) or b'"manifests"' in body:
            body = await session.manifest(platform_digest(body, architecture, name))
        manifest = parse_manifest(body, name)
        config = await session.config(manifest.config)
        traits = parse_traits(config, name, architecture)
        if traits.layers != len(manifest.layers):
            raise ImageRefused(
                f"image {name}: its manifest has {len(manifest.layers)} layers, its configuration {traits.layers}"
            )
        return SeenImage(reference, top, manifest, config, traits, session, public)

    async def _own(self, reference: ImageReference) -> SeenImage:
        held = await asyncio.to_thread(self._engine.find, reference.name)
        if held is None:
            raise ImageRefused(f"image {reference.name}: the engine here has no such image")
        return SeenImage(reference, None, None, b"", None, None, public=True)

    async def held(self, image: str | None, digest: str | None = None) -> PodImage | None:
        """The image where it is at this engine and anybody may have it; its registry is not asked."""
        reference = self._policy.reference(image)
        if reference.is_own:
            own = await asyncio.to_thread(self._engine.find, reference.name)
            return None if own is None else PodImage(reference.name, plain(own.image_id))
        name = (reference.pinned(digest) if digest else reference).name
        image_id = await asyncio.to_thread(self._uses.public, name)
        held = await asyncio.to_thread(self._engine.find, image_id) if image_id else None
        return None if held is None else PodImage(name, plain(held.image_id))

    async def _fit(self, seen: SeenImage) -> None:
        """Raises ImageRefused for an image that can never fit, or does not even when all that is unused goes."""
        need = seen.bytes * UNPACKED
        if need > self._max_bytes:
            raise ImageRefused(
                f"image {seen.reference.name}: it is {_gib(seen.bytes)} to fetch and about {_gib(need)} unpacked; "
                f"images may take {_gib(self._max_bytes)} here"
            )
        room, held, in_use = await self._room()
        freed = sum(one.bytes for one in to_remove(held, lambda _: 0.0, in_use, 1 << 62))
        if (lacking := room.lacking(need)) > freed:
            raise ImageRefused(
                f"image {seen.reference.name}: it needs about {_gib(need)} unpacked, for which {_gib(lacking - freed)} "
                "are lacking on this provider's disk, other leases' images taken into account"
            )

    async def _room(self) -> tuple[ImageRoom, list[HeldImage], set[str]]:
        free, held, used = await asyncio.gather(
            asyncio.to_thread(self._engine.free_bytes),
            asyncio.to_thread(self._engine.all),
            asyncio.to_thread(self._engine.in_use),
        )
        coming = sum(self._coming.values())
        taken = sum(one.bytes for one in held if one.cached) + coming
        room = ImageRoom(free - coming, taken, self._max_bytes, self._reserve)
        promised = {f"sha256:{plain(one)}" for one in self._in_use()}
        return room, held, {*used, *promised, *self._coming, *self._used}

    async def _make_room(self, need: int) -> None:
        room, held, in_use = await self._room()
        uses = {one.image_id: self._uses.used_at(one.image_id) for one in held}
        for one in to_remove(held, lambda image_id: uses.get(image_id, 0.0), in_use, room.lacking(need)):
            if await asyncio.to_thread(self._engine.remove, one):
                self._uses.forget(one.image_id)
                log.info("image removed from the cache", image=one.image_id, bytes=one.bytes)

    async def _pulled(self, seen: SeenImage, progress: PullProgress) -> HeldImage:
        if seen.manifest is None or seen.session is None:
            raise ImageRefused(f"image {seen.reference.name}: it is the engine's own, and nowhere to be fetched from")
        key, need = seen.manifest.config.digest, seen.bytes * UNPACKED
        pull = UnfinishedPull.of(seen.manifest, seen.config)
        async with self._making_room:
            await self._free_unfinished()
            await self._fit(seen)
            await self._make_room(need)
            self._coming[key] = need
        progress.layers, progress.total_bytes = len(seen.manifest.layers), seen.bytes - seen.manifest.config.size
        try:
            await asyncio.to_thread(self._book.begin, pull)
            async with PullServer(seen.session, seen.manifest, seen.config, progress, pull.name) as server:
                try:
                    await self._run(server)
                except ProviderError as error:
                    raise server.failure or error from None
                held = await asyncio.to_thread(self._engine.keep, server.reference, engine_name(seen))
            await asyncio.to_thread(self._book.end, pull)
        except BaseException as error:
            self._coming.pop(key, None)
            tidying = asyncio.create_task(self._tidy_after(error))
            self._tidying.add(tidying)
            tidying.add_done_callback(self._tidying.discard)
            if not isinstance(error, asyncio.CancelledError):
                await asyncio.shield(tidying)
            raise
        finally:
            self._coming.pop(key, None)
        if held.image_id not in (seen.manifest.config.digest, seen.manifest.digest):
            await asyncio.to_thread(self._engine.remove, held)
            raise ImageRefused(f"image {seen.reference.name}: the engine holds {held.image_id}, not what was asked for")
        log.info("image pulled", image=seen.reference.name, bytes=progress.bytes, resumed=progress.resumed)
        return held

    async def _tidy_after(self, error: BaseException) -> None:
        try:
            async with self._making_room:
                await self._free_unfinished()
        except (ProviderError, SQLAlchemyError) as reason:
            log.warning("what an interrupted pull left is not freed yet", broke_off=str(error), error=str(reason))

    async def _free_unfinished(self) -> None:
        """Once no pull is under way that could build on what others have left."""
        if self._coming:
            return
        for pull in await asyncio.to_thread(self._book.unfinished):
            try:
                await free_layers(self._engine, pull)
            except Exception as error:  # of one: others are had all the same, and it is tried again
                log.warning("what an interrupted pull left is not freed yet", pull=pull.name, error=str(error))
                continue
            await asyncio.to_thread(self._book.end, pull)
            log.info("freed what an interrupted pull left", pull=pull.name)

    async def _run(self, server: PullServer) -> None:
        """The engine's pull, broken off where the disk fills or whoever waits for it has gone."""
        call = PullCall()
        pull = asyncio.create_task(asyncio.to_thread(self._engine.pull, server.reference, call))
        pull.add_done_callback(lambda done: done.cancelled() or done.exception())  # nobody may be left to hear of it
        try:
            while not pull.done():
                await asyncio.wait([pull], timeout=WATCH_S)
                if server.failure is None and await asyncio.to_thread(self._engine.free_bytes) < self._reserve:
                    server.fail(ImageRefused("the image is larger unpacked than this provider's disk has room for"))
                    await asyncio.to_thread(call.break_off)
        except asyncio.CancelledError:
            server.fail(Unavailable("nobody waits for the image any more"))
            await asyncio.to_thread(call.break_off)
            raise
        await pull


def plain(image_id: str) -> str:
    """An engine's id as it names it itself."""
    return image_id.removeprefix("sha256:")


def engine_name(seen: SeenImage) -> str:
    """What it is kept under: its content, so that one image is there once, whatever it is called."""
    if seen.manifest is None:
        return seen.reference.name
    return f"{CACHE_NAME}:{seen.manifest.config.digest.removeprefix('sha256:')}"


def _gib(count: int) -> str:
    return f"{count / GIB:.1f} GiB"

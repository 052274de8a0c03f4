"""Images as leases ask for them: looked at before a lease costs anything, fetched while its renter looks on.

Nothing here goes out for somebody who has no lease: whoever asks has signed, as the renter of a lease that is pending
or runs, and each lease may ask so often. What leases fetch before they have begun, and so before they pay, is bounded
for all of them together."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Collection, Coroutine, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import Any, Literal, Protocol

import structlog

from assay.network.request_buckets import RequestBuckets
from assay.provider.errors import Conflict, NotFound, ProviderError, TooManyRequests, Unavailable
from assay.provider.images.images import SeenImage, engine_name
from assay.provider.images.pod_control import PodControl
from assay.provider.images.pull_server import PullProgress
from assay.provider.images.registry import RegistryLogin
from assay.provider.pods.pod import PodImage
from assay.wire.pods import PodBody, PodTemplate

ImagePhase = Literal["none", "pulling", "unpacking", "ready", "failed"]
CHECK_BURST, CHECK_EVERY_S = 10, 60.0  # of one lease
MAX_LEASES = 1_000
DAY_S = 86_400.0
JOB_WAIT_S = 240.0  # below what clients wait for a job to be taken
log = structlog.get_logger()


class ImageSource(Protocol):
    """Looks at images and fetches them, as `Images` does."""

    async def check(
        self, image: str | None, login: RegistryLogin | None = None, digest: str | None = None
    ) -> SeenImage:
        """Whether it can be had. Raises ImageRefused, Unavailable."""

    async def fetch(self, seen: SeenImage, progress: PullProgress | None = None) -> PodImage:
        """What was looked at. Raises ImageRefused, Unavailable."""

    def using(self, seen: SeenImage) -> AbstractContextManager[None]:
        """Keeps it for as long as no pod does."""


@dataclass(frozen=True)
class ImageState:
    """How far a lease's image is."""

    phase: ImagePhase = "none"
    reference: str | None = None
    digest: str | None = None
    notes: tuple[str, ...] = ()
    progress: PullProgress | None = None
    failure: str | None = None


class LeaseImages:
    """`unpaid_bytes` is how much leases that have not begun may fetch in a day, all together; `now` a steady clock.
    `begin` keeps a task alive until it is done."""

    def __init__(
        self,
        images: ImageSource,
        pods: PodControl,
        templates: Mapping[str, PodTemplate],
        unpaid_bytes: int,
        now: Callable[[], float],
        begin: Callable[[Coroutine[Any, Any, None]], asyncio.Task[None]] = asyncio.create_task,
    ) -> None:
        self._images = images
        self._pods = pods
        self._templates = templates
        self._checks = RequestBuckets(1 / CHECK_EVERY_S, CHECK_BURST, now)
        self._unpaid = RequestBuckets(max(unpaid_bytes, 1) / DAY_S, unpaid_bytes, now)
        self._begin = begin
        self._states: OrderedDict[tuple[int, str], ImageState] = OrderedDict()
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._chosen: dict[int, str] = {}
        self._of_jobs: dict[int, set[str]] = {}
        self._job_pulls: dict[tuple[int, str], asyncio.Task[str]] = {}

    @property
    def templates(self) -> Mapping[str, PodTemplate]:
        """Those of this provider, by their names."""
        return self._templates

    async def choose(self, lease_id: int, renter: str, wanted: PodBody, paid: bool) -> ImageState:
        """Looks at what a renter's lease is to start from and begins to fetch it; `paid` once the lease runs. A pull
        that is under way for it gives way. Raises ImageRefused, Unavailable, NotFound for a template that is none,
        TooManyRequests."""
        if wait := self._checks.take(str(lease_id)):
            raise TooManyRequests(f"lease {lease_id} has asked for many images: again in {wait:.0f} s")
        chosen = self._filled_in(wanted)
        login = chosen.login
        opened = None if login is None else RegistryLogin(login.user, login.password.get_secret_value())
        seen = await self._images.check(chosen.image, opened, chosen.digest)
        if not paid and self._unpaid.take("all", float(seen.bytes)):
            raise Conflict(
                f"image {seen.reference.name}: leases that have not begun have fetched as much here today as they may; "
                "start the lease, then `assay pod set`"
            )
        await self.give_up(lease_id)
        progress = PullProgress()
        state = ImageState("pulling", seen.reference.name, seen.digest, seen.notes, progress)
        self._note((lease_id, renter), state)
        task = self._begin(self._fetch(lease_id, renter, seen, chosen, state))
        self._tasks[lease_id] = task
        task.add_done_callback(lambda done: self._done(lease_id, done))
        return state

    async def for_job(self, lease_id: int, image: str) -> str:
        """What the engine knows an image by that a job names, fetched where it is not here. Raises as `choose`; and
        Unavailable where that takes long: it goes on, and is there for who asks again."""
        key = (lease_id, image)
        task = self._job_pulls.get(key)
        if task is None:
            if wait := self._checks.take(str(lease_id)):
                raise TooManyRequests(f"lease {lease_id} has asked for many images: again in {wait:.0f} s")
            task = self._job_pulls[key] = asyncio.create_task(self._for_job(lease_id, image))
            task.add_done_callback(lambda _: self._job_pulls.pop(key, None))
        done, _ = await asyncio.wait([task], timeout=JOB_WAIT_S)
        if not done:
            raise Unavailable(f"image {image}: it is still being fetched; start the job again in a while")
        return task.result()

    async def _for_job(self, lease_id: int, image: str) -> str:
        seen = await self._images.check(image)
        with self._images.using(seen):
            fetched = await self._images.fetch(seen)
            self._of_jobs.setdefault(lease_id, set()).add(fetched.image_id)
        return engine_name(seen)

    def state(self, lease_id: int, renter: str) -> ImageState:
        """How far the renter's image is; phase `none` where none was asked for since this daemon began."""
        state = self._states.get((lease_id, renter), ImageState())
        pull = state.progress
        if state.phase == "pulling" and pull and pull.layers and pull.layers_done == pull.layers:
            return replace(state, phase="unpacking")
        return state

    def pull_of(self, lease_id: int) -> asyncio.Task[None] | None:
        """The pull that is under way for a lease."""
        return self._tasks.get(lease_id)

    async def give_up(self, lease_id: int) -> None:
        """Ends a pull that is under way for a lease."""
        task = self._tasks.pop(lease_id, None)
        if task is not None:
            task.cancel()
            await asyncio.wait([task])

    def chosen(self) -> Collection[str]:
        """Ids of images that leases have chosen for pods and jobs since this daemon began."""
        return {*self._chosen.values(), *(image_id for ids in self._of_jobs.values() for image_id in ids)}

    async def sweep(self, may_want: Callable[[int], Awaitable[bool]]) -> None:
        """Ends the pulls of leases that are neither pending nor running, and lets their images go."""
        for lease_id in {*self._tasks, *self._chosen, *self._of_jobs}:
            if not await may_want(lease_id):
                await self.give_up(lease_id)
                self._chosen.pop(lease_id, None)
                self._of_jobs.pop(lease_id, None)

    async def close(self) -> None:
        """Ends every pull."""
        for lease_id in list(self._tasks):
            await self.give_up(lease_id)
        for task in list(self._job_pulls.values()):
            task.cancel()
            await asyncio.wait([task])

    def _filled_in(self, wanted: PodBody) -> PodBody:
        """With what its template says, where it names one and says nothing of that itself."""
        if wanted.template is None:
            return wanted
        template = self._templates.get(wanted.template)
        if template is None:
            known = ", ".join(sorted(self._templates)) or "none"
            raise NotFound(f"no template {wanted.template!r} here; there are: {known}")
        return wanted.model_copy(
            update={
                "image": wanted.image or template.image,
                "start": wanted.start or template.start,
                "ports": wanted.ports or template.ports,
                "environment": {**template.environment, **wanted.environment},
            }
        )

    async def _fetch(self, lease_id: int, renter: str, seen: SeenImage, wanted: PodBody, state: ImageState) -> None:
        key = (lease_id, renter)
        try:
            with self._images.using(seen):
                image = await self._images.fetch(seen, state.progress)
                made = replace(
                    image,
                    start=tuple(wanted.start),
                    ports=tuple(wanted.ports),
                    environment=tuple(sorted(wanted.environment.items())),
                )
                await asyncio.to_thread(self._pods.set_image, lease_id, renter, made)
                self._chosen[lease_id] = made.image_id
        except ProviderError as error:
            log.warning("image not pulled", lease=lease_id, image=seen.reference.name, error=str(error))
            self._note(key, replace(state, phase="failed", failure=str(error)))
        except asyncio.CancelledError:
            self._note(key, replace(state, phase="failed", failure="given up: the lease is over, or wants another"))
            raise
        except Exception as error:
            # The lease goes on with what it has; the cause is for whoever runs this.
            log.exception("image not pulled", lease=lease_id, image=seen.reference.name)
            self._note(key, replace(state, phase="failed", failure=f"a fault here: {type(error).__name__}"))
        else:
            self._note(key, replace(state, phase="ready"))

    def _done(self, lease_id: int, task: asyncio.Task[None]) -> None:
        if self._tasks.get(lease_id) is task:
            del self._tasks[lease_id]

    def _note(self, key: tuple[int, str], state: ImageState) -> None:
        self._states[key] = state
        self._states.move_to_end(key)
        while len(self._states) > MAX_LEASES:
            self._states.popitem(last=False)

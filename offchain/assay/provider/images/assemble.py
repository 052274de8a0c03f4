"""Puts the images of a daemon together from its settings."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass

import structlog
from sqlalchemy import Engine as Database
from sqlalchemy.exc import SQLAlchemyError

from assay.network.addresses import Addresses
from assay.network.client import Client
from assay.network.exchange import HttpExchange
from assay.provider.errors import BadProviderSetting, ProviderError
from assay.provider.images.cache import ImageUses
from assay.provider.images.engine_images import EngineImages
from assay.provider.images.images import Images
from assay.provider.images.lease_images import LeaseImages
from assay.provider.images.pod_control import PodControl
from assay.provider.images.policy import ImagePolicy
from assay.provider.images.unfinished import PullBook
from assay.provider.pods.pod import PodImage
from assay.provider.settings import ProviderSettings
from assay.templates.loading import BadTemplate, templates_of
from assay.wire.pods import PodTemplate

RETRY_S = 60.0
log = structlog.get_logger()


@dataclass
class HostImages:
    """The images of a host: `own` is what a pod starts from whose lease named nothing, once it is here. `control` and
    `leases` are there once pods are."""

    images: Images
    client: Client
    templates: dict[str, PodTemplate]
    own: PodImage | None = None
    control: PodControl | None = None
    leases: LeaseImages | None = None

    def promised(self) -> Collection[str]:
        """Ids of images that must stay."""
        chosen = set(self.leases.chosen()) if self.leases else set()
        made = set(self.control.image_ids()) if self.control else set()
        return chosen | made | ({self.own.image_id} if self.own else set())

    def serve(self, control: PodControl, unpaid_bytes: int) -> None:
        """Lets leases choose."""
        self.control = control
        self.leases = LeaseImages(self.images, control, self.templates, unpaid_bytes, time.monotonic)

    async def keep(self) -> None:
        """Has the provider's own image here before anybody needs it, and the cache in order, for as long as this
        runs."""
        while True:
            await self._try("the image cache could not be tidied", self.images.tidy)
            if self.own is None:
                await self._try("this provider's own image is not here yet", self._obtain_own)
            await asyncio.sleep(RETRY_S)

    async def _obtain_own(self) -> None:
        self.own = await self.images.obtain(None)

    async def _try(self, otherwise: str, step: Callable[[], Awaitable[None]]) -> None:
        try:
            await step()
        except (ProviderError, SQLAlchemyError) as error:
            log.warning(otherwise, error=str(error), again_in=RETRY_S)

    async def close(self) -> None:
        """Ends pulls and lets connections go."""
        if self.leases is not None:
            await self.leases.close()
        await self.client.close()


def make_images(settings: ProviderSettings, engine: str, database: Database) -> HostImages:
    """The images of this daemon's host. Raises BadProviderSetting."""
    try:
        templates = templates_of([settings.templates] if settings.templates else [])
    except BadTemplate as error:
        raise BadProviderSetting(str(error)) from None
    policy = image_policy(settings)
    if policy.origins:
        log.info("images may come from registries within this network", registries=sorted(map(str, policy.origins)))
    # Never to an address inside, on a local chain neither: what a renter names is not what a validator announces.
    client = Client(HttpExchange(Addresses(allow_private=False)))
    promised: list[HostImages] = []
    images = Images(
        EngineImages(engine),
        client,
        policy,
        ImageUses(database, time.time),
        PullBook(database),
        settings.image_cache,
        lambda: promised[0].promised(),
    )
    promised.append(HostImages(images, client, templates))
    return promised[0]


def image_policy(settings: ProviderSettings) -> ImagePolicy:
    """What the settings say about images."""
    return ImagePolicy(
        settings.container_image,
        tuple(settings.container_allow),
        tuple(settings.container_deny),
        tuple(settings.private_registries),
    )

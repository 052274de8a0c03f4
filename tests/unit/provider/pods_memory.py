"""Pods and images that are only remembered."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace

from assay.provider.errors import ImageRefused, NotFound, ProviderError
from assay.provider.images.images import SeenImage
from assay.provider.images.manifests import ImageTraits
from assay.provider.images.pod_control import PodShown
from assay.provider.images.pull_server import PullProgress
from assay.provider.images.references import parse_reference
from assay.provider.images.registry import RegistryLogin
from assay.provider.pods.pod import HostShare, PodImage, PodStatus

SHARE = HostShare(cores=4, memory_bytes=16 << 30, disk_bytes=100 << 30)


class MemoryPods:
    """A pod runs as soon as it has an image."""

    def __init__(self) -> None:
        self.pods: dict[int, PodShown] = {}
        self.renters: dict[int, str] = {}

    def set_image(self, lease_id: int, renter: str, image: PodImage) -> None:
        self.renters[lease_id] = renter
        self.pods[lease_id] = PodShown(image, SHARE, PodStatus("running", 1, image.reference, 5.0))

    def show(self, lease_id: int, renter: str) -> PodShown:
        absent = PodShown(None, SHARE, PodStatus("absent"))
        return self.pods.get(lease_id, absent) if self.renters.get(lease_id) == renter else absent

    def restart(self, lease_id: int) -> None:
        if lease_id not in self.pods:
            raise NotFound(f"no pod of lease {lease_id}")
        pod = self.pods[lease_id]
        self.pods[lease_id] = replace(pod, status=replace(pod.status, restarts=pod.status.restarts + 1))

    def image_ids(self) -> Collection[str]:
        return [pod.image.image_id for pod in self.pods.values() if pod.image]


class MemoryImages:
    """A registry of everything but what is called absent; `hold` keeps pulls waiting."""

    def __init__(self, size: int = 100) -> None:
        self.size = size
        self.hold = asyncio.Event()
        self.hold.set()
        self.failure: ProviderError | None = None
        self.checked: list[tuple[str | None, RegistryLogin | None, str | None]] = []
        self.fetched: list[str] = []

    async def check(
        self, image: str | None, login: RegistryLogin | None = None, digest: str | None = None
    ) -> SeenImage:
        self.checked.append((image, login, digest))
        reference = parse_reference(image or "debian")
        if "absent" in reference.repository:
            raise ImageRefused(f"image {reference.name}: there is none")
        traits = ImageTraits("amd64", "linux", 1, user="me")
        return _Sized(reference, digest, None, b"", traits, None, True, size=self.size)

    async def fetch(self, seen: SeenImage, progress: PullProgress | None = None) -> PodImage:
        if progress is not None:
            progress.layers, progress.layers_done, progress.bytes, progress.total_bytes = 3, 1, 40, 100
        await self.hold.wait()
        if self.failure is not None:
            raise self.failure
        self.fetched.append(seen.reference.name)
        return PodImage(seen.reference.name, f"sha256:{len(self.fetched):064x}")

    def using(self, seen: SeenImage) -> AbstractContextManager[None]:
        return nullcontext()


class _Sized(SeenImage):
    def __init__(self, *values: object, size: int) -> None:
        super().__init__(*values)  # type: ignore[arg-type]
        object.__setattr__(self, "size", size)

    @property
    def bytes(self) -> int:
        return int(self.size)  # type: ignore[attr-defined]

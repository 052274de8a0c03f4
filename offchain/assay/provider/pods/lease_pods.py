"""Which lease has which pod: started with its lease or when it is first needed, told of its end, found again."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import structlog
from sqlalchemy import Engine as Database
from sqlalchemy import select
from sqlalchemy.dialects.sqlite import insert

from assay.protocol.types import DeviceId
from assay.provider.database import pod_images, pods
from assay.provider.errors import Conflict, ProviderError
from assay.provider.pods.engine import PodmanPods
from assay.provider.pods.pod import HostShare, PodImage, PodSpec, PodStatus
from assay.provider.pods.records import image_from_json, image_to_json
from assay.provider.pods.share import HostResources, KeptBack, free_cores, together

log = structlog.get_logger()


class PodBook:
    """The renter of each lease, and the image that it asked for."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def note_renter(self, lease_id: int, renter: str) -> None:
        """Notes whose lease it is."""
        row = insert(pods).values(lease_id=str(lease_id), renter=renter)
        with self._database.begin() as connection:
            connection.execute(row.on_conflict_do_update(index_elements=["lease_id"], set_={"renter": renter}))

    def note_image(self, lease_id: int, renter: str, image: PodImage) -> None:
        """Notes what the lease's pod starts from, from its next start on, if it is this renter's."""
        told = json.dumps(image_to_json(image))
        row = insert(pod_images).values(lease_id=str(lease_id), renter=renter, image=told)
        with self._database.begin() as connection:
            connection.execute(row.on_conflict_do_update(index_elements=["lease_id", "renter"], set_={"image": told}))

    def renter(self, lease_id: int) -> str | None:
        """Whose lease it is."""
        with self._database.connect() as connection:
            found = connection.execute(select(pods.c.renter).where(pods.c.lease_id == str(lease_id))).scalar()
        return None if found is None else str(found)

    def image(self, lease_id: int, renter: str) -> PodImage | None:
        """The image that this renter asked for."""
        key = (pod_images.c.lease_id == str(lease_id), pod_images.c.renter == renter)
        with self._database.connect() as connection:
            found = connection.execute(select(pod_images.c.image).where(*key)).scalar()
        return None if found is None else image_from_json(json.loads(found))

    def images(self, lease_id: int) -> list[PodImage]:
        """All that were asked for under this number."""
        query = select(pod_images.c.image).where(pod_images.c.lease_id == str(lease_id))
        with self._database.connect() as connection:
            return [image_from_json(json.loads(found)) for found in connection.execute(query).scalars()]


@dataclass(frozen=True)
class LeasePart:
    """What a lease has of its host: the parts of which devices, none where that is not known, and which cards."""

    devices: tuple[DeviceId, ...]
    cards: tuple[str, ...]


class LeasePods:
    """The pods of leases. `part` says what a lease has, `default` gives the image of a lease that named none, `shares`
    are the parts of the devices that are served. Calls block."""

    def __init__(
        self,
        pods: PodmanPods,
        book: PodBook,
        part: Callable[[int], LeasePart],
        default: Callable[[], PodImage],
        shares: Mapping[DeviceId, HostShare],
        host: HostResources,
        kept: KeptBack,
    ) -> None:
        self.pods = pods
        self.book = book
        self._part = part
        self._default = default
        self._shares = shares
        self._host = host
        self._kept = kept
        self._starting: dict[int, threading.Thread] = {}
        self._choosing = threading.Lock()

    def share(self, lease_id: int) -> HostShare:
        """What the lease's pod has of the host."""
        return self._together(self._part(lease_id).devices)

    @property
    def smallest(self) -> HostShare:
        """What any device has."""
        return min(self._shares.values(), key=lambda one: (one.cores, one.memory_bytes, one.disk_bytes))

    def ready(self, lease_id: int, deadline: float) -> PodStatus:
        """The lease's pod, running: made or started where it does not. Raises ProviderError."""
        status = self.pods.status(lease_id)
        if status.state == "running":
            return status
        if (renter := self.book.renter(lease_id)) is None:
            raise Conflict(f"lease {lease_id} does not run yet")
        with self._choosing:
            cores = self._cores(lease_id)
        part = self._part(lease_id)
        spec = PodSpec(
            lease_id=lease_id,
            renter=renter,
            image=self.book.image(lease_id, renter) or self._default(),
            share=self._together(part.devices),
            deadline=deadline,
            cards=part.cards,
            cpuset=cores,
        )
        return self.pods.ensure(spec)

    def made_shares(self) -> dict[int, HostShare]:
        """What each pod that there is was made with, by lease."""
        return {lease_id: spec.share for lease_id, spec in self.pods.specs().items()}

    def images_in_use(self) -> frozenset[str]:
        """The engine's ids of images that a pod stands on: none of them may be removed."""
        return frozenset(spec.image.image_id for spec in self.pods.specs().values())

    def belongs_to(self, lease_id: int, renter: str) -> None:
        """Notes whose a lease is, before anything is done for it. What another renter left under its number goes."""
        before = self.book.renter(lease_id)
        if before == renter:
            return
        if before is not None:
            log.warning("a lease belongs to another renter than before", lease=lease_id)
            self.pods.remove(lease_id)
        self.book.note_renter(lease_id, renter)

    def follow(self, lease_id: int, deadline: float) -> None:
        """At a block, for a lease that runs: its pod is started, in its own time, or told of its new end."""
        self.pods.extend(lease_id, deadline)
        if self.pods.status(lease_id).state == "running":
            return
        running = self._starting.get(lease_id)
        if running is None or not running.is_alive():
            thread = threading.Thread(target=self._start, args=(lease_id, deadline), daemon=True)
            self._starting[lease_id] = thread
            thread.start()

    def stop(self, lease_id: int, reason: str) -> None:
        """Ends the pod of a lease that is over; its files stay."""
        self._starting.pop(lease_id, None)
        self.pods.stop(lease_id, reason)

    def _start(self, lease_id: int, deadline: float) -> None:
        try:
            self.ready(lease_id, deadline)
        except (ProviderError, OSError) as error:
            log.warning("the pod of a lease was not started", lease=lease_id, reason=str(error))

    def _together(self, devices: tuple[DeviceId, ...]) -> HostShare:
        return together([self._shares[device_id] for device_id in devices] or [self.smallest])

    def _cores(self, lease_id: int) -> tuple[int, ...]:
        """Those that the pod has, or that are free."""
        others = self.pods.specs()
        if (own := others.pop(lease_id, None)) is not None and own.cpuset:
            return own.cpuset
        return free_cores(self._host, self._kept, [one.cpuset for one in others.values()], self.share(lease_id).cores)

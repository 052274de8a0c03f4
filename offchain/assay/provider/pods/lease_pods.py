"""Which lease has which pod: started with its lease or when it is first needed, told of its end, found again."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import structlog
from sqlalchemy import Engine as Database
from sqlalchemy import select
from sqlalchemy.dialects.sqlite import insert

from assay.protocol.types import DeviceId
from assay.provider.database import pods as table
from assay.provider.errors import ProviderError
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
        self._put(lease_id, renter=renter)

    def note_image(self, lease_id: int, image: PodImage) -> None:
        """Notes what the lease's pod starts from, from its next start on."""
        self._put(lease_id, image=json.dumps(image_to_json(image)))

    def renter(self, lease_id: int) -> str | None:
        """Whose lease it is."""
        found = self._get(lease_id)
        return None if found is None or found["renter"] is None else str(found["renter"])

    def image(self, lease_id: int) -> PodImage | None:
        """The image that was asked for."""
        found = self._get(lease_id)
        return None if found is None or found["image"] is None else image_from_json(json.loads(found["image"]))

    def _get(self, lease_id: int) -> Any:
        with self._database.connect() as connection:
            query = select(table).where(table.c.lease_id == str(lease_id))
            return connection.execute(query).mappings().one_or_none()

    def _put(self, lease_id: int, **values: str) -> None:
        row = insert(table).values(lease_id=str(lease_id), **values)
        with self._database.begin() as connection:
            connection.execute(row.on_conflict_do_update(index_elements=["lease_id"], set_=values))


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
        with self._choosing:
            cores = self._cores(lease_id)
        part = self._part(lease_id)
        spec = PodSpec(
            lease_id=lease_id,
            renter=self.book.renter(lease_id) or f"lease {lease_id}",
            image=self.book.image(lease_id) or self._default(),
            share=self._together(part.devices),
            deadline=deadline,
            cards=part.cards,
            cpuset=cores,
        )
        return self.pods.ensure(spec)

    def images_in_use(self) -> frozenset[str]:
        """The engine's ids of images that a pod stands on: none of them may be removed."""
        return frozenset(spec.image.image_id for spec in self.pods.specs().values())

    def follow(self, lease_id: int, renter: str, deadline: float) -> None:
        """At a block, for a lease that runs: its pod is started, in its own time, or told of its new end."""
        if self.book.renter(lease_id) != renter:
            self.book.note_renter(lease_id, renter)
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

"""What the pods and cards of leases use: now, and for the last hour. Nothing here is kept over a restart."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

import structlog
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from assay.protocol.types import DeviceId
from assay.provider.cards.readings import CardActivity, CardError
from assay.provider.pods.pod import HostShare, PodUse

SAMPLE_S = 15.0
HOUR = 240  # samples
FRESH_S = 1.0
PATIENCE_S = 2.0  # for a driver that hangs
log = structlog.get_logger()


class UsedPods(Protocol):
    """Pods as they are measured."""

    def known(self) -> list[int]: ...

    def use(self, lease_id: int) -> PodUse | None: ...


class UseHistory:
    """The last hour of each lease's pod: one sample in 15 s, and only of pods that are there."""

    def __init__(self, pods: UsedPods) -> None:
        self._pods = pods
        self._samples: dict[int, deque[PodUse]] = {}
        self._running: set[int] = set()

    def sample(self) -> None:
        """Measures every pod. Blocks."""
        known = self._pods.known()
        for lease_id in set(self._samples) - set(known):
            self._samples.pop(lease_id, None)
        running = {lease_id: use for lease_id in known if (use := self._pods.use(lease_id)) is not None}
        for lease_id, use in running.items():
            self._samples.setdefault(lease_id, deque(maxlen=HOUR)).append(use)
        self._running = set(running)

    def of(self, lease_id: int) -> list[PodUse]:
        """Oldest first."""
        return list(self._samples.get(lease_id, ()))

    def newest(self) -> dict[int, PodUse]:
        """The last sample of each lease whose pod ran when it was taken."""
        samples = list(self._samples.items())
        return {lease_id: taken[-1] for lease_id, taken in samples if taken and lease_id in self._running}


@dataclass(frozen=True)
class UseShown:
    """A lease's pod now, None where none runs; its last hour, oldest first; its cards, None for what does not tell."""

    now: PodUse | None
    hour: tuple[PodUse, ...]
    cards: tuple[tuple[DeviceId, CardActivity | None], ...]


class LeaseUse:
    """`cards` are the uuids of devices that are GPUs; `read` asks one of them and blocks."""

    def __init__(
        self,
        pods: UsedPods,
        cards: Mapping[DeviceId, str],
        read: Callable[[str], CardActivity],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.history = UseHistory(pods)
        self._pods = pods
        self._cards = cards
        self._read = read
        self._clock = clock
        self._activities: dict[str, CardActivity] = {}
        self._read_at = float("-inf")
        self._reading: asyncio.Future[None] | None = None

    async def run(self) -> None:
        """Samples until it is cancelled."""
        while True:
            try:
                await asyncio.to_thread(self.history.sample)
            except Exception as error:  # an engine that is away: the next sample comes all the same
                log.warning("the use of pods was not sampled", error=str(error))
            await asyncio.sleep(SAMPLE_S)

    async def show(self, lease_id: int, device_ids: Collection[DeviceId]) -> UseShown:
        """What a lease of these devices uses, and has used."""
        now = await asyncio.to_thread(self._pods.use, lease_id)
        await self._look()
        cards = ((one, self._activities.get(self._cards.get(one, ""))) for one in device_ids)
        return UseShown(now, tuple(self.history.of(lease_id)), tuple(cards))

    async def _look(self) -> None:
        """All cards at once, once a second, in one thread: however many ask, and though the driver hangs."""
        if self._reading is None or self._reading.done():
            if self._clock() - self._read_at < FRESH_S:
                return
            self._reading = asyncio.ensure_future(asyncio.to_thread(self._read_all))
        await asyncio.wait({self._reading}, timeout=PATIENCE_S)
        if self._clock() - self._read_at > PATIENCE_S:
            self._activities = {}

    def _read_all(self) -> None:
        found = {}
        for uuid in set(self._cards.values()):
            try:
                found[uuid] = self._read(uuid)
            except CardError as error:
                log.debug("a card does not report its use", card=uuid, reason=str(error))
        self._activities, self._read_at = found, self._clock()


class UseCollector:
    """The pods' last samples as Prometheus metrics, beside what `shares` says that each has."""

    def __init__(self, history: UseHistory, shares: Callable[[], Mapping[int, HostShare]]) -> None:
        self._history = history
        self._shares = shares

    def collect(self) -> Iterator[Metric]:
        """All metrics of pods, by lease."""
        cpu = CounterMetricFamily("assay_pod_cpu_seconds", "Processor time since the pod's start", labels=["lease"])
        memory = GaugeMetricFamily("assay_pod_memory_bytes", "Memory in use", labels=["lease"])
        disk = GaugeMetricFamily("assay_pod_disk_bytes", "Disk in use", labels=["lease"])
        processes = GaugeMetricFamily("assay_pod_processes", "Processes", labels=["lease"])
        received = CounterMetricFamily("assay_pod_received_bytes", "From its network", labels=["lease"])
        sent = CounterMetricFamily("assay_pod_sent_bytes", "To its network", labels=["lease"])
        has_memory = GaugeMetricFamily("assay_pod_memory_share_bytes", "Memory that it has", labels=["lease"])
        has_disk = GaugeMetricFamily("assay_pod_disk_share_bytes", "Disk that it has", labels=["lease"])
        shares = self._shares()
        for lease_id, use in sorted(self._history.newest().items()):
            if (share := shares.get(lease_id)) is not None:
                has_memory.add_metric([str(lease_id)], share.memory_bytes)
                has_disk.add_metric([str(lease_id)], share.disk_bytes)
            for family, value in (
                (cpu, use.cpu_seconds),
                (memory, use.memory_bytes),
                (disk, use.disk_bytes),
                (processes, use.processes),
                (received, use.received_bytes),
                (sent, use.sent_bytes),
            ):
                family.add_metric([str(lease_id)], value)
        yield from (cpu, memory, disk, processes, received, sent, has_memory, has_disk)

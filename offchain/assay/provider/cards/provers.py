"""The workers of all places of this host: each task goes to the place of its device, and never to another's card."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

import structlog

from assay.protocol.profile import Profile
from assay.protocol.types import DeviceId, Seed
from assay.provider.cards.card_worker import CardWorker, WorkerReport
from assay.provider.cards.faults import CardFailed, CardFault
from assay.provider.cards.kept_proofs import KeptProofs
from assay.provider.cards.process_link import Launch, Link, ProcessLink
from assay.provider.cards.tasks import Proven, Task, Urgency, Walked
from assay.provider.cards.watch import CardWatch
from assay.provider.cards.worker_process import WorkerOrder
from assay.provider.devices.device import OwnDevice
from assay.provider.errors import Unavailable

Result = TypeVar("Result")
log = structlog.get_logger()


def proofs_folder(data_dir: Path, place: str) -> Path:
    """Where the proofs of a place are kept."""
    return data_dir / "proofs" / "".join(c if c.isalnum() or c == "-" else "_" for c in place)


def process_launcher(places: int) -> Launch:
    """Starts worker processes, each with its share of this machine's threads; the first alone, for it compiles the
    kernels that the others find in the cache.
    """
    cores = len(os.sched_getaffinity(0))
    threads = max(1, cores // max(places, 1))
    alone, warm = asyncio.Lock(), [False]

    async def launch(order: WorkerOrder, started: Callable[[int], None]) -> Link:
        if not warm[0]:
            async with alone:
                if not warm[0]:
                    link = await ProcessLink.launch(order, threads, started)
                    warm[0] = True
                    return link
        return await ProcessLink.launch(order, threads, started)

    return launch


class Provers:
    """All places of one host.

    What a card has committed to is opened by the processor from what was kept on the disk, while the card is leased
    or out of order: an opening that stays out costs stake.
    """

    def __init__(
        self,
        devices: Mapping[DeviceId, OwnDevice],
        worker: Callable[[OwnDevice], CardWorker],
        stand_in: Callable[[str], CardWorker],
        watch: CardWatch | None,
        data_dir: Path,
    ) -> None:
        """`worker` makes the worker of a device's place, `stand_in` one that opens what a place has kept."""
        self._devices = devices
        self._make_stand_in = stand_in
        self._watch = watch
        self._data_dir = data_dir
        self._workers: dict[str, CardWorker] = {}
        self._stand_ins: dict[str, CardWorker] = {}
        for device in devices.values():
            if device.place not in self._workers:
                self._workers[device.place] = worker(device)
            elif device.card:
                log.warning("two devices share one card: they prove in turn", device=device.name, card=device.card)

    async def prepare(self, epoch_seed: Seed) -> None:
        """Generates B of an epoch for every place that is free, ahead of its challenges. A place that fails is told in
        the log and holds up no other; one that comes back makes it by itself.
        """
        profiles: dict[str, dict[Profile, None]] = {}
        for device in self._devices.values():
            profiles.setdefault(device.place, {})[device.profile] = None

        async def one(worker: CardWorker, wanted: Sequence[Profile]) -> None:
            worker.remember_epoch(wanted, epoch_seed)
            for profile in () if worker.is_off else wanted:
                try:
                    await worker.prepare(profile, epoch_seed)
                except Exception as error:  # no fault of one card may hold up the others
                    log.warning("not ready for the epoch's challenges", card=worker.place, error=str(error))

        await asyncio.gather(*(one(self._workers[place], list(wanted)) for place, wanted in profiles.items()))

    async def prove(self, task: Task, urgency: Urgency = Urgency.ORDINARY) -> Proven:
        """As `CardWorker.prove`; a challenge on the place itself only."""
        return await self._on(task, lambda worker: worker.prove(task, urgency), own=urgency is Urgency.CHALLENGE)

    async def open(self, task: Task, rows: Sequence[tuple[int, int]], urgency: Urgency = Urgency.ORDINARY) -> bytes:
        """As `CardWorker.open`."""
        return await self._on(task, lambda worker: worker.open(task, rows, urgency))

    async def probe(self, task: Task, challenge: bytes, urgency: Urgency = Urgency.ORDINARY) -> Walked:
        """As `CardWorker.probe`, on the place itself only."""
        return await self._on(task, lambda worker: worker.probe(task, challenge, urgency), own=True)

    async def open_lanes(self, task: Task, challenge: bytes, lanes: Sequence[int]) -> bytes:
        """As `CardWorker.open_lanes`, on the place itself only."""
        return await self._on(task, lambda worker: worker.open_lanes(task, challenge, lanes), own=True)

    async def look(self) -> None:
        """Looks at all cards."""
        await asyncio.gather(*(worker.look() for worker in self._workers.values()))

    def is_off(self, device_id: DeviceId) -> bool:
        """Whether nothing of ours is on the device's card."""
        return self._workers[self._devices[device_id].place].is_off

    async def take_off(self, device_ids: Iterable[DeviceId]) -> None:
        """Frees the cards of these devices, all at once, and has the cards themselves say so. Raises CardFailed naming
        the card, and what is on it; then none of them is taken off.
        """
        workers = {self._devices[one].place: self._workers[self._devices[one].place] for one in device_ids}
        todo = [worker for worker in workers.values() if not worker.is_off]
        results = await asyncio.gather(*(self._free(worker) for worker in todo), return_exceptions=True)
        failed = next((one for one in results if isinstance(one, BaseException)), None)
        if failed is not None:
            for worker in todo:
                worker.put_back()
            raise failed

    async def put_back(self, device_ids: Iterable[DeviceId]) -> None:
        """The workers come back to the cards of these devices."""
        for place in dict.fromkeys(self._devices[one].place for one in device_ids):
            if self._workers[place].is_off:
                stand_in = self._stand_ins.pop(place, None)
                if stand_in is not None:
                    await stand_in.close()
                self._workers[place].put_back()

    def reports(self) -> list[WorkerReport]:
        """How each place stands."""
        return [worker.report for worker in self._workers.values()]

    def fault(self, device_id: DeviceId) -> CardFault | None:
        """What keeps a device from proving now."""
        report = self._workers[self._devices[device_id].place].report
        return report.fault if report.state == "down" else None

    async def close(self) -> None:
        """Ends all workers."""
        workers = [*self._workers.values(), *self._stand_ins.values()]
        await asyncio.gather(*(worker.close() for worker in workers))
        if self._watch is not None:
            self._watch.close()

    async def _free(self, worker: CardWorker) -> None:
        pids = worker.pids
        await worker.take_off()
        if self._watch is not None and worker.card:
            await self._watch.require_free(worker.card, pids)

    async def _on(self, task: Task, do: Callable[[CardWorker], Awaitable[Result]], own: bool = False) -> Result:
        worker = self._workers.get(task.place)
        if worker is None:
            if own:
                raise Unavailable(f"no card of this host is {task.place or 'that device'}")
            return await do(self._any())
        try:
            return await do(worker)
        except CardFailed:
            if own or not KeptProofs(proofs_folder(self._data_dir, task.place)).has(task):
                raise
            return await do(self._stand_in(task.place))

    def _any(self) -> CardWorker:
        """A worker for a device that is not served here any more: the first that works."""
        free = [worker for worker in self._workers.values() if not worker.is_off]
        found = next((worker for worker in free if worker.report.state != "down"), None) or next(iter(free), None)
        if found is None:
            raise Unavailable("all cards are leased: it is proven again when one comes back")
        return found

    def _stand_in(self, place: str) -> CardWorker:
        if place not in self._stand_ins:
            self._stand_ins[place] = self._make_stand_in(place)
        return self._stand_ins[place]

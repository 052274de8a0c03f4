"""Asking devices whether they are there, the leased ones more often: uptime is what renters are paid back by."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence

import structlog

from assay.chain.errors import ChainError
from assay.daemon.ending import end_tasks
from assay.validator.errors import DeviceFailure
from assay.validator.rules.deadlines import observed_with
from assay.validator.rules.observations import IDLE, lease_at
from assay.validator.rules.values import Device, LeasePeriod
from assay.validator.work import Services, Work

AT_ONCE = 512  # idle devices; leased ones are never kept waiting by them
STALE_EPOCHS = 2  # after which the devices of an epoch are no longer those of the market
log = structlog.get_logger()


class LivenessWatch:
    """Asks all devices of the latest epoch at work for as long as it runs, at a fixed pace: a device that does not
    answer is asked as often as one that does. `current` gives that epoch's work, None before the first.
    """

    def __init__(self, services: Services, current: Callable[[], Work | None]) -> None:
        self._services, self._current = services, current
        self._periods: Mapping[bytes, Sequence[LeasePeriod]] = {}
        self._slots = asyncio.Semaphore(AT_ONCE)
        self._asking: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Until it is cancelled."""
        pace = self._services.pace
        try:
            await asyncio.gather(
                self._watch(pace.leased_liveness_s, leased=True), self._watch(pace.liveness_s, leased=False)
            )
        finally:
            await end_tasks(self._asking)

    async def _watch(self, every_s: float, *, leased: bool) -> None:
        clock = self._services.clock
        while True:
            began = clock.elapsed_us()
            work = self._current()
            if work is not None:
                if leased:
                    await self._read_periods(work)
                self._ask_all(work, leased)
            await clock.sleep(max(0.0, every_s - (clock.elapsed_us() - began) / 1e6))

    async def _read_periods(self, work: Work) -> None:
        follower = self._services.follower
        if follower.final is None or follower.head is None:
            return
        try:
            # At the head: what is asked from the start of a lease is to count for it.
            self._periods = await self._services.reader.lease_periods(
                int(work.context.deadlines.start), follower.final, follower.head
            )
        except ChainError as error:
            log.warning("leases not read: those known are gone by", error=str(error))

    def _ask_all(self, work: Work, leased: bool) -> None:
        now = work.now()
        epoch = observed_with(self._services.reader.timing, now)
        if epoch is None or epoch > work.context.epoch + STALE_EPOCHS:
            return
        for device_id in sorted(work.context.devices):
            lease_id = lease_at(self._periods.get(device_id, ()), now)
            if (lease_id != IDLE) is leased:
                task = asyncio.create_task(self._ask(work.context.devices[device_id], epoch, lease_id))
                self._asking.add(task)
                task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._asking.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("liveness not counted", error=repr(error))

    async def _ask(self, device: Device, epoch: int, lease_id: int) -> None:
        if lease_id != IDLE:
            return await self._count(device, epoch, lease_id)
        async with self._slots:
            await self._count(device, epoch, lease_id)

    async def _count(self, device: Device, epoch: int, lease_id: int) -> None:
        services = self._services
        try:
            alive = await services.devices.alive(device, services.random(32), services.pace.alive_s)
        except DeviceFailure:
            alive = False
        services.store.count_liveness(epoch, device.device_id, lease_id, alive)

"""Asking devices whether they are there, the leased ones more often: uptime is what renters are paid back by."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import structlog

from assay.chain.errors import ChainError
from assay.daemon.ending import end_tasks
from assay.protocol.types import DeviceId
from assay.validator.chain.follower import Follower
from assay.validator.context import EpochContext
from assay.validator.errors import DeviceFailure
from assay.validator.pace import Pace
from assay.validator.ports import ChainReader, Clock, Devices
from assay.validator.rules.deadlines import observed_with
from assay.validator.rules.observations import IDLE, lease_at
from assay.validator.rules.values import EpochDevice, LeasePeriod
from assay.validator.storage.store import Store

CONCURRENCY = 512  # idle devices; leased ones are never kept waiting by them
STALE_EPOCHS = 2  # after which the devices of an epoch are no longer those of the market
log = structlog.get_logger()


@dataclass
class LivenessWatch:
    """Asks all devices of the latest epoch at work for as long as it runs, at a fixed pace: a device that does not
    answer is asked as often as one that does. `current` gives that epoch, None before the first.
    """

    reader: ChainReader
    follower: Follower
    devices: Devices
    store: Store
    clock: Clock
    pace: Pace
    random: Callable[[int], bytes]
    current: Callable[[], EpochContext | None]
    _periods: Mapping[DeviceId, Sequence[LeasePeriod]] = field(default_factory=dict)
    _slots: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(CONCURRENCY))
    _asking: set[asyncio.Task[None]] = field(default_factory=set)

    async def run(self) -> None:
        """Until it is cancelled."""
        pace = self.pace
        try:
            await asyncio.gather(
                self._watch(pace.leased_liveness_s, leased=True), self._watch(pace.liveness_s, leased=False)
            )
        finally:
            await end_tasks(self._asking)

    async def _watch(self, every_s: float, *, leased: bool) -> None:
        clock = self.clock
        while True:
            began = clock.elapsed_us()
            context = self.current()
            if context is not None:
                if leased:
                    await self._read_periods(context)
                self._ask_all(context, leased)
            await clock.sleep(max(0.0, every_s - (clock.elapsed_us() - began) / 1e6))

    async def _read_periods(self, context: EpochContext) -> None:
        follower = self.follower
        if follower.final is None or follower.head is None:
            return
        try:
            # At the head: what is asked from the start of a lease is to count for it.
            self._periods = await self.reader.lease_periods(int(context.deadlines.start), follower.final, follower.head)
        except ChainError as error:
            log.warning("leases not read: using those known", error=str(error))

    def _ask_all(self, context: EpochContext, leased: bool) -> None:
        now = self.clock.now()
        epoch = observed_with(self.reader.timing, now)
        if epoch is None or epoch > context.epoch + STALE_EPOCHS:
            return
        for device_id in sorted(context.devices):
            lease_id = lease_at(self._periods.get(device_id, ()), now)
            if (lease_id != IDLE) is leased:
                task = asyncio.create_task(self._ask(context.devices[device_id], epoch, lease_id))
                self._asking.add(task)
                task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._asking.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("liveness not counted", error=repr(error))

    async def _ask(self, device: EpochDevice, epoch: int, lease_id: int) -> None:
        if lease_id != IDLE:
            return await self._count(device, epoch, lease_id)
        async with self._slots:
            await self._count(device, epoch, lease_id)

    async def _count(self, device: EpochDevice, epoch: int, lease_id: int) -> None:
        try:
            alive = await self.devices.alive(device, self.random(32), self.pace.alive_s)
        except DeviceFailure:
            alive = False
        self.store.count_liveness(epoch, device.device_id, lease_id, alive)

"""Looks at cards beside the event loop: before every proof, at every block, and until a card is free for its renter."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor

import structlog

from assay.proof.engines.registry import AUTO
from assay.protocol.profile import Profile
from assay.provider.cards.card_worker import Look
from assay.provider.cards.faults import CardFailed, CardFault, CardFaultKind
from assay.provider.cards.readings import (
    CardError,
    CardReader,
    CardReading,
    company_fault,
    health_fault,
    memory_fault,
    requirement_fault,
)
from assay.provider.measurement.trap_engines import proves_on_card

LOOK_S = 1.0  # a driver that takes longer says nothing; a proof must not wait for it
FREE_S = 20.0
SLACK = 256 << 20  # bytes that a driver takes and gives back by itself
log = structlog.get_logger()


class CardWatch:
    """The cards of one host, by their uuids. Where `engine` is the processor's, nothing is asked of a card but to be
    there and well.
    """

    def __init__(
        self,
        reader: CardReader,
        cards: int,
        engine: str = AUTO,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._reader = reader
        self._engine = engine
        self._proves_on_card = proves_on_card(engine)
        self._clock = clock
        self._sleep = sleep
        self._threads = ThreadPoolExecutor(max(cards, 1), "card-watch")
        self._looking: dict[str, asyncio.Future[CardReading]] = {}
        self._before: dict[str, int] = {}  # bytes on a card before a worker of ours
        self.latest: dict[str, CardReading] = {}

    def of(self, uuid: str) -> Look:
        """The look at one card."""

        async def look(profile: Profile | None, ours: frozenset[int]) -> CardFault | None:
            return await self._fault(uuid, profile, ours)

        return look

    async def reading(self, uuid: str) -> CardReading:
        """The card now. Raises CardError; TimeoutError where the driver does not answer."""
        if uuid not in self._looking:
            loop = asyncio.get_running_loop()
            looking = loop.run_in_executor(self._threads, self._reader.one, uuid)
            looking.add_done_callback(lambda done: self._looked(uuid, done))
            self._looking[uuid] = looking
        # Not wait_for: before Python 3.12 it swallows a cancellation that comes as the look ends.
        async with asyncio.timeout(LOOK_S):
            return await asyncio.shield(self._looking[uuid])

    async def require_free(self, uuid: str, ours: frozenset[int]) -> None:
        """Returns once the card itself says that nothing of `ours`, or of anybody, is on it. Raises CardFailed with
        what still is, when the time is over.
        """
        end = self._clock() + FREE_S
        while True:
            held = await self._held_by(uuid, ours)
            if held is None:
                return
            if self._clock() >= end:
                raise CardFailed(uuid, CardFault(CardFaultKind.NOT_RELEASED, f"after {FREE_S:.0f} s {held}"))
            await self._sleep(0.1)

    def close(self) -> None:
        """Lets go of NVML; a look that hangs is not waited for."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._reader.close()

    async def _held_by(self, uuid: str, ours: frozenset[int]) -> str | None:
        try:
            reading = await self.reading(uuid)
        except CardError as error:
            return f"it cannot be read: {error}"
        except TimeoutError:
            return f"the driver does not answer within {LOOK_S:.0f} s"
        if reading.processes is not None:
            if reading.processes:
                pids = ", ".join(f"{pid}{' (ours)' if pid in ours else ''}" for pid, _ in reading.processes)
                return f"processes {pids} are on it"
            return None
        before = self._before.get(uuid)
        if before is not None and reading.memory_used > before + SLACK:
            return f"{reading.memory_used >> 20:,} MiB are in use, {before >> 20:,} MiB were before our worker"
        return None

    async def _fault(self, uuid: str, profile: Profile | None, ours: frozenset[int]) -> CardFault | None:
        try:
            reading = await self.reading(uuid)
        except CardError as error:
            return error.fault
        except TimeoutError:
            what = f"NVML does not answer within {LOOK_S:.0f} s"
            return CardFault(CardFaultKind.SLOW_DRIVER, what, blocks=False)
        if not ours:
            self._before[uuid] = reading.memory_used
        found = [health_fault(reading), self._reader.permission_fault(reading) if self._proves_on_card else None]
        if self._proves_on_card:
            found.append(requirement_fault(reading))
        if profile is not None:
            found.append(memory_fault(reading, profile, ours, self._engine))
        found.append(company_fault(reading, ours))
        # What blocks is named before what does not.
        return min((fault for fault in found if fault), key=lambda fault: not fault.blocks, default=None)

    def _looked(self, uuid: str, done: asyncio.Future[CardReading]) -> None:
        self._looking.pop(uuid, None)
        if not done.cancelled() and done.exception() is None:
            self.latest[uuid] = done.result()

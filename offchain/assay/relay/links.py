"""The providers that are linked, and what each link is held to."""

from __future__ import annotations

import asyncio
import secrets
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from assay.network.pipe import Duplex, Pipe
from assay.network.request_buckets import RequestBuckets
from assay.network.slots import NoSlot, Slots
from assay.protocol.types import DeviceId
from assay.relay.errors import LinkRefused
from assay.relay.limits import RelayLimits
from assay.wire.fields import Wire
from assay.wire.relay.messages import Dial, Ping, line


@dataclass
class RelayCounts:
    """What a relay has seen since it started. `refused` by kind; bytes by direction, as the provider sees them."""

    links: int = 0
    streams: int = 0
    bytes_in: int = 0
    bytes_out: int = 0
    refused: Counter[str] = field(default_factory=Counter)


class NotAccepted(Exception):
    """The provider did not take a stream in time."""


class ProviderLink:
    """One device's connection to the relay: what it is told, and the streams that lead to it. `wait` is its account's
    share of bytes, as in `Pipe`.
    """

    def __init__(
        self,
        device: DeviceId,
        provider: str,
        ports: tuple[int, ...],
        control: Duplex,
        limits: RelayLimits,
        counts: RelayCounts,
        tokens: StreamTokens,
        wait: Callable[[int], float],
        now: Callable[[], float],
    ) -> None:
        self.device, self.provider, self.ports, self.control = device, provider, ports, control
        self.tasks: set[asyncio.Task[None]] = set()
        self.bytes_in = self.bytes_out = 0
        self.ending = asyncio.Event()
        self._limits, self._counts, self._tokens, self._wait = limits, counts, tokens, wait
        self._slots = Slots(limits.streams, limits.streams_each)
        self._waiting = Slots(limits.waiting, limits.waiting_each)
        self._dials = RequestBuckets(limits.dials_per_s, limits.dials_burst, now)
        self._lines = RequestBuckets(limits.lines_per_s, limits.lines_burst, now)

    @property
    def streams(self) -> int:
        """How many are open or about to be."""
        return self._slots.taken

    @property
    def waiting(self) -> int:
        """How many of these the provider has not taken yet."""
        return self._waiting.taken

    async def send(self, message: Wire) -> None:
        """Tells the provider. One that does not take the line in time is gone: the link ends. Raises OSError."""
        self.control.writer.write(line(message))
        try:
            async with asyncio.timeout(self._limits.send_s):
                await self.control.writer.drain()
        except OSError:
            self.ending.set()
            raise

    async def keep(self) -> None:
        """Pings, until the link ends or is to end. The provider has nothing to say but that it is there."""
        answers = asyncio.create_task(self._hear())
        pings = asyncio.create_task(self._ping())
        ending = asyncio.create_task(self.ending.wait())
        tasks: list[asyncio.Task[object]] = [answers, pings, ending]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def pass_on(self, caller: Duplex, index: int, source: str, who: str) -> None:
        """One caller's stream, to its end. `source` is the caller's address, `who` the asker that limits go by."""
        try:
            with self._taken(self._slots, who):
                with self._taken(self._waiting, who):
                    first, provider = await self._accepted(caller, index, source)
                self._counts.streams += 1
                pipe = Pipe(caller, provider, self._limits.pipe, wait=self._wait, passed=self._passed)
                await pipe.run(first)
        except NoSlot as full:
            self._counts.refused["stream-address" if full.status == 429 else "stream"] += 1
        except NotAccepted:
            self._counts.refused["not-accepted"] += 1
        except OSError:
            self._counts.refused["silent"] += 1
        finally:
            caller.abort()

    async def _accepted(self, caller: Duplex, index: int, source: str) -> tuple[bytes, Duplex]:
        # Who says nothing is no renter: TLS and SSH clients speak first, and nobody's provider is woken for others.
        async with asyncio.timeout(self._limits.first_s):
            first = await caller.reader.read(1 << 12)
        if not first:
            raise ConnectionResetError("the caller left")
        if self._dials.take("all") > 0:
            raise NoSlot(503, "too many new streams")
        with self._tokens.awaited() as (token, coming):
            await self.send(Dial(token=token, port=index, source=source[:64]))
            try:
                async with asyncio.timeout(self._limits.dial_s):
                    return first, await coming
            except TimeoutError:
                raise NotAccepted from None

    @contextmanager
    def _taken(self, slots: Slots, who: str) -> Iterator[None]:
        slot = slots.take(who)
        try:
            yield
        finally:
            slot.give_back()

    async def _hear(self) -> None:
        while True:
            async with asyncio.timeout(3 * self._limits.ping_s):
                said = await self.control.reader.read(1 << 10)
            if not said or self._lines.take("all") > 0:
                return

    async def _ping(self) -> None:
        while True:
            await asyncio.sleep(self._limits.ping_s)
            await self.send(Ping())

    def _passed(self, count: int, outwards: bool) -> None:
        if outwards:
            self.bytes_out += count
            self._counts.bytes_out += count
        else:
            self.bytes_in += count
            self._counts.bytes_in += count


class StreamTokens:
    """Streams that wait for their provider, by one-time tokens of 32 random bytes."""

    def __init__(self, new: Callable[[int], bytes] = secrets.token_bytes) -> None:
        self._new = new
        self._coming: dict[bytes, asyncio.Future[Duplex]] = {}

    def __len__(self) -> int:
        return len(self._coming)

    @contextmanager
    def awaited(self) -> Iterator[tuple[bytes, asyncio.Future[Duplex]]]:
        """A token, and what will be shown with it; afterwards it is worth nothing."""
        token, coming = self._new(32), asyncio.get_running_loop().create_future()
        self._coming[token] = coming
        try:
            yield token, coming
        except BaseException:
            # It came, and whoever waited for it no longer does.
            if coming.done() and not coming.cancelled():
                coming.result().abort()
            raise
        finally:
            self._coming.pop(token, None)
            coming.cancel()

    def show(self, token: bytes, streams: Duplex) -> None:
        """Hands the streams to whoever waits for the token, once. Raises LinkRefused where nobody does."""
        coming = self._coming.pop(token, None)
        if coming is None or coming.done():
            raise LinkRefused("token", "nobody waits for this stream")
        coming.set_result(streams)

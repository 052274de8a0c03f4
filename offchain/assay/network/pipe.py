"""Bytes passed on between two streams, in bounded memory: nothing is read that the other side does not take.

Whoever takes nothing for a while, and a stream on which nothing moves, is let go.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

CHUNK = 64 << 10  # bytes read at once, and held for one side before the other is not read any more


@dataclass(frozen=True, slots=True)
class Duplex:
    """Both directions of one connection."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def close(self, flush_s: float) -> None:
        """Writes out what is held, for `flush_s` seconds at most, and lets the connection go."""
        self.writer.close()
        try:
            async with asyncio.timeout(flush_s):
                await self.writer.wait_closed()
        except (OSError, TimeoutError):
            # Whoever does not take the end is cut off.
            self.abort()
        except asyncio.CancelledError:
            self.abort()
            raise

    def abort(self) -> None:
        """Lets the connection go at once."""
        self.writer.transport.abort()

    async def line(self, max_bytes: int) -> bytes:
        """The next line. Raises ValueError for one that is longer or breaks off, OSError."""
        try:
            found = await self.reader.readuntil(b"\n")
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            raise ValueError("the connection ended within a line, or the line does not end") from None
        if len(found) > max_bytes:
            raise ValueError(f"a line of more than {max_bytes} bytes")
        return found


@dataclass(frozen=True, slots=True)
class PipeLimits:
    """Seconds. `idle_s` that nothing may move in either direction, `stall_s` that one side may take nothing while there
    is something for it."""

    idle_s: float
    stall_s: float


class Pipe:
    """One stream between `near` and `far`. `wait(n)` tells for how many seconds n more bytes have to wait, 0 where they
    may pass and are counted by it; `passed(n, outwards)` hears of what went through, outwards from far to near.
    """

    def __init__(
        self,
        near: Duplex,
        far: Duplex,
        limits: PipeLimits,
        *,
        wait: Callable[[int], float] = lambda _: 0.0,
        passed: Callable[[int, bool], None] = lambda _count, _outwards: None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._near, self._far, self._limits = near, far, limits
        self._wait, self._passed, self._sleep = wait, passed, sleep
        self._moved = 0
        for side in (near, far):
            side.writer.transport.set_write_buffer_limits(high=CHUNK)

    async def run(self, first: bytes = b"") -> None:
        """Passes `first` from near to far, then what comes on either side, until one side ends, fails or breaks a
        limit; both are closed then. A side that ends ends the stream: what it sent before is still delivered.
        """
        ways = [
            asyncio.create_task(self._pass(self._near, self._far, False, first)),
            asyncio.create_task(self._pass(self._far, self._near, True, b"")),
            asyncio.create_task(self._watch()),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            self._near.abort()
            self._far.abort()
            raise
        finally:
            for task in ways:
                task.cancel()
            ended = await asyncio.gather(*ways, return_exceptions=True)
        await asyncio.gather(self._near.close(self._limits.stall_s), self._far.close(self._limits.stall_s))
        for failure in ended:
            # Failures of either side are the stream's end and nothing more.
            if isinstance(failure, Exception) and not isinstance(failure, OSError):
                raise failure

    async def _pass(self, source: Duplex, target: Duplex, outwards: bool, first: bytes) -> None:
        data = first or await source.reader.read(CHUNK)
        while data:
            while (seconds := self._wait(len(data))) > 0:
                await self._sleep(seconds)
                self._moved += 1  # held up by us, and not idle
            target.writer.write(data)
            async with asyncio.timeout(self._limits.stall_s):
                await target.writer.drain()
            self._moved += 1
            self._passed(len(data), outwards)
            data = await source.reader.read(CHUNK)

    async def _watch(self) -> None:
        # Ends after one to two times the limit: nothing has to be set anew with each byte.
        seen = -1
        while seen != self._moved:
            seen = self._moved
            await asyncio.sleep(self._limits.idle_s)

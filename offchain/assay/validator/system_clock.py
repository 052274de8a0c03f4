"""The machine's clocks."""

from __future__ import annotations

import asyncio
import time


class SystemClock:
    """Wall time for what is agreed with others, a monotonic clock for what is measured."""

    def now(self) -> float:
        """Unix seconds."""
        return time.time()

    def elapsed_us(self) -> int:
        """Microseconds on a clock that never steps back."""
        return time.monotonic_ns() // 1_000

    async def sleep(self, seconds: float) -> None:
        """Lets others run meanwhile."""
        await asyncio.sleep(seconds)

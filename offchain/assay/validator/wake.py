"""Waiting for something to become true: a block, a message, or a moment."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from assay.validator.ports import Clock

TICK_S = 0.25  # conditions on the clock are looked at this often


class Wake:
    """Wakes everybody who waits whenever anything has changed."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._event = asyncio.Event()

    def notify(self) -> None:
        """Something changed."""
        self._event.set()
        self._event = asyncio.Event()

    async def until(self, condition: Callable[[], bool], deadline: float) -> bool:
        """Waits until the condition holds (True) or the deadline, Unix seconds, has passed (False)."""
        while not condition():
            left = deadline - self._clock.now()
            if left <= 0:
                return False
            event = self._event
            try:
                async with asyncio.timeout(min(left, TICK_S)):
                    await event.wait()
            except TimeoutError:
                continue
        return True

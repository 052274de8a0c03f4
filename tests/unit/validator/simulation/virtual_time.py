"""An event loop whose clock jumps to the next timer: an epoch takes as long as its arithmetic."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

START = 1_700_000_000.0


class VirtualLoop(asyncio.SelectorEventLoop):
    """Time stands still while anything can run, threads too, and jumps when nothing can."""

    def __init__(self) -> None:
        super().__init__()
        self._now = 0.0
        self._in_threads = 0

    def time(self) -> float:
        return self._now

    def run_in_executor(self, executor: Any, func: Any, *args: Any) -> asyncio.Future[Any]:
        future = super().run_in_executor(executor, func, *args)
        self._in_threads += 1
        future.add_done_callback(self._back_from_thread)
        return future

    def _back_from_thread(self, _: object) -> None:
        self._in_threads -= 1

    def _run_once(self) -> None:
        if not self._ready and self._scheduled and not self._in_threads:
            self._now = max(self._now, self._scheduled[0]._when)
        super()._run_once()


class VirtualClock:
    """The validator's clock over the loop; `offset` makes it wrong."""

    def __init__(self, offset: float = 0.0) -> None:
        self.offset = offset

    def now(self) -> float:
        return START + asyncio.get_running_loop().time() + self.offset

    def elapsed_us(self) -> int:
        return int(asyncio.get_running_loop().time() * 1e6)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


def run(work: Coroutine[Any, Any, Any]) -> Any:
    """Runs to the end in virtual time."""
    loop = VirtualLoop()
    try:
        return loop.run_until_complete(work)
    finally:
        loop.run_until_complete(_end_all())
        loop.close()


async def _end_all() -> None:
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)

"""Virtual time: it jumps where nothing can run, and waits for threads."""

from __future__ import annotations

import asyncio
import threading

from tests.unit.validator.simulation.virtual_time import run


def test_time__while_a_thread_works__stands_still() -> None:
    begun, may_end = threading.Event(), threading.Event()

    def work() -> None:
        begun.set()
        assert may_end.wait(20)

    async def measured() -> tuple[float, float]:
        loop = asyncio.get_running_loop()
        working = asyncio.create_task(asyncio.to_thread(work))
        sleeping = asyncio.create_task(asyncio.sleep(1_000))
        await asyncio.sleep(0)
        assert begun.wait(20)
        # Real time enough for a loop that does not wait to jump.
        loop.call_soon(threading.Timer(0.2, may_end.set).start)
        await working
        before = loop.time()
        await sleeping
        return before, loop.time()

    assert run(measured()) == (0.0, 1_000.0)

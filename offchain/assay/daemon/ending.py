"""The end of a daemon: told by a signal, and of all its tasks for certain."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Iterable
from typing import Any

ASK_AGAIN_S = 1.0


async def end_tasks(tasks: Iterable[asyncio.Task[Any]], *, ask_again_s: float = ASK_AGAIN_S) -> None:
    """Cancels the tasks until each has ended; what they raise is dropped.

    Once is not enough: before Python 3.12 `asyncio.wait_for` can lose a cancellation that meets the end of what it
    waits for, and a task that retries after errors then goes on as if nobody had asked it to stop.
    """
    pending = set(tasks)
    everything = list(pending)
    while pending:
        for task in pending:
            task.cancel()
        _, pending = await asyncio.wait(pending, timeout=ask_again_s)
    await asyncio.gather(*everything, return_exceptions=True)


def on_stop(stop: Callable[[], None]) -> None:
    """Has SIGINT and SIGTERM call `stop` in the running loop."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop)

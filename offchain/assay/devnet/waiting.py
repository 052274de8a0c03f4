"""Waiting for the chain to show something, while watching that every process lives."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import NoReturn, TypeVar

from assay.devnet.errors import TookTooLong
from assay.devnet.network import Network
from assay.devnet.processes import Processes

POLL_SECONDS = 0.5
T = TypeVar("T")


async def until(what: str, seconds: float, network: Network, look: Callable[[], T | None]) -> T:
    """What `look` finds, asked again until it is not None. `seconds` are those of the shortest epochs.

    Raises TookTooLong after them, ChildFailed when a daemon ends meanwhile.
    """
    seconds = network.plan.patience(seconds)
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        network.processes.check()
        found = await asyncio.to_thread(look)
        if found is not None:
            return found
        await asyncio.sleep(POLL_SECONDS)
    raise TookTooLong(what, seconds)


async def until_a_process_ends(processes: Processes) -> NoReturn:
    """Stays until cancelled. Raises ChildFailed when a daemon ends meanwhile."""
    while True:
        processes.check()
        await asyncio.sleep(POLL_SECONDS)

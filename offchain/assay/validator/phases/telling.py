"""Gossip in the background of a phase."""

from __future__ import annotations

import asyncio

from assay.validator.work import Work
from assay.wire.fields import Wire

_running: set[asyncio.Task[None]] = set()


def others(work: Work) -> list[str]:
    """Accounts of the other seats."""
    return [seat.account for i, seat in enumerate(work.context.seats) if i != work.context.own]


def tell_all(work: Work, path: str, message: Wire, deadline: float) -> None:
    """Starts telling every other seat; it goes on until each has taken it or the deadline has passed."""
    task = asyncio.create_task(work.services.gossip.tell(others(work), path, message, deadline))
    # The loop keeps only weak references to tasks.
    _running.add(task)
    task.add_done_callback(_running.discard)

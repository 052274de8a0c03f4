"""Gossip in the background of a phase."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from assay.validator.peers.gossip import Gossiper
from assay.wire.gossip import SeatMessage

_running: set[asyncio.Task[None]] = set()


def broadcast(gossip: Gossiper, accounts: Sequence[str], path: str, message: SeatMessage, deadline: float) -> None:
    """Starts telling each account; it goes on until each has taken it or the deadline has passed."""
    task = asyncio.create_task(gossip.tell(accounts, path, message, deadline))
    # The loop keeps only weak references to tasks.
    _running.add(task)
    task.add_done_callback(_running.discard)

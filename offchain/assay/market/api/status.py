"""How far the index is, for answers, readiness and metrics."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from assay.market.follow.index import Tip


@dataclass
class Status:
    """Kept up to date by the followers, read by every request. `clock` gives seconds since 1970."""

    network: str
    chain_id: int
    tip: Tip | None = None
    head: int = 0  # newest final block seen
    last_error: str = ""
    unread: int = 0  # logs that could not be read and were left out
    revision: int = 0  # counts what was taken in from outside the chain
    dropped: int = 0  # rows dropped for their age
    clock: Callable[[], float] = time.time
    moved: asyncio.Event = field(default_factory=asyncio.Event)

    def move(self, tip: Tip | None, head: int) -> None:
        """Notes a step of the chain follower and wakes those who wait for one."""
        changed = tip != self.tip
        self.tip, self.head, self.last_error = tip, head, ""
        if changed:
            self.moved.set()
            self.moved = asyncio.Event()

    def took_in(self) -> None:
        """Notes that offers or contents have changed the index."""
        self.revision += 1

    @property
    def block(self) -> int:
        """The newest indexed block, 0 before the first."""
        return self.tip.block if self.tip else 0

    @property
    def timestamp(self) -> int:
        """Seconds since 1970 of the newest indexed block."""
        return self.tip.timestamp if self.tip else 0

    @property
    def lag_blocks(self) -> int:
        """Final blocks that are not indexed yet."""
        return max(0, self.head - self.block)

    @property
    def lag_seconds(self) -> int:
        """Age of the newest indexed block."""
        return max(0, int(self.clock()) - self.timestamp) if self.tip else 0

    @property
    def ready(self) -> bool:
        """Whether answers are worth having: there is an index and it follows the chain."""
        return self.tip is not None and self.lag_blocks == 0 and not self.last_error

"""How far the index is, for answers, readiness and metrics."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from assay.market.follow.index import Tip
from assay.network.addresses import LOCAL_CHAINS

# A chain is taken to stand still once its newest final block is older than this, in seconds: on public chains blocks
# become final up to twenty minutes after they were made, on local ones at once.
STALE_AFTER_S, STALE_AFTER_LOCAL_S = 1_800.0, 60.0
# What passes within this many seconds is normal running: a head that has just moved, a node that is asked again.
PASSING_S = 60.0


@dataclass
class Status:
    """Kept up to date by the followers, read by every request. `clock` gives seconds since 1970."""

    network: str
    chain_id: int
    tip: Tip | None = None
    head: int = 0  # newest final block seen
    last_error: str = ""
    unread: int = 0  # logs that could not be read and were left out
    stale_after: float = 0.0  # seconds; 0 is by the chain
    looked_at: float = 0.0  # when the chain was last read
    level_at: float = 0.0  # when the index last had every final block
    revision: int = 0  # counts what was taken in from outside the chain
    dropped: int = 0  # rows dropped for their age
    clock: Callable[[], float] = time.time
    moved: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        if not self.stale_after:
            self.stale_after = STALE_AFTER_LOCAL_S if self.chain_id in LOCAL_CHAINS else STALE_AFTER_S
        self.level_at = self.clock()

    def move(self, tip: Tip | None, head: int) -> None:
        """Notes a step of the chain follower and wakes those who wait for one."""
        changed = tip != self.tip
        self.tip, self.head, self.last_error = tip, head, ""
        self.looked_at = self.clock()
        if self.lag_blocks == 0:
            self.level_at = self.looked_at
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
    def now(self) -> int:
        """The time, as the chain would tell it: blocks that are not final yet have gone on meanwhile."""
        return max(self.timestamp, int(self.clock()))

    @property
    def stale(self) -> bool:
        """Whether nothing new has come for so long that what is shown may not hold any more."""
        return self.tip is not None and self.lag_seconds > self.stale_after

    @property
    def trouble(self) -> str:
        """Why answers are not worth having, "" where they are."""
        since = self.clock() - PASSING_S
        if self.tip is None:
            return self.last_error or "nothing is indexed yet"
        if self.looked_at < since:
            return (
                f"the chain was last read {int(self.clock() - self.looked_at)} s ago: {self.last_error or 'no error'}"
            )
        if self.lag_blocks and self.level_at < since:
            return f"the index is {self.lag_blocks} blocks behind the chain"
        if self.stale:
            return (
                f"no block has become final for {self.lag_seconds} s: "
                f"the chain, or the node that this market reads, has stalled"
            )
        return ""

    @property
    def ready(self) -> bool:
        """Whether answers are worth having: the index follows a chain that goes on."""
        return not self.trouble

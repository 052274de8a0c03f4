"""How many proofs were made for challenges, and how long they took."""

from __future__ import annotations

import time
from collections.abc import Awaitable
from dataclasses import dataclass, field
from typing import TypeVar

T = TypeVar("T")
OUTCOMES = ("made", "failed")


@dataclass
class ProofMeter:
    """Counts since the start; seconds of the last proof and of all."""

    counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(OUTCOMES, 0))
    last_s: float = 0.0
    total_s: float = 0.0

    async def timed(self, proof: Awaitable[T]) -> T:
        """Waits for a proof, and counts how it ended."""
        began = time.monotonic()
        try:
            made = await proof
        except BaseException:
            self.counts["failed"] += 1
            raise
        self.last_s = time.monotonic() - began
        self.total_s += self.last_s
        self.counts["made"] += 1
        return made

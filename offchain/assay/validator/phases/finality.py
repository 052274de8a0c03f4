"""Waiting for the chain to have moved on, or to be past moving."""

from __future__ import annotations

from assay.protocol.epochs import Phase
from assay.validator.follower import Follower
from assay.validator.wake import Wake

PATIENCE_S = 24 * 3600  # with a chain that has stopped


async def settled(follower: Follower, wake: Wake, epoch: int, reached: Phase, closes: float) -> bool:
    """Whether the epoch has come to `reached` at a final block.

    False when a block after `closes` (Unix seconds) has not come so far, or the epoch is void: it never will.
    """

    def arrived() -> bool:
        return follower.phase(epoch) >= reached

    def hopeless() -> bool:
        if not follower.is_read(epoch):
            return False
        head, phase = follower.head, follower.head_phase(epoch)
        return phase == Phase.VOID or (head is not None and head.timestamp > closes and phase < reached)

    await wake.until(lambda: arrived() or hopeless(), closes + PATIENCE_S)
    return arrived() and follower.phase(epoch) != Phase.VOID

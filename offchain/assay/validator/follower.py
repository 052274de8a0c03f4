"""Follows the chain: the head to know what is worth sending, the final block to know what is so."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import structlog

from assay.chain.blocks import Block
from assay.chain.errors import ChainError
from assay.protocol.epochs import EpochState, Phase
from assay.validator.ports import ChainReader, Clock
from assay.validator.wake import Wake

log = structlog.get_logger()


@dataclass
class Follower:
    """Blocks and watched epochs, as of the last poll that worked.

    `final` is what decisions stand on; `head` only says when a transaction may be worth simulating.
    """

    reader: ChainReader
    wake: Wake
    clock: Clock
    poll_s: float
    head: Block | None = None
    final: Block | None = None
    polled_at: float = 0.0
    error: str = ""
    watched: set[int] = field(default_factory=set)
    _at_final: dict[int, EpochState] = field(default_factory=dict)
    _at_head: dict[int, EpochState] = field(default_factory=dict)

    def watch(self, epoch: int) -> None:
        """Reads this epoch's state with every new block from now on."""
        self.watched.add(epoch)

    def forget(self, epoch: int) -> None:
        """Reads it no more."""
        self.watched.discard(epoch)
        self._at_final.pop(epoch, None)
        self._at_head.pop(epoch, None)

    def at_final(self, epoch: int) -> EpochState | None:
        """A watched epoch at the final block; None before it was read."""
        return self._at_final.get(epoch)

    def at_head(self, epoch: int) -> EpochState | None:
        """A watched epoch at the head; None before it was read."""
        return self._at_head.get(epoch)

    def phase(self, epoch: int) -> Phase:
        """Phase at the final block."""
        state = self.at_final(epoch)
        return Phase.NONE if state is None else state.phase

    def head_phase(self, epoch: int) -> Phase:
        """Phase at the head."""
        state = self.at_head(epoch)
        return Phase.NONE if state is None else state.phase

    def is_read(self, epoch: int) -> bool:
        """Whether a watched epoch's state is known by now: a phase of NONE means something only then."""
        return epoch in self._at_head and epoch in self._at_final

    async def poll(self) -> None:
        """Reads the blocks, and what is watched where they moved. Raises ChainError."""
        head = await self.reader.head()
        head_moved = self.head is None or head.hash != self.head.hash
        known = self.watched <= self._at_head.keys() and self.watched <= self._at_final.keys()
        if not head_moved and known:
            self.polled_at, self.error = self.clock.now(), ""
            return
        final = await self.reader.final()
        final_moved = self.final is None or final.hash != self.final.hash
        for epoch in sorted(self.watched):
            if head_moved or epoch not in self._at_head:
                self._at_head[epoch] = await self.reader.epoch(epoch, head)
            if final_moved or epoch not in self._at_final:
                self._at_final[epoch] = await self.reader.epoch(epoch, final)
        self.head, self.final = head, final
        self.polled_at, self.error = self.clock.now(), ""
        self.wake.notify()

    async def run(self, stopping: Callable[[], bool]) -> None:
        """Polls until told to stop. An unreachable chain is waited for."""
        while not stopping():
            try:
                await self.poll()
            except ChainError as error:
                if not self.error:
                    log.warning("chain unavailable", error=str(error))
                self.error = str(error)
            await self.clock.sleep(self.poll_s)

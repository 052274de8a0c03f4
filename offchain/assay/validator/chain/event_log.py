"""A contract's events up to a final block, each read once."""

from __future__ import annotations

from collections.abc import Sequence

from assay.chain.rpc.blocks import Block
from assay.chain.rpc.client import Chain
from assay.chain.rpc.events import DecodedLog, event_pieces


class EventLog:
    """Events of some names; each call reads only what is new, and starts over after a reorganisation."""

    def __init__(self, chain: Chain, contract: str, names: Sequence[str]) -> None:
        self._chain, self._contract, self._names = chain, contract, tuple(names)
        self._events: list[DecodedLog] = []
        self._next = chain.deployment.block
        self._last: Block | None = None

    async def until(self, block: Block) -> list[DecodedLog]:
        """Events up to a final block, oldest first. Raises ChainError."""
        if self._last is not None and not await self._chain.is_canonical(self._last):
            self._events, self._next, self._last = [], self._chain.deployment.block, None
        async for end, events in event_pieces(self._chain, self._contract, self._names, self._next, block):
            self._events += events
            self._next = end + 1
        if self._last is None or self._last.number < block.number:
            self._last = block
        return [event for event in self._events if event.block_number <= block.number]

"""Follows the chain by final blocks: resumes where the index ends, goes back where the chain has."""

from __future__ import annotations

import asyncio

import structlog

from assay.chain.rpc.blocks import Block
from assay.market.events.fault_events import FaultProven
from assay.market.events.seat_events import SetChanged
from assay.market.follow.index import LogBatch, MarketIndex, Tip
from assay.market.sources.chain_source import ChainSource

MAX_BLOCKS = 5_000  # in one batch

log = structlog.get_logger()


class ChainFollower:
    """Brings the index to the newest final block. `first_block` is the deployment's."""

    def __init__(self, index: MarketIndex, source: ChainSource, first_block: int) -> None:
        self._index = index
        self._source = source
        self._first = first_block

    async def step(self) -> bool:
        """Applies one batch. Returns whether there may be more. Raises ChainError
        where the chain cannot be read.
        """
        head = await self._source.finalised()
        tip = await self._common_tip(head)
        first = self._first if tip is None else tip.block + 1
        if first > head.number:
            return False
        last = head
        if head.number - first + 1 > MAX_BLOCKS:
            found = await self._source.block(first + MAX_BLOCKS - 1)
            if found is None:
                return False
            last = found
        logs = await self._source.logs(first, last)
        sets, calls = {}, {}
        for entry in logs:
            record = entry.record()
            if isinstance(record, SetChanged):
                sets[record.set_id] = await self._source.seats(record.set_id, last)
            if isinstance(record, FaultProven):
                calls[entry.place.transaction] = await self._source.calldata(entry.place.transaction)
        batch = LogBatch(logs, sets, Tip(last.number, last.hash, last.timestamp), calls)
        written = await asyncio.to_thread(self._index.apply, batch)
        log.debug("blocks indexed", first=first, last=last.number, logs=len(logs), rows=written)
        return last.number < head.number

    async def _common_tip(self, head: Block) -> Tip | None:
        """The newest batch end that the chain still has; what lies above it is taken back.

        A node that merely lags behind the index changes nothing.
        """
        tips = await asyncio.to_thread(self._index.known_tips)
        for tip in tips:
            if tip.block > head.number:
                continue
            block = head if tip.block == head.number else await self._source.block(tip.block)
            if block is None or block.hash != tip.hash:
                continue
            replaced = next((t for t in reversed(tips) if tip.block < t.block <= head.number), None)
            if replaced is None:
                return tips[0]
            log.warning("chain reorganised below finality", back_to=tip.block, newest=tips[0].block)
            await asyncio.to_thread(self._index.roll_back, tip.block)
            return tip
        if tips and tips[-1].block <= head.number:
            log.warning("chain reorganised beyond the journal", newest=tips[0].block)
            await asyncio.to_thread(self._index.roll_back, self._first - 1)
            return None
        return tips[0] if tips else None

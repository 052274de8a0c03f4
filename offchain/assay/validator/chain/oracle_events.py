"""Which block opened, drew and reported each epoch, and which reports count, by the oracle's events."""

from __future__ import annotations

from collections.abc import Sequence

from assay.chain.rpc.blocks import Block
from assay.chain.rpc.client import Chain
from assay.chain.rpc.events import DecodedLog, event_pieces
from assay.validator.ports import ReportedEpoch


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


DISTRIBUTOR = "RewardsDistributor"
MAX_REPORTS = 8
_EVENTS = ("EpochOpened", "EpochSealed", "EpochDrawn", "EpochReported")


class OracleEvents:
    """Answers as of final blocks. Each method raises ChainError."""

    def __init__(self, chain: Chain) -> None:
        self._chain = chain
        self._epochs = EventLog(chain, "EpochOracle", _EVENTS)
        self._vetoes = EventLog(chain, DISTRIBUTOR, ("RewardsVetoed",))

    async def block_of(self, name: str, epoch: int, until: Block) -> Block | None:
        """The block with this event of the epoch, None where there is none up to `until`."""
        event = await self._event(name, epoch, until)
        return None if event is None else await self._chain.block(event.block_number)

    async def accepted_round(self, name: str, epoch: int, until: Block) -> int | None:
        """The round of the accepted seal (EpochSealed) or report (EpochReported), None where there is none."""
        event = await self._event(name, epoch, until)
        return None if event is None else int(event.args["round"])

    async def reports(self, before_epoch: int, at: Block) -> list[ReportedEpoch]:
        """The latest reports of epochs before this one that count at a final block,
        latest first; at most `MAX_REPORTS`."""
        reported = {e.args["epoch"]: e for e in await self._epochs.until(at) if e.name == "EpochReported"}
        if DISTRIBUTOR in self._chain.deployment.contracts:
            for veto in await self._vetoes.until(at):
                reported.pop(veto.args["epoch"], None)
        standing = sorted((epoch for epoch in reported if epoch < before_epoch), reverse=True)[:MAX_REPORTS]
        return [
            ReportedEpoch(e, reported[e].args["rewardsRoot"], await self._chain.block(reported[e].block_number))
            for e in standing
        ]

    async def _event(self, name: str, epoch: int, until: Block) -> DecodedLog | None:
        events = await self._epochs.until(until)
        return next((e for e in reversed(events) if (e.name, e.args["epoch"]) == (name, epoch)), None)

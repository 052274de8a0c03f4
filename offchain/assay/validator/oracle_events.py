"""Which block opened, drew and reported each epoch, followed through the oracle's events."""

from __future__ import annotations

from assay.chain.blocks import Block
from assay.chain.client import Chain
from assay.chain.events import Event, event_pieces
from assay.validator.ports import ReportedEpoch

DISTRIBUTOR = "RewardsDistributor"
MOST_REPORTS = 8
_EVENTS = ("EpochOpened", "EpochSealed", "EpochDrawn", "EpochReported")


class OracleEvents:
    """Events up to a final block; each refresh reads only what is new, and starts over after a
    reorganisation.
    """

    def __init__(self, chain: Chain) -> None:
        self._chain = chain
        self._blocks: dict[tuple[str, int], int] = {}
        self._reports: dict[int, Event] = {}
        self._rounds: dict[tuple[str, int], int] = {}
        self._vetoed: dict[int, int] = {}  # epoch -> block of the veto of its rewards
        self._next = chain.deployment.block
        self._last: Block | None = None

    async def block_of(self, name: str, epoch: int, until: Block) -> Block | None:
        """The block with this event of the epoch, None where there is none up to `until`."""
        await self._refresh(until)
        number = self._blocks.get((name, epoch))
        return None if number is None or number > until.number else await self._chain.block(number)

    async def accepted_round(self, name: str, epoch: int, until: Block) -> int | None:
        """The round of the accepted seal (EpochSealed) or report (EpochReported), None where there is none."""
        await self._refresh(until)
        return self._rounds.get((name, epoch))

    async def reports(self, before_epoch: int, until: Block, drawn: Block) -> list[ReportedEpoch]:
        """The latest reports of epochs before this one, latest first, less those vetoed by the block `drawn`.

        At most `MOST_REPORTS`; which were vetoed is asked of one block, so that all signers go on from the same.
        """
        await self._refresh(until)
        standing = [
            event
            for epoch, event in self._reports.items()
            if epoch < before_epoch
            and event.block_number <= until.number
            and self._vetoed.get(epoch, drawn.number + 1) > drawn.number
        ]
        latest = sorted(standing, key=lambda event: -event.args["epoch"])[:MOST_REPORTS]
        return [
            ReportedEpoch(e.args["epoch"], e.args["rewardsRoot"], await self._chain.block(e.block_number))
            for e in latest
        ]

    async def _refresh(self, until: Block) -> None:
        if self._last is not None and not await self._chain.is_canonical(self._last):
            self._blocks, self._reports, self._rounds, self._vetoed = {}, {}, {}, {}
            self._next = self._chain.deployment.block
        if self._last is not None and until.number <= self._last.number and self._next > until.number:
            return
        async for end, events in event_pieces(self._chain, "EpochOracle", _EVENTS, self._next, until):
            for event in events:
                self._blocks[event.name, event.args["epoch"]] = event.block_number
                if "round" in event.args:
                    self._rounds[event.name, event.args["epoch"]] = event.args["round"]
                if event.name == "EpochReported":
                    self._reports[event.args["epoch"]] = event
            await self._refresh_vetoes(self._next, end)
            self._next = end + 1
        self._last = until

    async def _refresh_vetoes(self, first: int, last: int) -> None:
        if DISTRIBUTOR not in self._chain.deployment.contracts:
            return
        end = await self._chain.block(last)
        async for _, events in event_pieces(self._chain, DISTRIBUTOR, ("RewardsVetoed",), first, end):
            for event in events:
                self._vetoed[event.args["epoch"]] = event.block_number

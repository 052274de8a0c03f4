"""Saying that this seat was there in an epoch that stopped before its seal: when an eviction is asked for, what nobody
could seal must not count against those who were there."""

from __future__ import annotations

from dataclasses import dataclass, field

import structlog
from sqlalchemy.exc import OperationalError

from assay.chain.errors import ChainError
from assay.chain.rpc.blocks import Block
from assay.protocol.epochs import Phase
from assay.validator.chain.follower import Follower
from assay.validator.pace import Pace
from assay.validator.ports import ChainReader, ChainWriter, Clock
from assay.validator.rules.deadlines import deadlines
from assay.validator.storage.store import Store

EPOCHS_BACK = 1  # the contract takes it to the end of the epoch after
log = structlog.get_logger()


@dataclass
class CheckIns:
    """Checks in once for each such epoch in whose set `account` sits, also for one it was down in."""

    account: str
    reader: ChainReader
    writer: ChainWriter
    follower: Follower
    store: Store
    clock: Clock
    pace: Pace
    _settled: set[int] = field(default_factory=set)  # needs none, or has one

    async def run(self) -> None:
        """Until it is cancelled."""
        while True:
            try:
                await self.look()
            except (ChainError, OperationalError) as error:
                log.warning("check-in failed: trying again", error=str(error))
            await self.clock.sleep(self.pace.stagger_s)

    async def look(self) -> None:
        """Checks in where it is due. Raises ChainError."""
        current = self.reader.timing.epoch_at(self.clock.now())
        final = self.follower.final
        if current is None or final is None:
            return
        known = self.store.check_ins()
        self._settled = {epoch for epoch in self._settled if epoch >= current - EPOCHS_BACK}
        for epoch in range(max(0, current - EPOCHS_BACK), current + 1):
            if epoch not in self._settled and epoch not in known and await self._is_settled(epoch, final):
                self._settled.add(epoch)

    async def _is_settled(self, epoch: int, final: Block) -> bool:
        if final.timestamp <= deadlines(self.reader.timing, epoch).seal_by:
            return False
        state = await self.reader.epoch(epoch, final)
        if state.phase not in (Phase.OPEN, Phase.VOID) or state.seal_block != 0:
            return True  # never opened, or sealed: there is nothing to check in for
        if all(seat.account != self.account for seat in await self.reader.seats(state.set_id, final)):
            return True
        if await self.reader.has_checked_in(self.account, epoch, final):
            self.store.put_check_in(epoch, "")
            return True
        transaction = await self.writer.check_in(epoch)
        if transaction is None:
            return False
        self.store.put_check_in(epoch, transaction.hash)
        log.info("checked in", epoch=epoch, transaction=transaction.hash, gas=transaction.gas_used)
        return True

"""Saying that this seat was there in an epoch that stopped before its seal: when an eviction is asked for, what nobody
could seal must not count against those who were there."""

from __future__ import annotations

import structlog
from sqlalchemy.exc import OperationalError

from assay.chain.errors import ChainError
from assay.protocol.epochs import Phase
from assay.validator.rules.deadlines import deadlines
from assay.validator.work import Services

EPOCHS_BACK = 1  # the contract takes it to the end of the epoch after
log = structlog.get_logger()


class CheckIns:
    """Checks in once for each such epoch in whose set `account` sits, also for one it was down in."""

    def __init__(self, services: Services, account: str) -> None:
        self._services, self._account = services, account
        self._settled: set[int] = set()  # needs none, or has one

    async def run(self) -> None:
        """Until it is cancelled."""
        while True:
            try:
                await self.look()
            except (ChainError, OperationalError) as error:
                log.warning("not checked in: trying again", error=str(error))
            await self._services.clock.sleep(self._services.pace.stagger_s)

    async def look(self) -> None:
        """Checks in where it is due. Raises ChainError."""
        services = self._services
        current = services.reader.timing.epoch_at(services.clock.now())
        if current is None or services.follower.final is None:
            return
        known = services.store.check_ins()
        self._settled = {epoch for epoch in self._settled if epoch >= current - EPOCHS_BACK}
        for epoch in range(max(0, current - EPOCHS_BACK), current + 1):
            if epoch not in self._settled and epoch not in known and await self._is_settled(epoch):
                self._settled.add(epoch)

    async def _is_settled(self, epoch: int) -> bool:
        services, final = self._services, self._services.follower.final
        assert final is not None  # noqa: S101  # `look` asked
        if final.timestamp <= deadlines(services.reader.timing, epoch).seal_by:
            return False
        state = await services.reader.epoch(epoch, final)
        if state.phase not in (Phase.OPEN, Phase.VOID) or state.seal_block != 0:
            return True  # never opened, or sealed: there is nothing to check in for
        if all(seat.account != self._account for seat in await services.reader.seats(state.set_id, final)):
            return True
        if await services.reader.has_checked_in(self._account, epoch, final):
            services.store.put_check_in(epoch, "")
            return True
        transaction = await services.writer.check_in(epoch)
        if transaction is None:
            return False
        services.store.put_check_in(epoch, transaction.hash)
        log.info("checked in", epoch=epoch, transaction=transaction.hash, gas=transaction.gas_used)
        return True

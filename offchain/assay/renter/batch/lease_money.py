"""Paying for a lease of a batch: more while it has work, and its bill when it has none."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from assay.chain.contracts.leases import Lease, LeaseStatus
from assay.chain.errors import ChainError
from assay.protocol.rates import seconds_for
from assay.renter.batch import rules
from assay.renter.batch.batch_journal import BatchJournal, BatchLease
from assay.renter.batch.ports import BatchMarket
from assay.renter.batch.rules import LeaseStage
from assay.renter.errors import RenterError

LOOK_S = 1.0
AGAIN_S = 5.0
WAIT_FOR_REFUND_S = 90.0  # for the minimum of a lease that is left before it is over


class LeaseMoney:
    """What each lease may cost is written down before it may."""

    def __init__(
        self,
        market: BatchMarket,
        journal: BatchJournal,
        tell: Callable[[str], None],
        sleep: Callable[[float], Awaitable[None]],
    ) -> None:
        self._market, self._journal, self._tell, self._sleep = market, journal, tell, sleep

    async def seen(self, number: int) -> tuple[Lease, int]:
        """A lease and the time of the newest block, once the chain tells them."""
        while True:
            try:
                return await self._market.lease(number), await self._market.now()
            except ChainError as error:
                self._tell(f"lease {number}: the chain is not read this time: {error}")
                await self._sleep(AGAIN_S)

    async def top_up(self, row: BatchLease, lease: Lease, amount: int) -> None:
        """Pays more in. Where that fails it counts for as long as it may yet go through."""
        self._journal.may_cost(row.key, self._journal.lease(row.key).most + amount)
        try:
            await self._market.top_up(lease.lease_id, amount)
        except (RenterError, ChainError) as error:
            self._tell(f"lease {lease.lease_id} is not topped up this time: {error}")
            try:
                await self._market.settle()
                now = await self._market.lease(lease.lease_id)
            except (RenterError, ChainError):
                # It may have gone through: what it may cost stays what it would then.
                await self._sleep(AGAIN_S)
                return
            self._journal.may_cost(row.key, max(rules.exposure(now), lease.deposit))
            await self._sleep(AGAIN_S)

    async def close(self, row: BatchLease, patient: bool = True) -> None:
        """Ends a lease and collects what is due, trying until the chain has it so; `patient` also waits a little for
        the minimum of one that was left before that was over."""
        number = number_of(row)
        if row.stage is not LeaseStage.CLOSING:
            row = self._journal.move(row.key, LeaseStage.CLOSING)
        waited = 0.0
        while True:
            try:
                lease, now = await self.seen(number)
                if lease.status is LeaseStatus.PENDING or (
                    lease.status is LeaseStatus.ACTIVE and not lease.left_early and now < lease.stop
                ):
                    await self._market.end(number)
                    lease, now = await self.seen(number)
                self._journal.may_cost(row.key, rules.exposure(lease))
                if lease.status is not LeaseStatus.ACTIVE or now >= lease.stop:
                    self._tell(f"lease {number} is over{await self._collected(number)}")
                    self._journal.move(row.key, LeaseStage.CLOSED)
                    return
                if not patient or waited >= WAIT_FOR_REFUND_S or lease.stop - now > WAIT_FOR_REFUND_S:
                    self._tell(
                        f"lease {number} is ended, and paid to its minimum; {lease.stop - now} s from now "
                        f"`assay refund {number}`, or this command again, collects the rest of its deposit"
                    )
                    return
            except (RenterError, ChainError) as error:
                self._tell(f"lease {number} is not ended this time, trying again in {AGAIN_S:g} s: {error}")
                await self._sleep(AGAIN_S)
                continue
            await self._sleep(LOOK_S)
            waited += LOOK_S

    async def _collected(self, number: int) -> str:
        return ", the rest of its deposit collected" if await self._market.refund(number) else ""


def number_of(row: BatchLease) -> int:
    """The lease's number in the chain."""
    if row.lease_id is None:
        raise ValueError(f"lease row {row.key} has no number yet")
    return row.lease_id


def ran_out(lease: Lease, now: float) -> bool:
    """Whether a lease is over, or nearly, by its terms: nobody's fault."""
    by_terms = rules.usable_until(lease)
    full = lease.start + min(lease.max_duration, seconds_for(lease.rate, lease.deposit)) if lease.rate else 0
    return now >= by_terms - LOOK_S and (lease.stop >= full or bool(lease.notice_at))

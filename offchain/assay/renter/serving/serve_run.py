"""Serving at work: leases rented until as many replicas are up as are wanted, others for those that fail or are given
notice, those beyond ended once they have answered what they had.

What is open is written down as for a batch, so that the next run of the same command takes up what one that was killed
has left, and one budget holds over all.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

from assay.chain.contracts.leases import Lease, LeaseStatus
from assay.chain.errors import ChainError
from assay.renter.batch import rules
from assay.renter.batch.batch_journal import BatchJournal, BatchLease
from assay.renter.batch.lease_money import LeaseMoney, number_of, ran_out
from assay.renter.batch.ports import BatchMarket
from assay.renter.batch.rules import BatchLimits, LeaseStage
from assay.renter.errors import RenterError, Unreachable
from assay.renter.lease.leaving import notice_over
from assay.renter.market.listing import Listing
from assay.renter.market.placement import marks_of_site
from assay.renter.serving.ports import Router, Way, Ways
from assay.renter.serving.router import RouterState
from assay.renter.serving.scaling import (
    Bounds,
    Replica,
    ReplicaDemand,
    ReplicaStage,
    follow,
    is_drained,
    is_given_up,
    to_let_go,
)

LOOK_S = 1.0
LEASE_LOOK_S = 5.0
SEARCH_S = 15.0
AGAIN_S = 5.0
DRAIN_S = 300.0  # for what a replica still answers
LEAVE_S = 20.0  # before a lease may be over
MARGIN_S = 120.0
SHUN_S = 60.0
ENDING_S = 120.0


@dataclass(frozen=True)
class ServePolicy:
    """`start_s` is the time to come up, a model's download in it, and `patience_s` to come back."""

    bounds: Bounds
    limits: BatchLimits
    start_s: float = 900.0
    patience_s: float = 60.0


@dataclass(frozen=True)
class ServeProgress:
    """How it stands; `committed` in base units."""

    up: int
    wanted: int
    leases: int
    requests: int
    committed: int


@dataclass
class Serving:
    """A replica with what it holds."""

    row: BatchLease
    seen: Replica
    slot: int
    marks: frozenset[str]
    way: Way | None = None
    fault: str = ""
    ended: bool = False


class ServeRun:
    """One run. `clock` gives seconds as the chain's blocks have them."""

    def __init__(
        self,
        market: BatchMarket,
        journal: BatchJournal,
        router: Router,
        ways: Ways,
        policy: ServePolicy,
        tell: Callable[[str], None],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._market, self._journal, self._router, self._ways = market, journal, router, ways
        self._policy, self._tell, self._sleep, self._clock = policy, tell, sleep, clock
        self._money = LeaseMoney(market, journal, tell, sleep)
        self._serving: dict[int, Serving] = {}
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._demand = ReplicaDemand(policy.bounds.least)
        self._state = RouterState({}, 0)
        self._search_at, self._shunned = 0.0, dict[bytes, float]()
        self._told_nothing = ""

    @property
    def progress(self) -> ServeProgress:
        """How it stands."""
        up = sum(one.seen.stage is ReplicaStage.UP for one in self._serving.values())
        committed = rules.committed(self._journal.held())
        return ServeProgress(up, self._demand.wanted, len(self._serving), self._state.requests, committed)

    async def run(self, look: Callable[[ServeProgress], None] = lambda _: None) -> None:
        """Until it is cancelled, or the budget has nothing left and the last lease is over: then raises Unreachable.
        Its leases are ended behind it."""
        await self._found_again()
        try:
            while True:
                await self._round()
                look(self.progress)
                await self._sleep(LOOK_S)
        finally:
            await self._wind_up()

    async def _round(self) -> None:
        for task in self._tasks.values():
            if task.done() and not task.cancelled() and (error := task.exception()) is not None:
                raise error
        self._serving = {key: one for key, one in self._serving.items() if not one.ended}
        try:
            self._state = await self._router.look()
        except (OSError, TimeoutError) as error:
            raise RenterError(f"the router does not answer any more: {error}") from error
        now = self._clock()
        for one in self._serving.values():
            self._see(one, now)
        self._demand = follow(self._demand, self._state.requests, now, self._policy.bounds)
        replicas = [one.seen for one in self._serving.values()]
        for gone in to_let_go(replicas, self._demand.wanted):
            await self._drain(self._serving[gone.key], now)
        if sum(one.counts for one in replicas) < self._demand.wanted and now >= self._search_at:
            await self._rent_one(now)

    def _see(self, one: Serving, now: float) -> None:
        """A replica as its router has it now."""
        slot = self._state.slots.get(one.slot)
        seen = replace(one.seen, open=slot.open if slot else 0)
        up = bool(slot and slot.up and one.way and one.way.is_open)
        if up and seen.stage in (ReplicaStage.STARTING, ReplicaStage.DOWN):
            self._tell(f"lease {one.row.lease_id} serves")
            seen = replace(seen, stage=ReplicaStage.UP, since=now)
        elif not up and seen.stage is ReplicaStage.UP:
            self._tell(f"lease {one.row.lease_id} does not answer, and gets nothing meanwhile")
            seen = replace(seen, stage=ReplicaStage.DOWN, since=now)
        if is_given_up(seen, now, self._policy.start_s, self._policy.patience_s) and not one.fault:
            one.fault = f"its server has not answered for {now - seen.since:.0f} s"
        one.seen = seen

    async def _drain(self, one: Serving, now: float) -> None:
        one.seen = replace(one.seen, stage=ReplicaStage.DRAINING, since=now)
        why = "may be over soon" if one.seen.leaves_at is not None else "is one more than the load wants"
        self._tell(f"lease {one.row.lease_id} {why}: it ends what it answers")
        await self._router.drain(one.slot)

    # --- renting

    async def _rent_one(self, now: float) -> None:
        if (free := self._free_slot()) is None:
            return
        try:
            found = rules.cheapest(await self._market.offers())
            block = await self._market.block()
        except (RenterError, ChainError) as error:
            self._search_at = now + SEARCH_S
            return self._tell_once(f"nothing was found to rent this time: {error}")
        marks = frozenset[str]().union(*(one.marks for one in self._serving.values()))
        apart = [one for one in found if marks.isdisjoint(marks_of_site(one))]
        taken = {i for i, until in self._shunned.items() if until > now}
        taken |= {i for row in self._journal.leases() if row.stage is not LeaseStage.CLOSED for i in row.device_ids}
        offers = rules.rentable(apart, self._journal.held(), self._journal.records(), taken, self._policy.limits)
        if not offers:
            self._search_at = now + SEARCH_S
            return self._nothing(found, apart)
        self._told_nothing = ""
        listing, deposit = offers[0]
        row = self._journal.opening(
            listing.provider, listing.device_ids, listing.token, listing.offer_hash, deposit, block
        )
        self._begin(row, listing.rate, free, marks_of_site(listing), self._opened(row, listing, deposit))

    def _nothing(self, found: list[Listing], apart: list[Listing]) -> None:
        left = self._policy.limits.budget - rules.committed(self._journal.held())
        if apart and not any(rules.deposit_within(one, self._policy.limits.slice, left) for one in apart):
            if not self._serving:
                raise Unreachable("the budget that is left pays for none of the offers: more with --budget")
            return self._tell_once("the budget that is left pays for no other lease")
        what = "no offer would do" if not found else "no offer at another site would do" if not apart else (
            "no provider is left that has not failed"
        )  # fmt: skip
        self._tell_once(f"{what} for one more replica; looking again every {SEARCH_S:.0f} s")

    def _tell_once(self, text: str) -> None:
        if text != self._told_nothing:
            self._told_nothing = text
            self._tell(text)

    def _free_slot(self) -> int | None:
        used = {one.slot for one in self._serving.values()}
        return next((slot for slot in sorted(self._state.slots) if slot not in used), None)

    def _begin(
        self, row: BatchLease, rate: int, slot: int, marks: frozenset[str], work: Awaitable[BatchLease | None]
    ) -> None:
        one = Serving(row, Replica(row.key, ReplicaStage.STARTING, self._clock(), 0, rate), slot, marks)
        self._serving[row.key] = one
        self._tasks[row.key] = asyncio.create_task(self._live(one, work))

    async def _opened(self, row: BatchLease, listing: Listing, deposit: int) -> BatchLease | None:
        try:
            number = await self._market.open(listing, deposit)
        except (RenterError, ChainError) as error:
            self._tell(f"the offer of {listing.name[:10]}… could not be taken: {error}")
            self._shunned[listing.device_ids[0]] = self._clock() + SHUN_S
            return await self._settled(row)
        self._tell(f"lease {number} of {listing.name[:10]}…, {listing.price:.4f} an hour")
        return self._journal.opened(row.key, number)

    async def _settled(self, row: BatchLease) -> BatchLease | None:
        """The lease of a row once it is known whether it was ever opened."""
        while True:
            try:
                await self._market.settle()
                known = {one.lease_id for one in self._journal.leases()}
                opened = await self._market.opened_since(row.after_block)
                break
            except (RenterError, ChainError) as error:
                self._tell(f"whether a lease was opened is not known yet: {error}")
                await self._sleep(SEARCH_S)
        for one in opened:
            if one.lease_id not in known and (one.offer_hash, one.deposit) == (row.offer_hash, row.deposit):
                return self._journal.opened(row.key, one.lease_id)
        self._journal.may_cost(row.key, 0)
        self._journal.move(row.key, LeaseStage.CLOSED, "it was never opened")
        return None

    async def _found_again(self) -> None:
        await self._market.settle()
        self._state = await self._router.look()
        for row in self._journal.leases():
            if row.stage is LeaseStage.CLOSED:
                continue
            found = await self._settled(row) if row.lease_id is None else row
            slot = self._free_slot()
            if found is None:
                continue
            if found.stage is LeaseStage.CLOSING or slot is None:
                self._tasks[row.key] = asyncio.create_task(self._money.close(found))
                continue
            self._tell(f"going on with lease {found.lease_id} of an earlier run")
            self._begin(found, 0, slot, frozenset({f"provider {found.provider}"}), _at_once(found))

    # --- one lease

    async def _live(self, one: Serving, work: Awaitable[BatchLease | None]) -> None:
        """From its opening to its bill."""
        row = await work
        if row is None:
            one.ended = True
            return
        one.row = row
        try:
            await self._serve(one, number_of(row))
        except RenterError as error:
            one.fault = one.fault or str(error)
        finally:
            if one.way is not None:
                await one.way.close()
        if one.fault:
            self._journal.fault(row.key, self._clock(), one.fault)
            self._tell(f"lease {row.lease_id} is given up: {one.fault}")
        await self._router.remove(one.slot)
        one.ended = True
        await self._money.close(row)

    async def _serve(self, one: Serving, number: int) -> None:
        """Until it is given up, drained or over. Raises RenterError where it cannot be started."""
        looked_at = 0.0
        while not one.fault:
            now = self._clock()
            if is_drained(one.seen, now, DRAIN_S, LEAVE_S):
                return
            try:
                if now - looked_at >= LEASE_LOOK_S:
                    looked_at = now
                    if not await self._pay_on(one, number):
                        return
                if one.way is None or not one.way.is_open:
                    one.way = None
                    one.way = await self._ways.open(number)
                    await self._router.add(one.slot, one.way.port)
            except (ChainError, RenterError) as error:
                # A pod that starts, a daemon that is started anew: it has its time to come up, or back.
                if now - one.seen.since < LOOK_S + AGAIN_S:
                    self._tell(f"lease {number}: not yet: {error}")
                await self._sleep(AGAIN_S)
            await self._sleep(LOOK_S)

    async def _pay_on(self, one: Serving, number: int) -> bool:
        """Starts it, pays more in, notes a notice; whether it is not over. Raises RenterError, ChainError."""
        lease = await self._market.lease(number)
        if lease.status is LeaseStatus.PENDING:
            try:
                await self._market.start(number)
            except RenterError as error:
                one.fault = str(error)
            return True
        now = await self._market.now()
        if lease.status is not LeaseStatus.ACTIVE or now >= lease.stop:
            one.fault = one.fault if ran_out(lease, now) else "its provider has ended it"
            self._tell(f"lease {number} is over")
            return False
        if lease.notice_at and one.seen.leaves_at is None:
            self._tell(f"the provider of lease {number} has given notice: another is rented before it goes")
            one.seen = replace(one.seen, leaves_at=float(notice_over(lease)))
        if one.seen.stage is not ReplicaStage.DRAINING:
            await self._top_up(one.row, lease, now)
        return True

    async def _top_up(self, row: BatchLease, lease: Lease, now: int) -> None:
        limits = self._policy.limits
        left = limits.budget - rules.committed(self._journal.held())
        amount = rules.top_up_of(lease, now, left, limits.slice, min(MARGIN_S, limits.slice / 2))
        if amount > 0:
            await self._money.top_up(row, lease, amount)

    async def _wind_up(self) -> None:
        """Ends all leases, as far as that goes: what does not is found again by the next run."""
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)
        rows = [row for row in self._journal.leases() if row.stage is not LeaseStage.CLOSED]
        if rows:
            self._tell(f"ending {len(rows)} leases; Ctrl-C again leaves them, and the same command finds them")
        closing = [asyncio.create_task(self._end(row)) for row in rows]
        if closing:
            await asyncio.wait(closing, timeout=ENDING_S)
        for task in closing:
            task.cancel()
        await asyncio.gather(*closing, return_exceptions=True)

    async def _end(self, row: BatchLease) -> None:
        found = await self._settled(row) if row.lease_id is None else row
        if found is not None:
            await self._money.close(found, patient=False)


async def _at_once(row: BatchLease) -> BatchLease:
    return row

"""A batch at work: leases rented while jobs wait, jobs given to them, leases ended when nothing is left for them.

Whatever stops it, the next run with the same folder goes on: it finds the leases that are open and the jobs that run on
them by the journal, and by the chain where the journal was cut short.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from assay.chain.errors import ChainError
from assay.renter.batch import rules
from assay.renter.batch.attempts import Attempts
from assay.renter.batch.batch_journal import BatchJournal, BatchLease
from assay.renter.batch.job_list import BatchJob
from assay.renter.batch.lease_rounds import LeaseRounds
from assay.renter.batch.ports import BatchMarket, BatchWork
from assay.renter.batch.rules import BatchLimits, JobStatus, LeaseStage, QueuedJob, TrackRecord
from assay.renter.errors import NoDevice, RenterError
from assay.renter.market.listing import Listing

LOOK_S = 1.0
SEARCH_S = 15.0  # between searches that found nothing to rent
SHUN_S = 60.0  # a device whose offer could not be taken
NOBODY_S = 300.0  # without a lease and without an offer that would do, before the rest is left for another time
PLENTY = 1 << 250  # base units
ENDING_S = 120.0  # for a lease that is to end anyway


@dataclass(frozen=True)
class BatchProgress:
    """How far a batch is; amounts in base units."""

    jobs: int
    done: int
    failed: int
    running: int
    leases: int
    committed: int


@dataclass(frozen=True)
class BatchOutcome:
    """What came of a run. `stopped` says why jobs were left, empty where all have ended; `open_leases` are those that
    are not settled yet: ended before their minimum was over, or not to be ended now."""

    progress: BatchProgress
    stopped: str
    open_leases: tuple[int, ...]


class BatchRun:
    """One run of a batch over its folder `into`. `clock` gives seconds, only differences count."""

    def __init__(
        self,
        market: BatchMarket,
        journal: BatchJournal,
        jobs: Sequence[BatchJob],
        limits: BatchLimits,
        work: BatchWork,
        into: Path,
        tell: Callable[[str], None],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._market, self._journal, self._limits, self._tell = market, journal, limits, tell
        self._sleep, self._clock = sleep, clock
        self._bodies = {job.id: job for job in jobs}
        self._jobs: dict[str, QueuedJob] = {}
        self._offers: list[tuple[Listing, int]] = []
        self._search_at, self._shunned = 0.0, dict[bytes, float]()
        self._nobody_since: float | None = None
        self._hopes = ""  # why there are none to be rented
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._stopped = ""
        attempts = Attempts(journal, work, into)
        self._rounds = LeaseRounds(market, journal, self, attempts, work, tell, sleep, clock)

    # --- what rounds of a lease ask

    @property
    def limits(self) -> BatchLimits:
        """As given."""
        return self._limits

    @property
    def states(self) -> list[QueuedJob]:
        """All jobs as they stand, in their order."""
        return list(self._jobs.values())

    def body(self, job_id: str) -> BatchJob:
        """What a job is."""
        return self._bodies[job_id]

    def next_for(self, provider: str) -> QueuedJob | None:
        """The job for a provider's lease now."""
        return None if self._stopped else rules.next_job(self._jobs.values(), provider, self._to_be_had())

    def put(self, job: QueuedJob) -> None:
        """A job stands otherwise."""
        self._jobs[job.id] = job

    @property
    def stopping(self) -> bool:
        """Whether nothing more is begun."""
        return bool(self._stopped)

    @property
    def progress(self) -> BatchProgress:
        """How far it is."""
        count = {status: sum(job.status is status for job in self._jobs.values()) for status in JobStatus}
        held = self._journal.held()
        live = sum(one.stage in (LeaseStage.OPENING, LeaseStage.OPEN) for one in held)
        return BatchProgress(
            len(self._jobs), count[JobStatus.DONE], count[JobStatus.FAILED], count[JobStatus.RUNNING], live,
            rules.committed(held),
        )  # fmt: skip

    async def run(self, look: Callable[[BatchProgress], None] = lambda _: None) -> BatchOutcome:
        """To the end of all jobs, or until nothing can be rented for those that are left. Its leases are ended then,
        and when it is cancelled. Raises RenterError, ChainError where it cannot begin."""
        self._jobs = {job.id: job for job in self._journal.jobs()}
        await self._found_again()
        try:
            while self._unfinished or any(not task.done() for task in self._tasks.values()):
                self._raise_faults()
                if not self._stopped:
                    await self._rent_where_worth_it()
                look(self.progress)
                await self._sleep(LOOK_S)
                if self._stopped and all(task.done() for task in self._tasks.values()):
                    break
            self._raise_faults()
        except asyncio.CancelledError:
            await self._wind_up()
            raise
        except BaseException:
            self._stopped = self._stopped or "something went wrong"
            await self._wind_up()
            raise
        look(self.progress)
        left = [row.lease_id for row in self._journal.leases() if row.stage is not LeaseStage.CLOSED and row.lease_id]
        return BatchOutcome(self.progress, self._stopped, tuple(left))

    @property
    def _unfinished(self) -> bool:
        return any(job.status in (JobStatus.WAITING, JobStatus.RUNNING) for job in self._jobs.values())

    async def _found_again(self) -> None:
        """Takes up what an earlier run has left. First everything that it sent must be in a block or never will be:
        then the chain tells whether a lease that it was about to open is there."""
        await self._market.settle()
        rows = [row for row in self._journal.leases() if row.stage is not LeaseStage.CLOSED]
        if rows:
            self._tell(f"going on with {len(rows)} leases of an earlier run")
        for row in rows:
            if row.stage is LeaseStage.OPENING and (found := await self._lookup(row)) is None:
                self._journal.may_cost(row.key, 0)
                self._journal.move(row.key, LeaseStage.CLOSED, "it was never opened")
                continue
            self._serve(found if row.stage is LeaseStage.OPENING and found else row)

    async def _lookup(self, row: BatchLease) -> BatchLease | None:
        known = {one.lease_id for one in self._journal.leases()}
        for one in await self._market.opened_since(row.after_block):
            if one.lease_id not in known and (one.offer_hash, one.deposit) == (row.offer_hash, row.deposit):
                return self._journal.opened(row.key, one.lease_id)
        return None

    def _serve(self, row: BatchLease) -> None:
        self._tasks[row.key] = asyncio.create_task(self._rounds.serve(row))

    def _raise_faults(self) -> None:
        for task in self._tasks.values():
            if task.done() and not task.cancelled() and (error := task.exception()) is not None:
                raise error

    # --- renting

    def _to_be_had(self) -> set[str]:
        records = self._journal.records()
        live = {one.provider for one in self._journal.held() if one.stage in (LeaseStage.OPENING, LeaseStage.OPEN)}
        return {one for one in live if not records.get(one, TrackRecord()).barred} | {
            one.provider.lower() for one, _ in self._offers
        }

    async def _rent_where_worth_it(self) -> None:
        records = self._journal.records()
        if rules.is_hopeless(self._jobs.values(), records):
            self._stop("no job has ended well, on any of the providers that were tried: see what they printed")
            return
        held = self._journal.held()
        live = [one for one in held if one.stage in (LeaseStage.OPENING, LeaseStage.OPEN)]
        seconds = self._journal.job_seconds()
        if not rules.wants_another(self.states, live, self._to_be_had(), self._limits, seconds):
            self._nobody_since = None
            return
        if self._clock() >= self._search_at:
            await self._search(records)
        chosen = rules.choose(self._offers, self.states, self._to_be_had())
        if chosen is not None:
            self._nobody_since = None
            await self._open(*chosen)
        elif not live:
            self._wait_for_somebody()

    async def _search(self, records: dict[str, TrackRecord]) -> None:
        now = self._clock()
        try:
            found = rules.cheapest(await self._market.offers())
        except NoDevice:
            found = []
        except (RenterError, ChainError) as error:
            self._tell(f"nothing was found to rent this time: {error}")
            found = []
        taken = {i for i, until in self._shunned.items() if until > now}
        taken |= {i for row in self._journal.leases() if row.stage is not LeaseStage.CLOSED for i in row.device_ids}
        self._offers = rules.rentable(
            found, self._journal.held(), records, taken, self._limits, self._journal.job_seconds()
        )
        if not self._offers:
            self._hopes = self._why_nothing(found, records, taken)
        self._search_at = self._clock() + SEARCH_S

    def _why_nothing(self, found: list[Listing], records: dict[str, TrackRecord], taken: set[bytes]) -> str:
        """Why waiting for an offer is in vain, empty where it may not be."""
        plenty = replace(self._limits, budget=PLENTY)
        if rules.rentable(found, (), records, taken, plenty):
            return "the budget that is left pays for none of the offers"
        if found and all(records.get(one.provider.lower(), TrackRecord()).barred for one in found):
            return "every provider with an offer that would do has failed"
        return "" if found or self._journal.leases() else "no offer answers to this: fewer filters, or look again later"

    def _wait_for_somebody(self) -> None:
        now = self._clock()
        self._nobody_since = now if self._nobody_since is None else self._nobody_since
        if self._hopes or now - self._nobody_since >= NOBODY_S:
            self._stop(self._hopes or f"no offer that would do was there for {NOBODY_S / 60:.0f} minutes")

    def _stop(self, why: str) -> None:
        self._stopped = why
        self._tell(f"ending: {why}")

    async def _open(self, listing: Listing, deposit: int) -> None:
        self._offers = [one for one in self._offers if not set(one[0].device_ids) & set(listing.device_ids)]
        try:
            block = await self._market.block()
        except ChainError as error:
            return self._tell(f"nothing is rented this time: {error}")
        row = self._journal.opening(
            listing.provider, listing.device_ids, listing.token, listing.offer_hash, deposit, block
        )
        # What is left for the others is what is left behind this one.
        self._offers = rules.rentable(
            [one for one, _ in self._offers], self._journal.held(), self._journal.records(), (), self._limits,
            self._journal.job_seconds(),
        )  # fmt: skip
        self._tasks[row.key] = asyncio.create_task(self._opened(row, listing, deposit))

    async def _opened(self, row: BatchLease, listing: Listing, deposit: int) -> None:
        try:
            number = await self._market.open(listing, deposit)
        except (RenterError, ChainError) as error:
            # It may be there all the same: what was sent may be mined later than anyone waited.
            self._tell(f"the offer of {listing.name[:10]}… could not be taken: {error}")
            self._shunned[listing.device_ids[0]] = self._clock() + SHUN_S
            await self._settled_or_never(row)
            return
        self._tell(f"lease {number} of {listing.name[:10]}…, {listing.price:.4f} an hour")
        await self._rounds.serve(self._journal.opened(row.key, number))

    async def _settled_or_never(self, row: BatchLease) -> None:
        """Until it is known whether a lease was opened; its deposit counts meanwhile."""
        while True:
            try:
                await self._market.settle()
                found = await self._lookup(row)
            except (RenterError, ChainError) as error:
                self._tell(f"whether a lease was opened is not known yet: {error}")
                await self._sleep(SEARCH_S)
                continue
            if found is not None:
                return await self._rounds.serve(found)
            self._journal.may_cost(row.key, 0)
            self._journal.move(row.key, LeaseStage.CLOSED, "it was never opened")
            return

    # --- ending

    async def _wind_up(self) -> None:
        """Ends all leases, as far as that goes: what does not is found again by the next run."""
        self._stopped = self._stopped or "interrupted"
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)
        rows = [one for one in self._journal.leases() if one.stage is not LeaseStage.CLOSED]
        if rows:
            self._tell(f"ending {len(rows)} leases; Ctrl-C again leaves them, and the same command finds them")
        closing = [
            asyncio.create_task(
                self._settled_or_never(row) if row.lease_id is None else self._rounds.money.close(row, patient=False)
            )
            for row in rows
        ]
        if closing:
            await asyncio.wait(closing, timeout=ENDING_S)
        for task in closing:
            task.cancel()
        await asyncio.gather(*closing, return_exceptions=True)

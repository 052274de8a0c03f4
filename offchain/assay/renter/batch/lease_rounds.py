"""One lease of a batch from its opening to its bill: started, prepared, given jobs one after another, kept paid while
it has work, ended when nothing is left for it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Protocol

from assay.chain.contracts.leases import LeaseStatus
from assay.chain.errors import ChainError
from assay.renter.batch import rules
from assay.renter.batch.attempts import AttemptEnding, Attempts
from assay.renter.batch.batch_journal import BatchJournal, BatchLease, JobAttempt
from assay.renter.batch.job_list import BatchJob
from assay.renter.batch.lease_money import LeaseMoney, number_of, ran_out
from assay.renter.batch.ports import BatchMarket, BatchWork, JobPlace
from assay.renter.batch.rules import AttemptEnd, BatchLimits, JobStatus, LeaseStage, QueuedJob
from assay.renter.errors import RenterError

LOOK_S = 1.0
AGAIN_S = 5.0
MARGIN_S = 120.0  # of a deposit that is left, when more is paid in for what has work


class JobQueue(Protocol):
    """What a lease asks of its batch."""

    @property
    def limits(self) -> BatchLimits: ...
    @property
    def states(self) -> list[QueuedJob]: ...
    @property
    def stopping(self) -> bool: ...
    def body(self, job_id: str) -> BatchJob: ...
    def next_for(self, provider: str) -> QueuedJob | None: ...
    def put(self, job: QueuedJob) -> None: ...


class LeaseRounds:
    """Serves leases, each in a task of its own."""

    def __init__(
        self,
        market: BatchMarket,
        journal: BatchJournal,
        queue: JobQueue,
        attempts: Attempts,
        work: BatchWork,
        tell: Callable[[str], None],
        sleep: Callable[[float], Awaitable[None]],
        clock: Callable[[], float],
    ) -> None:
        self._market, self._journal, self._queue, self._attempts = market, journal, queue, attempts
        self._work, self._tell, self._sleep, self._clock = work, tell, sleep, clock
        self.money = LeaseMoney(market, journal, tell, sleep)

    async def serve(self, row: BatchLease) -> None:
        """From wherever a lease stands to its bill."""
        number = number_of(row)
        if row.stage is LeaseStage.OPEN:
            try:
                place = await self._ready(row)
                if place is not None:
                    await self._work_on(row, place)
                    self._judge(row)
            except RenterError as error:
                self._journal.fault(row.key, self._clock(), str(error))
                self._tell(f"lease {number} is given up: {error}")
        self._let_go(row)
        await self.money.close(row)

    async def _ready(self, row: BatchLease) -> JobPlace | None:
        """Its workspace, once it has started and has what jobs need; None where it is over. Raises RenterError where it
        cannot be started."""
        number = number_of(row)
        while True:
            try:
                lease = await self._market.lease(number)
                if lease.status is LeaseStatus.PENDING:
                    if self._queue.stopping or self._is_finished():
                        return None
                    await self._market.start(number)
                    continue
                if lease.status is not LeaseStatus.ACTIVE:
                    return None
                place = await self._market.place(number)
                # Again after a stop: what is there already is as good as what is put there anew.
                await self._work.prepare(place)
                return place
            except ChainError as error:
                self._tell(f"lease {number}: not this time, trying again in {AGAIN_S:g} s: {error}")
                await self._sleep(AGAIN_S)

    def _is_finished(self) -> bool:
        return all(job.status in (JobStatus.DONE, JobStatus.FAILED) for job in self._queue.states)

    async def _work_on(self, row: BatchLease, place: JobPlace) -> None:
        """Jobs until there is none for it, or it is no good."""
        left = self._journal.unended(row.key)
        if left is not None:
            job = next((one for one in self._queue.states if one.id == left.job), None)
            if job is not None:
                await self._attempt(row, job, left, place, found=True)
        while not self._queue.stopping:
            lease, now = await self.money.seen(number_of(row))
            record, seconds = self._journal.record(row.key), self._journal.job_seconds()
            takes = rules.takes_jobs(lease, now, record, seconds, self._budget_left())
            job = self._queue.next_for(row.provider) if takes else None
            if job is not None:
                await self._attempt(row, job, None, place, found=False)
            elif rules.is_idle_for_good(self._queue.states, lease, now, takes):
                return
            else:
                await self._sleep(LOOK_S)

    def _judge(self, row: BatchLease) -> None:
        """One that is over before it took a job that waits for it has cost something and been of no use: without a mark
        against its provider it would be rented again, and again be over."""
        if self._journal.was_tried(row.key) or self._queue.stopping or self._queue.next_for(row.provider) is None:
            return
        self._journal.fault(row.key, self._clock(), "it was over before it took a job")

    async def _attempt(
        self, row: BatchLease, job: QueuedJob, left: JobAttempt | None, place: JobPlace, found: bool
    ) -> None:
        attempt = left or self._journal.begin(job.id, row.key, self._clock())
        running = QueuedJob(job.id, job.position, JobStatus.RUNNING, job.failures, job.lost, job.failed_on)
        self._queue.put(running)
        paying = asyncio.create_task(self._pay_on(row))
        working = asyncio.create_task(
            self._attempts.run(attempt, self._queue.body(job.id), place, self._teller(row), found)
        )
        try:
            await asyncio.wait({paying, working}, return_when=asyncio.FIRST_COMPLETED)
            # Paying on ends only where the lease is over.
            ending = working.result() if working.done() else AttemptEnding(AttemptEnd.LOST, "its lease is over", False)
        finally:
            for task in (paying, working):
                task.cancel()
            await asyncio.gather(paying, working, return_exceptions=True)
        if ending.fault and ending.end is AttemptEnd.LOST:
            lease, now = await self.money.seen(number_of(row))
            ending = AttemptEnding(ending.end, ending.reason, not ran_out(lease, now))
        behind = rules.after(running, ending.end, row.provider, self._queue.limits.tries)
        self._journal.ended(attempt, ending.end, behind, self._clock(), ending.reason, ending.fault)
        self._queue.put(behind)
        self._tell_of(row, behind, ending)

    def _tell_of(self, row: BatchLease, job: QueuedJob, ending: AttemptEnding) -> None:
        if ending.end is AttemptEnd.DONE:
            return
        first = ending.reason.splitlines()[0] if ending.reason else ""
        if job.status is JobStatus.FAILED:
            self._tell(f"job {job.id} is given up: on lease {row.lease_id}: {ending.reason}")
        elif ending.end is AttemptEnd.LOST:
            self._tell(f"job {job.id} is lost with lease {row.lease_id}, and goes to another: {first}")
        else:
            self._tell(f"job {job.id} failed on lease {row.lease_id}, time {job.failures}: {first}")

    def _teller(self, row: BatchLease) -> Callable[[str], None]:
        return lambda text: self._tell(f"lease {row.lease_id}: {text}")

    async def _pay_on(self, row: BatchLease) -> None:
        """Pays more in while a job runs, as far as the budget goes; returns when the lease is over."""
        while True:
            lease, now = await self.money.seen(number_of(row))
            if lease.status is not LeaseStatus.ACTIVE or now >= lease.stop:
                return
            slice_s = self._queue.limits.slice
            amount = rules.top_up_of(lease, now, self._budget_left(), slice_s, min(MARGIN_S, slice_s / 2))
            if amount > 0:
                await self.money.top_up(row, lease, amount)
            await self._sleep(LOOK_S)

    def _budget_left(self) -> int:
        return self._queue.limits.budget - rules.committed(self._journal.held())

    def _let_go(self, row: BatchLease) -> None:
        """What ran on a lease that is given up goes to others."""
        left = self._journal.unended(row.key)
        if left is None:
            return
        job = next((one for one in self._queue.states if one.id == left.job), None)
        if job is not None:
            behind = rules.after(job, AttemptEnd.LOST, row.provider, self._queue.limits.tries)
            self._journal.ended(left, AttemptEnd.LOST, behind, self._clock(), "its lease was given up")
            self._queue.put(behind)

"""Who works on what, when another lease is rented and when one is ended: pure functions over what is known.

Times are seconds of the chain, amounts base units of the one token that a batch pays in.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from assay.chain.contracts.leases import Lease, LeaseStatus
from assay.protocol.rates import cost, seconds_for, streamed
from assay.renter.lease.leaving import notice_over
from assay.renter.market.listing import Listing

MOST_JOBS_A_LEASE = 900  # a provider takes at most 1,000, those that were tried by hand among them
FRUITLESS = 3  # jobs that fail on a lease before one ends well: it is given no more
FAULTS = 2  # of a provider's leases, before none of it is rented any more
HOPELESS = 2  # providers on which nothing ended well, while nothing did anywhere: the jobs are at fault
LEAST_S = 60  # that a deposit is worth paying in for
WORTH_RENTING_S = 60.0  # of work that is left for each lease, before one more is rented: that takes half of it
MOST_LOST = 10  # times that a job is lost with its lease before it is given up


class JobStatus(StrEnum):
    """How a job of a batch stands."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


class AttemptEnd(StrEnum):
    """How one attempt at a job ended: well, badly by its own, or with its lease."""

    DONE = "done"
    FAILED = "failed"
    LOST = "lost"


class LeaseStage(StrEnum):
    """How a lease of a batch stands. What is `opening` may or may not be in the chain."""

    OPENING = "opening"
    OPEN = "open"
    CLOSING = "closing"
    CLOSED = "closed"


@dataclass(frozen=True)
class QueuedJob:
    """`failed_on` are providers where an attempt failed by its own."""

    id: str
    position: int
    status: JobStatus = JobStatus.WAITING
    failures: int = 0
    lost: int = 0
    failed_on: frozenset[str] = frozenset()


@dataclass(frozen=True)
class TrackRecord:
    """What came of a provider's, or a lease's, attempts; `faults` are its own: refused, silent, never ending, results
    that are not what was expected."""

    done: int = 0
    failed: int = 0
    faults: int = 0

    @property
    def fruitless(self) -> bool:
        """Whether a lease is given nothing more: it failed us, or nothing but failures came of it."""
        return self.faults > 0 or (self.done == 0 and self.failed >= FRUITLESS)

    @property
    def barred(self) -> bool:
        """Whether nothing more is rented of a provider. One fault may be a restart or a cable."""
        return self.faults >= FAULTS or (self.done == 0 and self.failed >= FRUITLESS)


@dataclass(frozen=True)
class HeldLease:
    """One lease of a batch; `most` is what it can cost at most. `provider` in lower case."""

    key: int
    provider: str
    stage: LeaseStage
    most: int
    busy: bool = False


@dataclass(frozen=True)
class BatchLimits:
    """`budget` for everything that a batch ever pays or may still have to; `slice` is how long a deposit lasts at
    first, and `tries` how often a job may fail by its own."""

    max_leases: int
    budget: int
    slice: int
    tries: int


def next_job(jobs: Iterable[QueuedJob], provider: str, to_be_had: Collection[str]) -> QueuedJob | None:
    """The one for a provider's lease now: that which failed least, then in the list's order. One that failed with a
    provider goes to another, and is tried there again only where it has failed with all that are `to_be_had`."""
    waiting = [
        job
        for job in jobs
        if job.status is JobStatus.WAITING and (provider not in job.failed_on or job.failed_on.issuperset(to_be_had))
    ]
    return min(waiting, key=lambda job: (job.failures, job.position), default=None)


def after(job: QueuedJob, end: AttemptEnd, provider: str, tries: int) -> QueuedJob:
    """The job behind an attempt."""
    if end is AttemptEnd.DONE:
        return QueuedJob(job.id, job.position, JobStatus.DONE, job.failures, job.lost, job.failed_on)
    if end is AttemptEnd.LOST:
        status = JobStatus.FAILED if job.lost + 1 >= MOST_LOST else JobStatus.WAITING
        return QueuedJob(job.id, job.position, status, job.failures, job.lost + 1, job.failed_on)
    failures = job.failures + 1
    status = JobStatus.FAILED if failures >= tries else JobStatus.WAITING
    return QueuedJob(job.id, job.position, status, failures, job.lost, job.failed_on | {provider})


def committed(leases: Iterable[HeldLease]) -> int:
    """What has been paid and what can still become due, whatever happens."""
    return sum(one.most for one in leases)


def exposure(lease: Lease) -> int:
    """What a lease can cost at most, as the escrow holds it: no stream passes the deposit, and once a side has ended it
    none passes its stop. What comes back for downtime or out of the bond is less still."""
    if lease.status in (LeaseStatus.NONE, LeaseStatus.CANCELLED):
        return 0
    ended = lease.status is LeaseStatus.ENDED or lease.left_early
    return min(lease.deposit, streamed(lease.rate, lease.stop - lease.start)) if ended else lease.deposit


def deposit_within(listing: Listing, seconds: int, budget: int, job_seconds: float | None = None) -> int:
    """The deposit for so many seconds, or for as many as the budget has; 0 where that is less than the offer takes, not
    worth its transactions, or where all of the budget and of the term would not last for a job."""
    wanted = min(max(seconds, listing.min_duration), listing.max_duration)
    if listing.rate <= 0:
        return 0
    in_all = min(listing.max_duration, seconds_for(listing.rate, max(0, budget)))
    affordable = min(wanted, in_all)
    if job_seconds is not None and in_all <= job_seconds:
        return 0
    least = max(listing.min_duration, min(LEAST_S, wanted))
    return cost(listing.rate, affordable) if affordable >= least else 0


def cheapest(found: Iterable[Listing]) -> list[Listing]:
    """By the price of one device; equal ones by devices, so that the order is the same every time."""
    return sorted(found, key=lambda one: (one.price / one.gpus, one.device_ids))


def rentable(
    found: Iterable[Listing],
    leases: Collection[HeldLease],
    records: Mapping[str, TrackRecord],
    taken: Collection[bytes],
    limits: BatchLimits,
    job_seconds: float | None = None,
) -> list[tuple[Listing, int]]:
    """The offers, in their order, that could be rented now, each with its deposit: none of a provider that is to be
    given nothing more, none with a device that this batch has `taken`, none beyond the budget."""
    left = limits.budget - committed(leases)
    fit = (
        one
        for one in found
        if not records.get(one.provider.lower(), TrackRecord()).barred and not any(i in taken for i in one.device_ids)
    )
    return [(one, deposit) for one in fit if (deposit := deposit_within(one, limits.slice, left, job_seconds))]


def choose(
    offers: Iterable[tuple[Listing, int]], jobs: Collection[QueuedJob], to_be_had: Collection[str]
) -> tuple[Listing, int] | None:
    """The first of `rentable` offers whose provider would be given a job."""
    return next((one for one in offers if next_job(jobs, one[0].provider.lower(), to_be_had)), None)


def wants_another(
    jobs: Collection[QueuedJob],
    leases: Collection[HeldLease],
    to_be_had: Collection[str],
    limits: BatchLimits,
    job_seconds: float | None,
) -> bool:
    """Whether one more lease is worth it: there are jobs that wait for one, more than the idle ones will take, and more
    work for each lease than renting takes. `job_seconds` is what a job takes, None before one has ended."""
    live = [one for one in leases if one.stage in (LeaseStage.OPENING, LeaseStage.OPEN)]
    waiting = [job for job in jobs if job.status is JobStatus.WAITING]
    idle = sum(not one.busy and next_job(waiting, one.provider, to_be_had) is not None for one in live)
    if len(live) >= limits.max_leases or len(waiting) <= idle:
        return False
    if not any(next_job(waiting, one.provider, to_be_had) for one in live) or job_seconds is None:
        return True
    return len(waiting) * job_seconds / len(live) > WORTH_RENTING_S


def usable_until(lease: Lease) -> int:
    """When a lease may be over: its deposit is, or a notice that was given."""
    return min(lease.stop, notice_over(lease)) if lease.notice_at else lease.stop


def lasts_until(lease: Lease, budget_left: int) -> int:
    """Until when a lease can be paid for out of what is left of the budget, and its provider keeps it."""
    if lease.notice_at or lease.left_early or lease.rate <= 0:
        return usable_until(lease)
    more = seconds_for(lease.rate, max(0, budget_left))
    return max(lease.stop, min(lease.stop + more, lease.start + lease.max_duration))


def takes_jobs(lease: Lease, now: float, record: TrackRecord, job_seconds: float | None, budget_left: int) -> bool:
    """Whether a lease is given another job: it runs, has not failed us, and can last for as long as one takes."""
    if lease.status is not LeaseStatus.ACTIVE or lease.left_early or record.fruitless:
        return False
    until = lasts_until(lease, budget_left)
    return record.done + record.failed < MOST_JOBS_A_LEASE and until - now > (job_seconds or 0.0)


def is_idle_for_good(jobs: Iterable[QueuedJob], lease: Lease, now: float, takes: bool) -> bool:
    """Whether a lease that has nothing to do is ended. Until its minimum is over it costs the same either way, and a
    job that fails elsewhere may come to it."""
    unfinished = [job for job in jobs if job.status in (JobStatus.WAITING, JobStatus.RUNNING)]
    return not unfinished or not takes or now >= lease.start + lease.min_duration


def top_up_of(lease: Lease, now: float, budget_left: int, seconds: int, needed: float) -> int:
    """What is added to the deposit of a lease that has work, base units: as much as lasts `seconds` more, or as the
    budget and the longest term have, once less than `needed` seconds are left; 0 for nothing."""
    if lease.status is not LeaseStatus.ACTIVE or lease.left_early or lease.notice_at or lease.stop - now > needed:
        return 0
    longest = cost(lease.rate, lease.max_duration)
    return max(0, min(cost(lease.rate, seconds), budget_left, longest - lease.deposit))


def is_hopeless(jobs: Collection[QueuedJob], records: Mapping[str, TrackRecord]) -> bool:
    """Whether the jobs themselves are at fault: nothing has ended well, and several providers were tried."""
    if any(job.status is JobStatus.DONE for job in jobs):
        return False
    return sum(one.failed >= FRUITLESS and not one.faults for one in records.values()) >= HOPELESS

"""The rules of a batch over any leases and jobs: the budget holds, a job is nobody's twice, its tries are bounded."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.chain.contracts.leases import LeaseStatus
from assay.protocol.rates import streamed
from assay.renter.batch import rules
from assay.renter.batch.rules import AttemptEnd, BatchLimits, HeldLease, JobStatus, LeaseStage, QueuedJob, TrackRecord
from tests.unit.renter.batch_world import Behaviour, listing
from tests.unit.renter.leased import leased

RATES, SECONDS = st.integers(1, 1 << 90), st.integers(1, 1 << 20)
PROVIDERS = st.sampled_from("abc")
JOBS = st.builds(
    QueuedJob, st.text("xyz", min_size=1), st.integers(0, 99), st.sampled_from(JobStatus), st.integers(0, 5),
    st.integers(0, 5), st.frozensets(PROVIDERS),
)  # fmt: skip


@given(RATES, SECONDS, SECONDS, SECONDS, st.integers(0, 1 << 100), st.integers(0, 1 << 21))
def test_deposit__any_offer_and_budget__lasts_for_its_minimum_and_is_never_exceeded(
    rate: int, least: int, most: int, seconds: int, budget: int, past: int
) -> None:
    offer = listing("a", Behaviour(rate=rate, min_duration=min(least, most), max_duration=max(least, most)))
    deposit = rules.deposit_within(offer, seconds, budget)
    assert 0 <= deposit <= budget
    if deposit:
        paid_for = rules.seconds_for(rate, deposit)
        assert paid_for >= offer.min_duration
        # Whenever it is ended, by whomever, in whichever second the block of that comes: no more has streamed.
        served = min(past, paid_for, offer.max_duration)
        ended = leased(rate=rate, deposit=deposit, start=1, stop=1 + served, status=LeaseStatus.ENDED)
        assert streamed(rate, served) <= rules.exposure(ended) <= deposit


@given(
    st.lists(st.tuples(PROVIDERS, RATES, st.integers(60, 4_000)), min_size=1, max_size=12),
    st.integers(0, 1 << 100),
    st.lists(st.integers(1, 1 << 40), max_size=8),
)
def test_renting__offers_taken_one_after_another__never_commit_more_than_the_budget(
    offers: list[tuple[str, int, int]], budget: int, top_ups: list[int]
) -> None:
    limits, held = BatchLimits(64, budget, 600, 3), list[HeldLease]()
    for key, (name, rate, most) in enumerate(offers):
        found = [listing(name, Behaviour(rate=rate, max_duration=most))]
        for _, deposit in rules.rentable(found, held, {}, (), limits):
            held.append(HeldLease(key, name, LeaseStage.OPEN, deposit))
    for n, seconds in enumerate(top_ups):
        if held:
            one = held[n % len(held)]
            lease = leased(rate=offers[one.key][1], deposit=one.most, stop=1_010, max_duration=offers[one.key][2])
            more = rules.top_up_of(lease, 1_000, budget - rules.committed(held), seconds, 60)
            assert more >= 0
            held[n % len(held)] = replace(one, most=one.most + more)
    assert rules.committed(held) <= budget


@given(st.lists(JOBS), PROVIDERS, st.frozensets(PROVIDERS))
def test_next_job__any_queue__is_one_that_waits_and_has_not_failed_here_unless_nobody_else_is_left(
    jobs: list[QueuedJob], provider: str, to_be_had: frozenset[str]
) -> None:
    found = rules.next_job(jobs, provider, to_be_had | {provider})
    waiting = [job for job in jobs if job.status is JobStatus.WAITING]
    if found is None:
        assert all(provider in job.failed_on and not job.failed_on >= to_be_had for job in waiting)
    else:
        assert found in waiting and (provider not in found.failed_on or found.failed_on >= to_be_had)


@given(st.lists(st.tuples(st.sampled_from(AttemptEnd), PROVIDERS), max_size=60), st.integers(1, 5))
def test_after__any_attempts__ends_within_its_tries(ends: list[tuple[AttemptEnd, str]], tries: int) -> None:
    job, count = QueuedJob("x", 0), 0
    for end, provider in ends:
        if job.status is not JobStatus.WAITING:
            break
        job, count = rules.after(job, end, provider, tries), count + 1
    assert count < tries + rules.MOST_LOST
    assert (job.status is JobStatus.DONE) == (count > 0 and ends[count - 1][0] is AttemptEnd.DONE)
    assert job.failures <= tries and job.lost <= rules.MOST_LOST


@pytest.mark.parametrize(
    ("changes", "now", "seconds", "takes"),
    [
        ({}, 1_500, None, True),
        ({}, 1_990, 20.0, False),
        ({"notice_at": 1_400, "notice": 200}, 1_500, 50.0, True),
        ({"notice_at": 1_400, "notice": 200}, 1_500, 150.0, False),  # it may be over before
        ({"left_early": True}, 1_500, None, False),
        ({"status": LeaseStatus.ENDED}, 1_500, None, False),
    ],
)
def test_takes_jobs__by_what_is_left_of_the_lease(
    changes: dict[str, int], now: int, seconds: float | None, takes: bool
) -> None:
    assert rules.takes_jobs(leased(**changes), now, TrackRecord(), seconds, 0) is takes
    assert not rules.takes_jobs(leased(**changes), now, TrackRecord(faults=1), seconds, 0)


def test_takes_jobs__longer_than_the_deposit__counts_what_the_budget_can_add() -> None:
    lease = leased()  # a base unit a second, to 2,000
    assert not rules.takes_jobs(lease, 1_990, TrackRecord(), 500.0, 0)
    assert rules.takes_jobs(lease, 1_990, TrackRecord(), 500.0, 600)
    assert not rules.takes_jobs(leased(max_duration=1_000), 1_990, TrackRecord(), 500.0, 600)


def test_idle__before_its_minimum_is_over__stays_for_jobs_that_may_fail_elsewhere() -> None:
    running, lease = [QueuedJob("x", 0, JobStatus.RUNNING)], leased(min_duration=600)
    assert not rules.is_idle_for_good(running, lease, 1_100, True)
    assert rules.is_idle_for_good(running, lease, 1_600, True)
    assert rules.is_idle_for_good([], lease, 1_100, True)

"""What is to be done about a lease, as a function of the lease and the time."""

from __future__ import annotations

from dataclasses import replace

import pytest

from assay.chain.contracts.leases import Lease, LeaseStatus
from assay.provider.leasing.lease_rules import LeasePolicy, LeaseStanding, LeaseStep, ends_from, runs, steps

POLICY = LeasePolicy(claim_every=100, grace=50, holdback=70)


def standing(
    lease: Lease,
    claimable: int = 0,
    bond: int = 0,
    wiped_at: float | None = None,
    chain_time: int = 1100,
    **wanted: bool,
) -> LeaseStanding:
    return LeaseStanding(lease, claimable, bond, last_claim=1000, wiped_at=wiped_at, chain_time=chain_time, **wanted)


@pytest.fixture
def active(lease: Lease) -> Lease:
    return replace(lease, status=LeaseStatus.ACTIVE, rate=10**18, start=1000, stop=1200, devices=1)


def test_steps__pending__nothing(lease: Lease) -> None:
    assert steps(standing(lease, notice_wanted=True, release_wanted=True), 5000, POLICY) == []


@pytest.mark.parametrize(
    ("now", "claimable", "expected"),
    [
        (1199, 0, [LeaseStep.RUN]),
        (1099, 5, [LeaseStep.RUN]),
        (1100, 5, [LeaseStep.RUN, LeaseStep.CLAIM]),
        (1200, 0, [LeaseStep.KILL]),
        (1200, 5, [LeaseStep.KILL, LeaseStep.CLAIM]),
        (1250, 0, [LeaseStep.KILL, LeaseStep.WIPE]),
        (1270, 0, [LeaseStep.KILL, LeaseStep.WIPE]),
    ],
)
def test_steps__active__follow_the_second_it_stops(
    active: Lease, now: int, claimable: int, expected: list[LeaseStep]
) -> None:
    assert steps(standing(active, claimable), now, POLICY) == expected


def test_steps__over_but_held_back__claims_once_the_holdback_is_over(active: Lease) -> None:
    policy = replace(POLICY, claim_every=10_000)
    assert LeaseStep.CLAIM not in steps(standing(active, 5), 1269, policy)
    assert LeaseStep.CLAIM in steps(standing(active, 5), 1270, policy)


def test_steps__ended_early__kills_at_once_and_returns_the_bond_when_it_is_due(active: Lease) -> None:
    ended = replace(active, status=LeaseStatus.ENDED, stop=1100)
    assert steps(standing(ended), 1100, POLICY) == [LeaseStep.KILL]
    assert steps(standing(ended, bond=7), 1170, POLICY)[-2:] == [LeaseStep.WIPE, LeaseStep.RETURN_BOND]


def test_steps__renter_left_before_the_least_time__nothing_runs_although_rent_streams(active: Lease) -> None:
    left = replace(active, stop=1190, left_early=True)
    assert steps(standing(left), 1150, POLICY) == [LeaseStep.KILL]


@pytest.mark.parametrize(
    ("chain_time", "wanted", "expected"),
    [
        (1150, True, [LeaseStep.RELEASE]),
        (1150, False, []),
        (1190, True, []),
    ],
)
def test_steps__renter_left_early__released_when_the_provider_asks_and_not_after_its_stop(
    active: Lease, chain_time: int, wanted: bool, expected: list[LeaseStep]
) -> None:
    left = replace(active, stop=1190, left_early=True)
    assert steps(standing(left, chain_time=chain_time, release_wanted=wanted), 1150, POLICY)[1:] == expected


def test_steps__release_asked_of_a_lease_that_nobody_left__nothing(active: Lease) -> None:
    assert steps(standing(active, release_wanted=True), 1050, POLICY) == [LeaseStep.RUN]


@pytest.mark.parametrize(
    ("notice", "notice_at", "wanted", "expected"),
    [
        (60, 0, True, [LeaseStep.GIVE_NOTICE]),
        (60, 0, False, []),
        (0, 0, True, []),  # the offer promised none
        (60, 1030, True, []),  # given already
    ],
)
def test_steps__notice_wanted__given_once_where_the_offer_has_one(
    active: Lease, notice: int, notice_at: int, wanted: bool, expected: list[LeaseStep]
) -> None:
    lease = replace(active, notice=notice, notice_at=notice_at)
    assert steps(standing(lease, chain_time=1050, notice_wanted=wanted), 1050, POLICY)[1:] == expected


def test_steps__notice_run_out__ends_by_the_chains_clock_and_not_by_a_fast_one_here(active: Lease) -> None:
    lease = replace(active, notice=60, notice_at=1030)
    assert ends_from(lease) == 1090
    assert LeaseStep.END not in steps(standing(lease, chain_time=1089), 1199, POLICY)
    assert LeaseStep.END in steps(standing(lease, chain_time=1090), 1000, POLICY)


def test_steps__over_before_its_notice_ran_out__is_not_ended_again(active: Lease) -> None:
    lease = replace(active, notice=60, notice_at=1030, status=LeaseStatus.ENDED)
    assert LeaseStep.END not in steps(standing(lease, chain_time=1300), 1300, POLICY)
    assert ends_from(active) is None


def test_steps__all_paid_and_wiped__settles(active: Lease) -> None:
    assert steps(standing(active, wiped_at=1260.0), 1270, POLICY) == [LeaseStep.KILL]
    assert steps(standing(active, wiped_at=1260.0), 1271, POLICY) == [LeaseStep.KILL, LeaseStep.SETTLE]
    assert LeaseStep.SETTLE not in steps(standing(active, claimable=1, wiped_at=1260.0), 1271, POLICY)
    assert LeaseStep.SETTLE not in steps(standing(active, bond=1, wiped_at=1260.0), 1271, POLICY)


def test_steps__cancelled__wipes_and_settles(lease: Lease) -> None:
    cancelled = replace(lease, status=LeaseStatus.CANCELLED)
    assert steps(standing(cancelled), 5000, POLICY) == [LeaseStep.KILL, LeaseStep.WIPE, LeaseStep.SETTLE]


def test_runs__active_until_its_stop_and_not_once_the_renter_has_left(active: Lease) -> None:
    assert runs(active, 1199.9)
    assert not runs(active, 1200)
    assert not runs(replace(active, status=LeaseStatus.ENDED), 0)
    assert not runs(replace(active, left_early=True), 1100)

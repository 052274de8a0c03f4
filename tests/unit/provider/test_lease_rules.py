"""What is to be done about a lease, as a function of the lease and the time."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.chain.leases import Lease, LeaseStatus
from assay.provider.lease_rules import Policy, Standing, Step, is_over, steps, streamed

POLICY = Policy(claim_every=100, grace=50, holdback=70)


def standing(lease: Lease, claimable: int = 0, bond: int = 0, wiped_at: float | None = None) -> Standing:
    return Standing(lease, claimable, bond, last_claim=1000, wiped_at=wiped_at)


@pytest.fixture
def active(lease: Lease) -> Lease:
    return replace(lease, status=LeaseStatus.ACTIVE, start=1000, stop=1200)


def test_steps__pending__nothing(lease: Lease) -> None:
    assert steps(standing(lease), 5000, POLICY) == []


@pytest.mark.parametrize(
    ("now", "claimable", "expected"),
    [
        (1199, 0, [Step.RUN]),
        (1099, 5, [Step.RUN]),
        (1100, 5, [Step.RUN, Step.CLAIM]),
        (1200, 0, [Step.KILL]),
        (1200, 5, [Step.KILL, Step.CLAIM]),
        (1250, 0, [Step.KILL, Step.WIPE]),
        (1270, 0, [Step.KILL, Step.WIPE]),
    ],
)
def test_steps__active__follow_the_second_it_stops(
    active: Lease, now: int, claimable: int, expected: list[Step]
) -> None:
    assert steps(standing(active, claimable), now, POLICY) == expected


def test_steps__over_but_held_back__claims_once_the_holdback_is_over(active: Lease) -> None:
    policy = replace(POLICY, claim_every=10_000)
    assert Step.CLAIM not in steps(standing(active, 5), 1269, policy)
    assert Step.CLAIM in steps(standing(active, 5), 1270, policy)


def test_steps__ended_early__kills_at_once_and_returns_the_bond_when_it_is_due(active: Lease) -> None:
    ended = replace(active, status=LeaseStatus.ENDED, stop=1100)
    assert steps(standing(ended), 1100, POLICY) == [Step.KILL]
    assert steps(standing(ended, bond=7), 1170, POLICY)[-2:] == [Step.RETURN_BOND, Step.WIPE]


def test_steps__renter_left_before_the_least_time__nothing_runs_although_rent_streams(active: Lease) -> None:
    ended = replace(active, status=LeaseStatus.ENDED, stop=1190)
    assert steps(standing(ended), 1150, POLICY) == [Step.KILL]


def test_steps__all_paid_and_wiped__settles(active: Lease) -> None:
    assert steps(standing(active, wiped_at=1260.0), 1270, POLICY) == [Step.KILL]
    assert steps(standing(active, wiped_at=1260.0), 1271, POLICY) == [Step.KILL, Step.SETTLE]
    assert Step.SETTLE not in steps(standing(active, claimable=1, wiped_at=1260.0), 1271, POLICY)


def test_steps__cancelled__wipes_and_settles(lease: Lease) -> None:
    cancelled = replace(lease, status=LeaseStatus.CANCELLED)
    assert steps(standing(cancelled), 5000, POLICY) == [Step.KILL, Step.WIPE, Step.SETTLE]


@given(st.integers(0, 1 << 100), st.integers(1, 1 << 39), st.integers(0, 1 << 20), st.integers(-5, 1 << 21))
def test_streamed__any_time__never_beyond_the_stop_nor_negative(rate: int, start: int, length: int, after: int) -> None:
    lease = Lease(1, "", "", b"", "", LeaseStatus.ACTIVE, rate, 0, start, start + length, 0, 0, 0, 0, 0, 0, 0)
    value = streamed(lease, start + after)
    assert 0 <= value <= rate * length // 10**18
    if after >= length:
        assert value == rate * length // 10**18


def test_is_over__by_status_and_time(active: Lease) -> None:
    assert not is_over(active, 1199.9)
    assert is_over(active, 1200)
    assert is_over(replace(active, status=LeaseStatus.ENDED), 0)

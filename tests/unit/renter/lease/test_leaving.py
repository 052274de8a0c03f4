"""What leaving a lease costs its renter, and what makes it free."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.chain.contracts.leases import LeaseStatus
from assay.renter.lease.leaving import Free, Leaving, leaving, notice_over
from tests.unit.renter.leased import leased

MAX_DOWNTIME = 100


def of(now: int, slashed: bool = False, **changes: Any) -> Leaving:
    return leaving(leased(min_duration=600, **changes), now, MAX_DOWNTIME, slashed)


def test_leaving__before_the_minimum__costs_the_rest_of_it() -> None:
    assert of(1_200) == Leaving(None, 400, 1_600, 101)
    assert of(1_599, downtime=100) == Leaving(None, 1, 1_600, 1)


@pytest.mark.parametrize(
    ("now", "changes", "why"),
    [
        (1_600, {}, Free.minimum),
        (1_001, {"slashed": True}, Free.slashed),
        (1_001, {"notice_at": 1_000}, Free.notice),
        (1_001, {"downtime": 101}, Free.downtime),
        (1_001, {"status": LeaseStatus.PENDING, "start": 0}, Free.pending),
        (2_000, {}, Free.over),
        (1_001, {"status": LeaseStatus.ENDED}, Free.over),
        # The reason that frees it for good goes before one that time brings.
        (1_700, {"downtime": 101, "left_early": True}, Free.downtime),
        (1_700, {"slashed": True, "downtime": 101, "notice_at": 5}, Free.slashed),
    ],
)
def test_leaving__free_for_one_reason(now: int, changes: dict[str, Any], why: Free) -> None:
    assert of(now, **changes) == Leaving(why)


def test_leaving__left_early__is_bound_until_something_frees_it() -> None:
    """The stream goes on to the minimum; then there is nothing left to end."""
    assert of(1_200, left_early=True, stop=1_600).free is None
    assert of(1_200, left_early=True, stop=1_600, downtime=101).free is Free.downtime
    assert of(1_600, left_early=True, stop=1_600).free is Free.over


@given(st.integers(1, 1 << 90), st.integers(0, 600))
def test_leaving__cost__is_what_the_escrow_streams_from_now_to_the_minimum(rate: int, passed: int) -> None:
    way = of(1_000 + passed, rate=rate)
    if way.free is None:
        streamed = rate * passed // 10**18
        assert streamed + way.cost == rate * 600 // 10**18


def test_notice_over__only_once_it_was_given() -> None:
    assert notice_over(leased(notice=60)) == 0
    assert notice_over(leased(notice=60, notice_at=1_500)) == 1_560

"""How many replicas are wanted under any load, which are let go, and when one is given up."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.renter.serving.scaling import (
    BUSY_S,
    CALM_S,
    Bounds,
    Replica,
    ReplicaDemand,
    ReplicaStage,
    follow,
    is_drained,
    is_given_up,
    to_let_go,
)

BOUNDS = Bounds(1, 3, 4.0)
UP, DOWN = ReplicaStage.UP, ReplicaStage.DOWN
REPLICAS = st.lists(
    st.builds(Replica, st.integers(0, 99), st.sampled_from(ReplicaStage), st.just(0.0), st.integers(0, 9),
              st.integers(0, 9), st.sampled_from([None, 500.0])), unique_by=lambda one: one.key,
)  # fmt: skip


def steady(demand: ReplicaDemand, requests: int, begins: float, seconds: int) -> ReplicaDemand:
    for second in range(seconds + 1):
        demand = follow(demand, requests, begins + second, BOUNDS)
    return demand


def test_follow__load_comes_and_goes__moves_from_one_to_three_and_back_one_by_one() -> None:
    assert steady(ReplicaDemand(1), 12, 0, int(BUSY_S) - 1).wanted == 1
    busy = steady(ReplicaDemand(1), 12, 0, int(BUSY_S))
    assert busy.wanted == 3
    assert steady(busy, 0, 100, int(CALM_S) - 1).wanted == 3
    assert steady(busy, 0, 100, int(CALM_S)).wanted == 2
    assert steady(busy, 0, 100, 2 * int(CALM_S) + 1).wanted == 1


def test_follow__a_moment_of_load__moves_nothing() -> None:
    demand = ReplicaDemand(1)
    for second in range(200):
        demand = follow(demand, 12 if second % 8 == 0 else 4, float(second), BOUNDS)
    assert demand.wanted == 1


@given(st.lists(st.tuples(st.integers(0, 10_000), st.floats(0, 1_000)), max_size=50), st.integers(0, 9))
def test_follow__any_load__stays_within_its_bounds(load: list[tuple[int, float]], wanted: int) -> None:
    demand, now = ReplicaDemand(wanted), 0.0
    for requests, passed in load:
        now += passed
        demand = follow(demand, requests, now, BOUNDS)
        assert BOUNDS.least <= demand.wanted <= BOUNDS.most


@given(REPLICAS, st.integers(1, 5))
def test_let_go__any_replicas__leaves_as_many_up_as_are_wanted(replicas: list[Replica], wanted: int) -> None:
    gone = to_let_go(replicas, wanted)
    lasting = [one for one in replicas if one.stage is UP and one.leaves_at is None]
    assert all(one.stage is UP for one in gone) and len(gone) == len(set(gone))
    assert sum(one not in gone for one in lasting) == min(len(lasting), wanted)
    if any(one.leaves_at is not None for one in gone):
        assert len(lasting) >= wanted


def test_let_go__beyond_what_is_wanted__begins_with_the_dearest() -> None:
    three = [Replica(n, UP, 0, rate=rate) for n, rate in enumerate([5, 9, 7])]
    assert [one.key for one in to_let_go(three, 1)] == [1, 2]


@pytest.mark.parametrize(("stage", "after", "given_up"), [
    (ReplicaStage.STARTING, 899, False), (ReplicaStage.STARTING, 900, True), (DOWN, 59, False), (DOWN, 60, True),
    (UP, 9_999, False), (ReplicaStage.DRAINING, 9_999, False),
])  # fmt: skip
def test_given_up__by_its_time_to_come_up_or_back(stage: ReplicaStage, after: float, given_up: bool) -> None:
    assert is_given_up(Replica(1, stage, 100), 100 + after, 900, 60) is given_up


def test_drained__once_it_answers_nothing_or_had_its_time_or_its_lease_ends() -> None:
    def drained(open_: int, after: float, leaves_at: float | None = None) -> bool:
        return is_drained(Replica(1, ReplicaStage.DRAINING, 100, open_, 0, leaves_at), 100 + after, 300, 20)

    assert drained(0, 0) and not drained(2, 299) and drained(2, 300)
    assert drained(2, 10, leaves_at=125) and not drained(2, 10, leaves_at=200)

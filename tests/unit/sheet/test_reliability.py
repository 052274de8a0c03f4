"""How sure a share of epochs is."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from assay.sheet.reliability import lower_bound_bps, rank_rate

MOST = (1 << 128) - 2


def exact(passed: int, n: int, z: float = 1.96) -> float:
    p = passed / n
    half = z * (p * (1 - p) / n + z * z / (4 * n * n)) ** 0.5
    return 10_000 * (p + z * z / (2 * n) - half) / (1 + z * z / n)


@given(st.integers(1, 1_000_000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_lower_bound__of_any_history__is_wilsons(history: tuple[int, int]) -> None:
    assert abs(lower_bound_bps(*history) - exact(*history)) <= 2


def test_lower_bound__of_the_same_share__grows_with_the_epochs_behind_it() -> None:
    bounds = [lower_bound_bps(n, n) for n in (0, 1, 10, 100, 1_000, 10_000)]
    assert bounds == sorted(bounds) and bounds[:2] == [0, 2_065] and bounds[-1] > 9_990


def test_lower_bound__of_a_device_whose_provider_was_slashed__is_far_below() -> None:
    assert lower_bound_bps(1_000, 1_000, 1) < 9_100
    assert lower_bound_bps(1, 1, 7) < 10
    assert lower_bound_bps(3, 2) == 0  # no history at all


def test_rank__of_an_uncertain_device__costs_more_than_its_price() -> None:
    assert rank_rate(800, 8, 10_000, MOST) == 100
    assert rank_rate(100, 1, 2_000, MOST) == 500
    assert rank_rate(100, 1, 0, MOST) == rank_rate(1 << 127, 1, 1, MOST) == MOST

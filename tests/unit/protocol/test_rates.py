"""Costs are rounded one way everywhere: what is owed up, what has streamed down."""

from __future__ import annotations

from decimal import Decimal

import pytest

from assay.protocol.rates import RATE_UNIT, cost, exact_rate, price_per_hour, seconds_for, streamed


@pytest.mark.parametrize(
    ("rate", "seconds", "up", "down"), [(RATE_UNIT, 60, 60, 60), (1, 1, 1, 0), (RATE_UNIT + 1, 3, 4, 3), (5, 0, 0, 0)]
)
def test_cost__of_seconds__is_rounded_up_and_what_streamed_down(rate: int, seconds: int, up: int, down: int) -> None:
    assert (cost(rate, seconds), streamed(rate, seconds)) == (up, down)


def test_seconds__that_a_deposit_lasts__are_at_least_those_it_was_made_for() -> None:
    for rate, seconds in ((RATE_UNIT // 3, 61), (7 * RATE_UNIT + 1, 3600)):
        assert seconds_for(rate, cost(rate, seconds)) >= seconds


def test_rate__of_a_price__is_exact_beyond_the_digits_of_decimals() -> None:
    price = Decimal("1.000000000000000000000000000000000001")
    assert exact_rate(price, 18) > exact_rate(Decimal(1), 18)
    assert exact_rate(Decimal("3.6"), 6) == 1_000 * RATE_UNIT
    assert price_per_hour(1_000 * RATE_UNIT, 6) == Decimal("3.6")

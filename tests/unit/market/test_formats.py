"""How pages write flags and prices."""

from __future__ import annotations

from decimal import Decimal

import pytest

from assay.market.web.formats import flags, flags_mood, per_hour, rate_of


@pytest.mark.parametrize(
    "value, text, mood",
    [
        (1, "passed", "good"),
        (129, "passed, memory proven", "good"),
        (2, "leased", "cool"),
        (6, "leased, late", "cool"),
        (4, "late", "bad"),
        (5, "passed, late", "bad"),
        (132, "late, memory proven", "bad"),
        (0, "failed", "bad"),
    ],
)
def test_flags__of_an_observation_or_report__are_named_and_coloured(value: int, text: str, mood: str) -> None:
    assert (flags(value), flags_mood(value)) == (text, mood)


@pytest.mark.parametrize("price, decimals", [("0.1", 6), ("2", 6), ("8", 18), ("0.25", 0)])
def test_rate__of_a_price__is_the_least_that_costs_no_less(price: str, decimals: int) -> None:
    rate = rate_of(Decimal(price), decimals)
    assert rate * 3600 >= Decimal(price) * 10**decimals * 10**18 > (rate - 1) * 3600
    if decimals:
        assert Decimal(per_hour(rate, decimals)) == Decimal(price)

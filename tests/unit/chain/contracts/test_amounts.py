"""Amounts as people read them."""

from __future__ import annotations

import re
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.chain.contracts.amounts import amount_text, rounded, show_amount


@pytest.mark.parametrize(
    "exact, shown",
    [
        ("3.1999999999999999999968", "3.2"),  # what 3.2 an hour is as a rate by the second
        ("0.333333333333333333", "0.333333"),
        ("1234567.000001", "1234567.000001"),
        ("0", "0"),
        ("0.0000123456", "0.0000123"),
        ("0.000000000000000001", "0.000000000000000001"),
        ("-0.9999999", "-1"),
    ],
)
def test_rounded__an_amount__has_the_digits_that_count(exact: str, shown: str) -> None:
    assert rounded(exact) == shown


def test_rounded__with_a_least_number_of_places__has_them() -> None:
    assert [rounded(text, 2) for text in ("3", "3.5", "3.123456789")] == ["3.00", "3.50", "3.123457"]


@given(st.integers(0, (1 << 256) - 1), st.integers(0, 255))
def test_amount_text__of_any_amount_of_any_token__is_within_a_thousandth_and_short(units: int, decimals: int) -> None:
    text = amount_text(units, decimals)
    exact = Decimal(show_amount(units, decimals))
    assert abs(Decimal(text) - exact) <= max(exact / 200, Decimal(0))
    assert not units or Decimal(text) > 0  # what is there is never shown as nothing
    assert len(re.sub(r"^0\.0*|^\d+\.?", "", text)) <= 6

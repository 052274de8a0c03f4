"""How pages write flags and prices."""

from __future__ import annotations

from decimal import Decimal

import pytest

from assay.market.api.context import Token
from assay.market.queries.search import Search
from assay.market.web.event_words import arguments_of
from assay.market.web.formats import age_tag, clock_tag, decimal, flags, flags_mood, per_hour, rate_of
from assay.market.web.market_pages import token_to_sort_by


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


@pytest.mark.parametrize(
    ("amount", "decimals", "text"),
    [
        (4_800_000, 6, "4.80"),
        (2_500 * 10**18, 18, "2,500.00"),
        (0, 6, "0.00"),
        (10_000, 6, "0.01"),
        (1_234, 6, "0.0012"),
        (50, 6, "0.000050"),
        (7, 18, "7.0e-18"),
    ],
)
def test_amounts__of_any_size__have_two_places_or_two_digits(amount: int, decimals: int, text: str) -> None:
    assert decimal(amount, decimals) == text


DOLLAR, OTHER = "0x" + "d0" * 20, "0x" + "e1" * 20
TOKENS = {DOLLAR: Token("tUSD", 6)}


def words(contract: str, lease_token: str | None = None, **arguments: object) -> dict[str, str]:
    shown = arguments_of({"contract": contract, "arguments": arguments}, TOKENS, lease_token)
    return {name: value.striptags() for name, value in shown}


def test_event__of_a_lease__is_in_its_token_and_in_words() -> None:
    offer = {"token": DOLLAR, "rate": str(10**6 * 10**18 // 3600 + 1), "validUntil": 1_700_000_000, "notice": 3_600}
    assert words("LeaseEscrow", leaseId=7, deposit="4800000", offer=offer) == {
        "lease id": "7",
        "deposit": "4.80 tUSD",
        "token": "tUSD",
        "rate": "1.00 tUSD/h",
        "valid until": "14 Nov 2023, 22:13:20 UTC",
        "notice": "1 h",
    }
    assert words("LeaseEscrow", DOLLAR, leaseId=7, amount="1500000") == {"lease id": "7", "amount": "1.50 tUSD"}


def test_times__beyond_any_calendar__have_no_end() -> None:
    assert (clock_tag(1 << 39), age_tag(1 << 39)) == ("without end", "without end")
    assert words("DeviceRegistry", until=(1 << 40) - 1) == {"until": "without end"}


def test_event__of_stake__is_in_the_networks_token_and_of_an_unknown_one_in_base_units() -> None:
    assert words("Staking", amount=str(250 * 10**18), unlockAt=0) == {"amount": "250.00 ASY", "unlock at": "–"}
    assert words("LeaseEscrow", leaseId=7, amount="5") == {"lease id": "7", "amount": "5"}


def test_prices__in_several_tokens__are_sorted_in_the_one_that_most_are_paid_in() -> None:
    counted = {DOLLAR: 5, OTHER: 2, "": 9}
    assert token_to_sort_by(Search(sort="price"), counted) == DOLLAR
    assert token_to_sort_by(Search(sort="score", max_rate=5), counted) == DOLLAR
    assert token_to_sort_by(Search(sort="score"), counted) is None
    assert token_to_sort_by(Search(tokens=(OTHER,)), counted) is None
    assert token_to_sort_by(Search(), {DOLLAR: 5, "": 9}) is None

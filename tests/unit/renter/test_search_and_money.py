"""Search over measured devices, and arithmetic of prices."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.chain.devices import Device
from assay.protocol.leaves import DeviceLeaf
from assay.protocol.messages import Offer
from assay.protocol.report_lines import Measured
from assay.protocol.specification import parse_specification
from assay.provider.offers import rate_of
from assay.renter.errors import BadInput, NoDevice
from assay.renter.listing import Evidence, Listing, listings, proven_listing
from assay.renter.money import (
    deposit_for,
    parse_amount,
    parse_duration,
    seconds_for,
    show_amount,
)
from assay.renter.offers import ANYONE, SignedOffer
from assay.renter.placement import spread
from assay.renter.regions import distance
from assay.renter.search import Order, Wanted, is_near_enough, matches, ordered

TOKEN = "0x" + "33" * 20
NOW = 1000.0
SPEC = parse_specification({"model": "NVIDIA H100 80GB", "memoryMiB": 81_920, "region": "eu-de-fra"})


def evidence(number: int, *, score: int = 100, price: str = "1", flags: int = 1) -> Evidence:
    device_id = bytes([number]) * 32
    offer = Offer(
        "0x" + "44" * 20, device_id, TOKEN, rate_of(Decimal(price), 6), 60, 3600, 2000, 1, ANYONE
    )  # fmt: skip
    leaf = DeviceLeaf(7, device_id, 0, 1, score, 1024, 9_900, flags, bytes(32))
    device = Device(device_id, offer.provider, "0x" + "55" * 20, 1, SPEC.spec_hash, endpoint=f"http://10.0.{number}.1")
    return Evidence(device, Measured(leaf, ()), SignedOffer(offer, bytes(64)))


def listing(number: int, *, score: int = 100, price: str = "1", rtt: float | None = 5.0) -> Listing:
    return replace(proven_listing(evidence(number, score=score, price=price), 6, SPEC), round_trip_ms=rtt)


@pytest.mark.parametrize(
    "wanted",
    [
        Wanted(), Wanted(min_score=100), Wanted(max_price=Decimal(1)), Wanted(token=TOKEN.upper().replace("X", "x")),
        Wanted(duration=60), Wanted(duration=3600), Wanted(min_memory_mib=1024), Wanted(min_uptime_bps=9_900),
        Wanted(profile=1), Wanted(model="h100"), Wanted(region="EU-de"), Wanted(region="eu"), Wanted(near="us"),
        Wanted(min_value=Decimal(100)),
    ],
)  # fmt: skip
def test_matches__exactly_what_is_wanted__is_found(wanted: Wanted) -> None:
    assert matches(listing(1), wanted, NOW)


@pytest.mark.parametrize(
    "wanted",
    [
        Wanted(min_score=101), Wanted(max_price=Decimal("0.99")), Wanted(token="0x" + "34" * 20),
        Wanted(duration=59), Wanted(duration=3601), Wanted(min_memory_mib=1025), Wanted(min_uptime_bps=9_901),
        Wanted(profile=2), Wanted(provider="0x" + "45" * 20), Wanted(model="h200"), Wanted(region="eu-d"),
        Wanted(region="eu-de-fra-1"), Wanted(region="-"), Wanted(min_value=Decimal("100.1")),
    ],
)  # fmt: skip
def test_matches__a_little_less_than_wanted__is_not_found(wanted: Wanted) -> None:
    assert not matches(listing(1), wanted, NOW)


@pytest.mark.parametrize(("most", "expected"), [(None, [True, True]), (5.0, [True, False]), (4.9, [False, False])])
def test_is_near_enough__by_the_measured_round_trip__not_reached_is_far(
    most: float | None, expected: list[bool]
) -> None:
    found = [listing(1), listing(2, rtt=None)]
    assert [is_near_enough(one, Wanted(max_rtt_ms=most)) for one in found] == expected


def test_matches__expired_or_somebody_elses_quote__is_not_found() -> None:
    assert not matches(listing(1), Wanted(), 2000)
    private = replace(listing(1), renter="0x" + "66" * 20)
    assert not matches(private, Wanted(), NOW)
    assert matches(private, Wanted(renter="0x" + "66" * 20), NOW)


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        (Order.price, [2, 1, 3]), (Order.score, [3, 2, 1]), (Order.value, [2, 3, 1]), (Order.latency, [3, 1, 2]),
        (Order.uptime, [1, 2, 3]), (Order.memory, [1, 2, 3]),
    ],
)  # fmt: skip
def test_ordered__each_order__best_first(order: Order, expected: list[int]) -> None:
    found = [listing(1, score=50, price="2", rtt=2), listing(2, score=90, price="1", rtt=3),
             listing(3, score=99, price="3", rtt=1)]  # fmt: skip
    assert [one.device_id[0] for one in ordered(found, order)] == expected


def test_ordered__not_reached__comes_last_by_latency() -> None:
    assert ordered([listing(1, rtt=None), listing(2, rtt=99)], Order.latency)[0].round_trip_ms == 99


def test_ordered__near_a_region__goes_before_the_price() -> None:
    far, near, nearest = (
        replace(listing(n, price=price), region=region)
        for n, price, region in ((1, "1", "us-va"), (2, "2", "eu-fr"), (3, "3", "eu-de-fra"))
    )
    assert ordered([far, near, nearest], Order.price, "eu-de") == [nearest, near, far]
    assert ordered([nearest, near, far], Order.price) == [far, near, nearest]


def test_listings__lacking_a_pass_an_offer_or_a_known_token__are_left_out() -> None:
    one, failed = evidence(1), evidence(1, flags=5)
    device_id = one.device.device_id
    devices, measured, offers = {device_id: one.device}, {device_id: one.measured}, {device_id: one.signed}
    found = listings(devices, measured, offers, {TOKEN: 6}, {SPEC.spec_hash: SPEC})
    assert [(listing.model, listing.evidence) for listing in found] == [("NVIDIA H100 80GB", one)]
    assert listings(devices, measured, offers, {TOKEN: 6}, {})[0].model == ""
    assert listings(devices, {}, offers, {TOKEN: 6}, {}) == []
    assert listings(devices, measured, {}, {TOKEN: 6}, {}) == []
    assert listings(devices, measured, offers, {}, {}) == []
    for flags in (0, 2, 3, 5, 9, 65):
        failed = evidence(1, flags=flags)
        assert listings(devices, {device_id: failed.measured}, offers, {TOKEN: 6}, {}) == []


def test_spread__devices_of_one_provider_or_network__are_not_chosen_together() -> None:
    def at(number: int, provider: str, endpoint: str) -> Listing:
        return replace(listing(number), provider=provider, endpoint=endpoint)

    a, same_provider, same_network, b, named, c = (
        at(1, "A", "http://10.0.1.1:8700"), at(2, "A", "http://10.9.1.1"), at(3, "B", "https://10.0.1.77"),
        at(4, "C", "http://[2001:db8::1]:1"), at(5, "D", "http://[2001:db8::ffff]:1"), at(6, "E", "http://gpu.example"),
    )  # fmt: skip
    found = [a, same_provider, same_network, b, named, c]
    assert spread(found, 3) == [a, b, c]
    with pytest.raises(NoDevice, match=r"4 devices .* 3 were found"):
        spread(found, 4)


@pytest.mark.parametrize(
    ("region", "other", "expected"),
    [("eu-de-fra", "eu-de", 0), ("eu", "eu-de", 1), ("us", "eu-de", 2), ("", "eu", 1), ("EU_DE", "eu-de", 0)],
)
def test_distance__of_regions__counts_parts_that_are_not_shared(region: str, other: str, expected: int) -> None:
    assert distance(region, other) == expected


@given(st.integers(1, 1 << 100), st.integers(1, 1 << 32))
def test_deposit__for_seconds__lasts_that_long_and_no_cheaper_one_does(rate: int, seconds: int) -> None:
    deposit = deposit_for(rate, seconds)
    assert seconds_for(rate, deposit) >= seconds
    assert rate * seconds <= deposit * 10**18
    assert rate * seconds > (deposit - 1) * 10**18


@given(st.decimals("0.000001", "1000000", places=6), st.integers(6, 18))
def test_rate__of_a_price__never_above_it_and_within_a_base_unit_an_hour(price: Decimal, decimals: int) -> None:
    exact = Fraction(price) * 10**decimals - Fraction(rate_of(price, decimals) * 3600, 10**18)
    assert 0 <= exact < Fraction(3600, 10**18)


@given(st.integers(1, 1 << 128), st.integers(0, 18))
def test_amount__shown_and_parsed__is_the_same(amount: int, decimals: int) -> None:
    assert parse_amount(show_amount(amount, decimals), decimals) == amount


@pytest.mark.parametrize("text", ["", "x", "0", "-1", "NaN", "Infinity", "0.0000001"])
def test_parse_amount__not_an_amount_of_the_token__is_refused(text: str) -> None:
    with pytest.raises(BadInput):
        parse_amount(text, 6)


@pytest.mark.parametrize(("text", "seconds"), [("90", 90), ("90s", 90), ("15m", 900), ("2h", 7200), ("1d", 86400)])
def test_parse_duration__units__become_seconds(text: str, seconds: int) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "0", "h", "-1h", "1.5h", "1w", "٣h", "9999999999"])
def test_parse_duration__anything_else__is_refused(text: str) -> None:
    with pytest.raises(BadInput):
        parse_duration(text)

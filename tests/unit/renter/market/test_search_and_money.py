"""Search over measured devices, and arithmetic of prices."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.chain.contracts.devices import Device
from assay.protocol.hexadecimal import ZERO_ADDRESS
from assay.protocol.leaves import DeviceLeaf
from assay.protocol.messages import Offer
from assay.protocol.rates import cost, seconds_for
from assay.protocol.specification import DeclaredHost, host_of_all, parse_specification
from assay.provider.offers.offers import rate_of
from assay.renter.errors import BadInput, NoDevice
from assay.renter.market.listing import Evidence, Listing, listings, proven_listing
from assay.renter.market.offers import ANYONE
from assay.renter.market.placement import alike, disjoint, spread
from assay.renter.market.search import Order, Wanted, distance, is_near_enough, matches, ordered
from assay.renter.money.amounts import parse_amount, parse_duration, show_amount
from assay.sheet.values import Source
from assay.wire.leases import SignedOffer
from assay.wire.lines import Measured

TOKEN = "0x" + "33" * 20
NOW = 1000.0
SPEC = parse_specification({"model": "NVIDIA H100 80GB", "memoryMiB": 81_920, "region": "eu-de-fra"})
SPECS = {SPEC.spec_hash: SPEC}


def device(number: int, **changes: Any) -> Device:
    made = Device(
        bytes([number]) * 32, "0x" + "44" * 20, "0x" + "55" * 20, 1, SPEC.spec_hash, endpoint=f"http://10.0.{number}.1"
    )
    return replace(made, **changes)


def line(number: int, **changes: Any) -> Measured:
    leaf = DeviceLeaf(7, bytes([number]) * 32, 0, 1, 100, 1024, 9_900, 1, bytes(32))
    return Measured(replace(leaf, **changes), ())


def offer(*numbers: int, price: str = "1", **changes: Any) -> SignedOffer:
    ids = tuple(bytes([number]) * 32 for number in numbers)
    made = Offer("0x" + "44" * 20, ZERO_ADDRESS, ids, TOKEN, rate_of(Decimal(price), 6), 60, 3600, 2000, 1, ANYONE, 0)
    return SignedOffer(replace(made, **changes), bytes(64))


def listing(number: int, *, score: int = 100, price: str = "1", rtt: float | None = 5.0) -> Listing:
    evidence = Evidence((device(number),), (line(number, score_gops=score),), offer(number, price=price))
    return replace(proven_listing(evidence, 6, SPECS), round_trip_ms=rtt)


def node(*numbers: int, **changes: Any) -> Listing:
    """A node of the devices, each measured a little better than the one before."""
    lines = tuple(line(n, score_gops=100 + n, memory_mib=1024 + n, uptime_bps=9_900 + n, **changes) for n in numbers)
    return proven_listing(Evidence(tuple(device(n) for n in numbers), lines, offer(*numbers, price="4")), 6, SPECS)


def test_listing__of_a_node__is_as_good_as_its_least_device_and_worth_all_of_them() -> None:
    one = node(3, 1, 2)
    assert (one.gpus, one.score_gops, one.memory_mib, one.uptime_bps) == (3, 101, 1025, 9_901)
    assert one.name == "0x" + "03" * 32
    # 303 giga-operations a second at least, for 4 tokens an hour less what rounding the rate down takes.
    assert one.value == pytest.approx(Decimal("75.75"))


def test_listing__devices_that_declare_or_do_different_things__says_nothing_for_all() -> None:
    mixed = Evidence((device(1), device(2, spec_hash=bytes(32))), (line(1), line(2, profile=2)), offer(1, 2))
    one = proven_listing(mixed, 6, SPECS)
    assert (one.model, one.region, one.profile) == ("", "", 0)
    assert not matches(one, Wanted(model="h100"), NOW) and not matches(one, Wanted(profile=1), NOW)


@pytest.mark.parametrize(
    ("wanted", "sizes"),
    [
        (Wanted(), [1, 2, 4]),
        (Wanted(max_gpus=1), [1]),
        (Wanted(min_gpus=2), [2, 4]),
        (Wanted(min_gpus=2, max_gpus=2), [2]),
        (Wanted(min_gpus=3, max_gpus=3), []),
    ],
)
def test_matches__by_how_many_devices__exactly_or_at_least(wanted: Wanted, sizes: list[int]) -> None:
    found = [listing(9), node(1, 2), node(1, 2, 3, 4)]
    assert [one.gpus for one in found if matches(one, wanted, NOW)] == sizes


def test_matches__by_values_of_the_sheet__what_is_not_known_is_within_no_bound() -> None:
    one = replace(listing(1), declared={"disk_read_mbs": 5_000, "cuda": 1204})
    assert one.sheet["diskReadMbs"].source is Source.declared
    assert matches(one, Wanted(at_least=(("diskReadMbs", 5_000), ("cuda", 1204))), NOW)
    assert not matches(one, Wanted(at_least=(("diskReadMbs", 5_001),)), NOW)
    assert not matches(one, Wanted(at_most=(("cpuMhz", 5_001),)), NOW)
    slow = replace(listing(2), declared={"disk_read_mbs": 50})
    assert ordered([slow, one], Order.disk_read)[0] is one


def test_best__of_an_uncertain_or_slashed_one__is_not_first_though_it_is_cheaper() -> None:
    sure = replace(listing(1, price="2"), reliability_low_bps=9_800, measured_epochs=300)
    lucky = replace(listing(2, price="1"), reliability_low_bps=2_065, measured_epochs=1)
    assert ordered([lucky, sure], Order.best) == [sure, lucky]
    assert ordered([sure, lucky], Order.price) == [lucky, sure]
    slashed = replace(listing(3, price="0.5"), provider_slashes=7)
    assert ordered([slashed, listing(4)], Order.best)[0].provider_slashes == 0
    assert not matches(slashed, Wanted(no_slashed=True), NOW) and matches(slashed, Wanted(), NOW)


def test_matches__firm__takes_nothing_that_a_notice_ends() -> None:
    assert matches(replace(listing(1), notice=60), Wanted(), NOW)
    assert not matches(replace(listing(1), notice=60), Wanted(firm=True), NOW)


@pytest.mark.parametrize(
    "wanted",
    [
        Wanted(), Wanted(min_score=100), Wanted(max_price=Decimal(1)), Wanted(token=TOKEN.upper().replace("X", "x")),
        Wanted(duration=60), Wanted(duration=3600), Wanted(min_memory_mib=1024), Wanted(min_uptime_bps=9_900),
        Wanted(profile=1), Wanted(model="h100"), Wanted(model="NVIDIA_H100-80GB"), Wanted(min_memory_gb=80),
        Wanted(region="EU-de"), Wanted(region="eu"), Wanted(near="us"),
        Wanted(min_value=Decimal(100)),
    ],
)  # fmt: skip
def test_matches__exactly_what_is_wanted__is_found(wanted: Wanted) -> None:
    assert matches(listing(1), wanted, NOW)


def test_matches__part_of_the_host__is_what_all_devices_declare_together() -> None:
    found = replace(listing(1), host=host_of_all([DeclaredHost(7, 60, 500)] * 2))
    assert matches(found, Wanted(min_host=DeclaredHost(14, 120, 1000)), NOW)
    for wanted in (DeclaredHost(15, 0, 0), DeclaredHost(0, 121, 0), DeclaredHost(0, 0, 1001)):
        assert not matches(found, Wanted(min_host=wanted), NOW)
        assert not matches(replace(found, host=host_of_all([found.host, None])), Wanted(min_host=wanted), NOW)
    assert matches(replace(found, host=None), Wanted(), NOW)


@pytest.mark.parametrize(
    "wanted",
    [
        Wanted(min_score=101), Wanted(max_price=Decimal("0.99")), Wanted(token="0x" + "34" * 20),
        Wanted(duration=59), Wanted(duration=3601), Wanted(min_memory_mib=1025), Wanted(min_uptime_bps=9_901),
        Wanted(profile=2), Wanted(provider="0x" + "45" * 20), Wanted(model="h200"),
        Wanted(model="h10"), Wanted(model="h100 pcie"), Wanted(min_memory_gb=81),
        Wanted(min_of_expected_bps=10_000), Wanted(region="eu-d"),
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
        (Order.price, [2, 1, 3]),
        (Order.score, [3, 2, 1]),
        (Order.value, [2, 3, 1]),
        (Order.latency, [3, 1, 2]),
        (Order.uptime, [1, 2, 3]),
        (Order.memory, [1, 2, 3]),
    ],
)
def test_ordered__each_order__best_first(order: Order, expected: list[int]) -> None:
    found = [
        listing(1, score=50, price="2", rtt=2),
        listing(2, score=90, price="1", rtt=3),
        listing(3, score=99, price="3", rtt=1),
    ]
    assert [one.device_ids[0][0] for one in ordered(found, order)] == expected


def test_ordered__not_reached__comes_last_by_latency() -> None:
    assert ordered([listing(1, rtt=None), listing(2, rtt=99)], Order.latency)[0].round_trip_ms == 99


@pytest.mark.parametrize(("order", "expected"), [(Order.price, [2, 1, 3]), (Order.score, [3, 1, 2])])
def test_ordered__priced_in_two_tokens__compares_no_amount_of_one_with_one_of_the_other(
    order: Order, expected: list[int]
) -> None:
    # A tenth of a token of which one may be worth a thousand of the others.
    dear = replace(listing(3, price="0.1", score=99), token="0x" + "ff" * 20)
    found = [dear, listing(1, price="2", score=50), listing(2, price="1", score=40)]
    assert [one.device_ids[0][0] for one in ordered(found, order)] == expected


def test_ordered__near_a_region__goes_before_the_price() -> None:
    far, near, nearest = (
        replace(listing(n, price=price), region=region)
        for n, price, region in ((1, "1", "us-va"), (2, "2", "eu-fr"), (3, "3", "eu-de-fra"))
    )
    assert ordered([far, near, nearest], Order.price, "eu-de") == [nearest, near, far]
    assert ordered([nearest, near, far], Order.price) == [far, near, nearest]


def test_listings__lacking_a_pass_an_offer_a_device_or_a_known_token__are_left_out() -> None:
    known, passes, offers = {bytes([1]) * 32: device(1)}, [{bytes([1]) * 32: line(1)}], [offer(1)]
    (found,) = listings(known, passes, offers, {TOKEN: 6}, SPECS)
    assert (found.model, found.evidence) == ("NVIDIA H100 80GB", Evidence((device(1),), (line(1),), offer(1)))
    assert listings(known, passes, offers, {TOKEN: 6}, {})[0].model == ""
    assert listings(known, [{}], offers, {TOKEN: 6}, {}) == []
    assert listings(known, passes, [], {TOKEN: 6}, {}) == []
    assert listings(known, passes, offers, {}, {}) == []
    assert listings({}, passes, offers, {TOKEN: 6}, {}) == []


def test_listings__of_a_node__stand_on_the_newest_epoch_that_passed_all_of_it() -> None:
    known = {bytes([n]) * 32: device(n, endpoint="http://one") for n in (1, 2)}
    newest = {bytes([1]) * 32: line(1, epoch=9)}
    both = {bytes([n]) * 32: line(n, epoch=8) for n in (1, 2)}
    single, together = listings(known, [newest, both], [offer(1, 2), offer(1)], {TOKEN: 6}, {})
    assert (single.gpus, single.epoch, together.gpus, together.epoch) == (1, 9, 2, 8)
    assert [one.leaf.epoch for one in together.evidence.measured] == [8, 8]  # type: ignore[union-attr]
    apart = {**known, bytes([2]) * 32: device(2, endpoint="http://two")}
    assert [one.gpus for one in listings(apart, [both], [offer(1, 2), offer(1)], {TOKEN: 6}, {})] == [1]


def test_disjoint__offers_that_share_a_device__are_not_taken_together() -> None:
    found = [node(1, 2), listing(2), node(2, 3), listing(3)]
    assert disjoint(found, 2) == [found[0], found[3]]
    with pytest.raises(NoDevice, match=r"3 were asked for, 2"):
        disjoint(found, 3)


def test_spread__devices_of_one_provider_or_network__are_not_chosen_together() -> None:
    def at(number: int, provider: str, endpoint: str) -> Listing:
        return replace(listing(number), provider=provider, endpoint=endpoint)

    a, same_provider, same_network, b, named, c = (
        at(1, "A", "http://10.0.1.1:8700"),
        at(2, "A", "http://10.9.1.1"),
        at(3, "B", "https://10.0.1.77"),
        at(4, "C", "http://[2001:db8::1]:1"),
        at(5, "D", "http://[2001:db8::ffff]:1"),
        at(6, "E", "http://gpu.example"),
    )
    found = [a, same_provider, same_network, b, named, c]
    assert spread(found, 3) == [a, b, c]
    with pytest.raises(NoDevice, match=r"4 offers .* 3 were found"):
        spread(found, 4)


def test_alike__nodes_of_one_host_or_site__are_taken_together_and_no_others() -> None:
    def at(endpoint: str, *numbers: int, **changes: object) -> Listing:
        return replace(node(*numbers), **{"provider": "A", "endpoint": endpoint, **changes})  # type: ignore[arg-type]

    dearer = at("http://one", 7, 8), at("http://one", 9, 10)
    found = [at("http://one", 1), at("http://two", 2, 3), at("http://one", 3, 4, model="other"), at("http://two", 5, 6),
             *dearer]  # fmt: skip
    assert alike(found, 2) == [found[1], found[3]]
    assert alike(found[2:3] + found[4:], 2) == list(dearer)
    # More than one host has: those of its provider in the same region, else those in the same network.
    assert alike(found, 3) == [found[1], found[3], dearer[0]]
    near = [at(f"http://11.22.33.{number}", number, provider=str(number)) for number in (1, 2)]
    assert alike([at("http://11.22.44.1", 3, provider="3"), *near], 2) == near
    with pytest.raises(NoDevice, match=r"5 nodes alike .* at most 4"):
        alike(found, 5)


@pytest.mark.parametrize(
    ("region", "other", "expected"),
    [("eu-de-fra", "eu-de", 0), ("eu", "eu-de", 1), ("us", "eu-de", 2), ("", "eu", 1), ("EU_DE", "eu-de", 0)],
)
def test_distance__of_regions__counts_parts_that_are_not_shared(region: str, other: str, expected: int) -> None:
    assert distance(region, other) == expected


@given(st.integers(1, 1 << 100), st.integers(1, 1 << 32))
def test_deposit__for_seconds__lasts_that_long_and_no_cheaper_one_does(rate: int, seconds: int) -> None:
    deposit = cost(rate, seconds)
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

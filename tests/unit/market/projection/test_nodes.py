"""Several devices on offer together are a listing of their own, as good as the least of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from assay.market.events.device_events import DeviceRetired, OperatorSet
from assay.market.events.lease_events import LeaseEnded, LeaseReleased, LeaseStarted, OffersCancelled
from assay.market.events.record import Event
from assay.market.events.treasury_events import TokenDelisted, TokenListed
from assay.market.follow.content_follower import ContentFollower
from assay.market.follow.index import MarketIndex
from assay.market.follow.listings import refresh_devices
from assay.market.follow.offer_follower import MAX_OF_A_DEVICE, OfferFollower, chosen
from assay.market.projection.listings import Member, Now, Passed, listing_id
from assay.market.projection.listings import listing as list_devices
from assay.market.queries.listings import nodes_of_device, offers_of_device, read_listing
from assay.market.queries.pages import many
from assay.market.sources.offers import signed_offer, specification
from assay.market.store.rows import WorkingSet
from assay.market.store.tables import devices, facet_counts, listings, offers
from assay.protocol.leaves import DeviceLeaf, device_tree
from tests.unit.market.blank_database import blank_database
from tests.unit.market.follow.test_content import Served, body_of
from tests.unit.market.follow.test_index import histories
from tests.unit.market.follow.test_offers import DOMAIN, Endpoints, offer_line
from tests.unit.market.scenario import (
    DEVICES,
    NOBODY,
    OPERATOR,
    OPERATOR_KEY,
    ORACLE,
    PROVIDERS,
    RENTER,
    TOKEN,
    batch,
    device_leaves,
    epoch_events,
    founding,
    h,
    opened,
    specification_document,
    timestamp,
)

ID = listing_id(tuple(sorted((DEVICES[0], DEVICES[2]))))
BY_OPERATOR: dict[str, Any] = {"operator": OPERATOR, "key": OPERATOR_KEY}
APPOINTED = OperatorSet(PROVIDERS[0], OPERATOR, 1, timestamp(1_000))
PASSED, LATE = 1, 4


def report(index: MarketIndex, epoch: int, block: int, flags: Sequence[int] = (1, 1, 1, 1)) -> list[DeviceLeaf]:
    """An epoch and its proven report in blocks `block` to `block + 3`."""
    leaves = device_leaves(epoch, flags)
    index.apply(batch(epoch_events(epoch, block, leaves), block + 3))
    root = {"epoch": epoch, "devices_root": device_tree(leaves).root}
    ContentFollower(index, Served(), ORACLE).take(root, "devices", body_of(leaves))
    return leaves


def take(index: MarketIndex, *lines: dict[str, Any], provider: int = 0, complete: bool = True) -> OfferFollower:
    """The market takes these offers of a provider."""
    follower = OfferFollower(index, Endpoints(), DOMAIN)
    who = PROVIDERS[provider]
    specs = [specification(specification_document(provider))]
    follower.take(who, [signed_offer(line, DOMAIN, who) for line in lines], specs, complete)
    return follower


def flags_of(late: bytes) -> list[int]:
    """Flags of the DEVICES, one of them late."""
    return [LATE if device_id == late else PASSED for device_id in DEVICES]


@pytest.fixture
def node(index: MarketIndex) -> MarketIndex:
    """The first provider's two devices are on offer together, and the first of them alone as well."""
    index.apply(batch(founding(), 5, seats=True))
    report(index, 1, 6)
    take(index, offer_line(0, 2, rate=10**21, notice=3_600), offer_line(0))
    return index


def listing(index: MarketIndex, listing_id: bytes = ID) -> Any:
    with index.engine.connect() as connection:
        return connection.execute(select(listings).where(listings.c.listing_id == listing_id)).one_or_none()


def state(index: MarketIndex, listing_id: bytes = ID) -> str | None:
    found = listing(index, listing_id)
    return None if found is None else str(found.state)


def test_listing__of_a_node__is_the_least_of_its_devices_at_the_price_of_all(node: MarketIndex) -> None:
    leaves = {leaf.device_id: leaf for leaf in device_leaves(1)}
    parts = [leaves[DEVICES[0]], leaves[DEVICES[2]]]
    row = listing(node)
    assert (row.state, row.gpus, row.device_ids) == ("available", 2, tuple(sorted((DEVICES[0], DEVICES[2]))))
    assert row.score_gops == min(leaf.score_gops for leaf in parts)
    shown = min(leaf.memory_mib for leaf in parts)
    assert len({leaf.memory_mib for leaf in parts}) == 2
    assert (row.memory_mib, row.memory_proven) == ((shown, True) if shown else (81_920, False))
    assert (row.rate, row.unit_rate, row.notice) == (10**21, 10**21 // (2 * row.score_gops), 3_600)
    assert (row.model, row.region, row.profile, row.passed_epoch) == ("H100", "eu", 1, 1)
    alone = listing(node, DEVICES[0])
    assert (alone.state, alone.gpus, alone.device_ids, alone.rate) == ("available", 1, (DEVICES[0],), 10**20)


@pytest.mark.parametrize(
    ("declared", "model"),
    [
        (["H100", "H100"], "H100"),
        (["H100", "A100", "H100"], "H100, A100"),
        (["H100", ""], "H100"),
        (["", ""], ""),
        (["A" * 39, "B" * 39], "A" * 39 + ", " + "B" * 39),
        (["A" * 40, "B" * 39, "A" * 40], "2 models"),
    ],
)
def test_model__of_a_node_of_several__names_each_once(declared: list[str], model: str) -> None:
    device = {
        "device_id": bytes(32), "provider": PROVIDERS[0], "profile": 1, "status": 1, "measured": 1, "passed": 1,
        "measured_flags": 1, "uptime_bps": 9, "measured_epoch": 1, "enrolled_at": 1,
    }  # fmt: skip
    members = [Member(device, {"model": m, "memory_mib": 2 + n, "region": "eu"}, None) for n, m in enumerate(declared)]
    row = list_devices(members, None, Passed(1, 3, 0), False, Now(1, 0))
    assert (row["model"], row["region"], row["memory_mib"], row["memory_proven"]) == (model, "eu", 2, False)


def test_host__of_a_node__is_the_sum_and_nothing_unless_each_declares() -> None:
    device = {
        "device_id": bytes(32), "provider": PROVIDERS[0], "profile": 1, "status": 1, "measured": 1, "passed": 1,
        "measured_flags": 1, "uptime_bps": 9, "measured_epoch": 1, "enrolled_at": 1,
    }  # fmt: skip
    spec = {"host_cores": 7, "host_memory_mib": 60, "host_disk_mib": 500}

    def host(*specs: dict[str, int] | None) -> tuple[int, ...]:
        row = list_devices([Member(device, one, None) for one in specs], None, Passed(1, 3, 0), False, Now(1, 0))
        return row["host_cores"], row["host_memory_mib"], row["host_disk_mib"]

    assert host(spec, spec) == (14, 120, 1000)
    assert host(spec, None) == host(spec, {**spec, "host_disk_mib": 0}) == (0, 0, 0)


def test_device__on_offer_with_others_only__says_so(node: MarketIndex) -> None:
    assert state(node, DEVICES[2]) == "node-only"
    take(node, offer_line(0))
    assert (state(node), state(node, DEVICES[2])) == (None, "unpriced")


def test_counts__of_the_network__count_a_device_once_whatever_nodes_it_is_in(node: MarketIndex) -> None:
    with node.engine.connect() as connection:
        counted = connection.execute(select(facet_counts.c.gpus, facet_counts.c.count)).all()
    assert sum(n for gpus, n in counted if gpus == 1) == len(DEVICES)
    assert sum(n for gpus, n in counted if gpus == 2) == 1


@pytest.mark.parametrize(("leased", "alone"), [((0, 2), "leased"), ((2,), "available")])
def test_node__of_which_one_device_is_leased__cannot_be_had_until_that_ends(
    node: MarketIndex, leased: tuple[int, ...], alone: str
) -> None:
    started = LeaseStarted(1, h("roots"), timestamp(11), timestamp(20), 5)
    node.apply(batch([(10, opened(1, *leased)), (11, started)], 12))
    assert (state(node), listing(node).busy_until) == ("leased", timestamp(20))
    assert state(node, DEVICES[2]) == "leased"
    assert state(node, DEVICES[0]) == alone
    node.apply(batch([], 21))
    assert (state(node), state(node, DEVICES[0])) == ("available", "available")


@pytest.mark.parametrize("ended", [LeaseEnded(1, RENTER, timestamp(13), 0), LeaseReleased(1, timestamp(13))])
def test_node__whose_lease_is_over_before_its_stop__is_free_at_once(node: MarketIndex, ended: Event) -> None:
    started = LeaseStarted(1, h("roots"), timestamp(11), timestamp(20), 5)
    node.apply(batch([(10, opened(1, 0, 2)), (11, started), (13, ended)], 14))
    assert (state(node), state(node, DEVICES[0]), state(node, DEVICES[2])) == ("available", "available", "node-only")


def test_node__whose_renter_left_early__can_be_let_again_while_the_pass_is_fresh(node: MarketIndex) -> None:
    started = LeaseStarted(1, h("roots"), timestamp(11), timestamp(90), 5)
    node.apply(batch([(10, opened(1, 0, 2)), (11, started)], 12))
    assert state(node) == "leased"
    node.apply(batch([(13, LeaseEnded(1, RENTER, timestamp(70), 0))], 14))
    assert (state(node), listing(node).busy_until) == ("available", 0)


def test_pass__of_a_node__is_of_one_epoch_in_which_all_passed(node: MarketIndex) -> None:
    before = listing(node)
    newest = report(node, 2, 12, flags_of(late=DEVICES[2]))
    assert listing(node, DEVICES[0]).passed_epoch == 2
    assert (listing(node).passed_epoch, listing(node).score_gops) == (1, before.score_gops)
    assert state(node) == "available"
    # Each has passed lately, but never both in one epoch that still counts.
    report(node, 3, 17, flags_of(late=DEVICES[0]))
    report(node, 4, 22, flags_of(late=DEVICES[2]))
    assert (state(node), listing(node).passed_epoch, listing(node).score_gops) == ("failing", 0, 0)
    assert (state(node, DEVICES[0]), state(node, DEVICES[2])) == ("available", "node-only")
    assert {leaf.flags for leaf in newest} == {PASSED, LATE}


@pytest.mark.parametrize("status", [2, 3])
def test_node__of_which_one_device_is_retired_or_slashed__is_no_longer_listed(node: MarketIndex, status: int) -> None:
    node.apply(batch([(10, DeviceRetired(DEVICES[2], status))], 12))
    assert state(node) is None
    assert state(node, DEVICES[2]) == {2: "retired", 3: "slashed"}[status]
    assert state(node, DEVICES[0]) == "available"
    node.roll_back(9)
    assert state(node) == "available"


def test_floor__of_one_device__cancels_the_offers_of_every_node_it_is_in(node: MarketIndex) -> None:
    node.apply(batch([(10, OffersCancelled(DEVICES[2], PROVIDERS[0], 1))], 12))
    assert (state(node), state(node, DEVICES[0])) == (None, "available")


def test_floor__of_another_signer__cancels_nothing(node: MarketIndex) -> None:
    node.apply(batch([(10, OffersCancelled(DEVICES[2], OPERATOR, 1))], 12))
    assert state(node) == "available"


def test_token__delisted__takes_its_offers_off_the_market_until_it_is_listed_again(node: MarketIndex) -> None:
    node.apply(batch([(10, TokenDelisted(TOKEN))], 12))
    assert (state(node), state(node, DEVICES[0])) == (None, "unpriced")
    node.apply(batch([(13, TokenListed(TOKEN, 1))], 14))
    assert (state(node), state(node, DEVICES[0])) == ("available", "available")


def test_offer__of_an_operator__counts_while_it_is_appointed_and_no_second_longer(node: MarketIndex) -> None:
    refusing = take(node, offer_line(0, 2, **BY_OPERATOR))
    assert state(node) is None
    assert f"signed by {OPERATOR}, who may sign none" in refusing.refused[PROVIDERS[0], "its offers"]
    node.apply(batch([(10, OperatorSet(PROVIDERS[0], OPERATOR, 1, timestamp(20)))], 12))
    assert take(node, offer_line(0, 2, **BY_OPERATOR)).refused == {}
    assert (state(node), listing(node).operator) == ("available", OPERATOR)
    node.apply(batch([], 20))
    assert state(node) == "available"  # its last second
    node.apply(batch([], 21))
    assert state(node) is None


def test_offer__of_an_operator_that_is_revoked__is_gone_with_that_block(node: MarketIndex) -> None:
    node.apply(batch([(10, APPOINTED)], 12))
    take(node, offer_line(0, 2, **BY_OPERATOR), offer_line(0))
    node.apply(batch([(13, OperatorSet(PROVIDERS[0], OPERATOR, 0, 0))], 14))
    assert (state(node), state(node, DEVICES[0])) == (None, "available")
    node.apply(batch([(15, APPOINTED)], 16))
    assert state(node) == "available"


@pytest.mark.parametrize("scopes", [2, 4, 8, 16, 30])
def test_offer__of_an_operator_who_may_do_anything_else__is_refused(node: MarketIndex, scopes: int) -> None:
    node.apply(batch([(10, OperatorSet(PROVIDERS[0], OPERATOR, scopes, timestamp(99)))], 12))
    assert "who may sign none" in take(node, offer_line(0, 2, **BY_OPERATOR)).refused[PROVIDERS[0], "its offers"]
    assert state(node) is None


def test_offer__of_another_providers_operator__is_refused(node: MarketIndex) -> None:
    node.apply(batch([(10, OperatorSet(PROVIDERS[1], OPERATOR, 31, timestamp(99)))], 12))
    take(node, offer_line(0, 2, **BY_OPERATOR))
    assert state(node) is None


def test_offer__over_devices_of_two_providers__is_refused(node: MarketIndex) -> None:
    refusing = take(node, offer_line(0, 1))
    assert "which is not the provider's" in refusing.refused[PROVIDERS[0], "its offers"]
    with node.engine.connect() as connection:
        assert connection.execute(select(offers).where(offers.c.provider == PROVIDERS[0])).all() == []


def test_offers__without_end_of_the_same_devices__are_kept_up_to_a_number_the_newest_first(node: MarketIndex) -> None:
    flood = [offer_line(0, 2, nonce=n) for n in range(2 * MAX_OF_A_DEVICE)]
    refusing = take(node, *flood)
    with node.engine.connect() as connection:
        kept = list(connection.execute(select(offers.c.nonce).where(offers.c.provider == PROVIDERS[0])).scalars())
    assert sorted(kept) == list(range(MAX_OF_A_DEVICE, 2 * MAX_OF_A_DEVICE))
    assert f"more than {MAX_OF_A_DEVICE} offers of a device" in refusing.refused[PROVIDERS[0], "its offers"]
    assert "(and 15 more)" in refusing.refused[PROVIDERS[0], "its offers"]
    assert listing(node).rate == 10**20


def test_offers__that_ran_out_while_an_endpoint_was_away__take_no_room_from_new_ones(node: MarketIndex) -> None:
    old = [offer_line(0, nonce=n) for n in range(MAX_OF_A_DEVICE)]
    take(node, *old, complete=False)
    node.apply(batch([], 31))
    take(node, offer_line(0, valid_until=timestamp(60)), complete=False)
    with node.engine.connect() as connection:
        kept = list(connection.execute(select(offers.c.valid_until).where(offers.c.provider == PROVIDERS[0])).scalars())
    assert kept == [timestamp(60)]


def test_chosen__of_offers_that_stay_and_new_ones__counts_both() -> None:
    found = [signed_offer(offer_line(0, nonce=n), DOMAIN, PROVIDERS[0]) for n in range(3)]
    staying = [(DEVICES[0],)] * (MAX_OF_A_DEVICE - 2)
    good, reasons = chosen(found, set(DEVICES), {NOBODY}, staying)
    assert sorted(signed.offer.nonce for signed in good.values()) == [1, 2]
    assert len(reasons) == 1


def test_pages__of_a_device__name_every_offer_and_node_it_is_part_of(node: MarketIndex) -> None:
    with node.engine.connect() as connection:
        assert [len(o["device_ids"]) for o in offers_of_device(connection, DEVICES[0])] == [1, 2]
        assert [len(o["device_ids"]) for o in offers_of_device(connection, DEVICES[2])] == [2]
        assert [row["listing_id"] for row in nodes_of_device(connection, DEVICES[2])] == [ID]
        found = read_listing(connection, ID)
        assert found is not None and found.offer is not None
        assert [part.device["device_id"] for part in found.parts] == sorted((DEVICES[0], DEVICES[2]))
        assert found.offer["device_ids"] == found.row["device_ids"]
        assert read_listing(connection, h("nothing")) is None


@settings(max_examples=12, deadline=None, phases=(Phase.explicit, Phase.reuse, Phase.generate))
@given(histories, st.sets(st.sampled_from(range(12, 40)), max_size=5))
def test_listings__after_any_history__are_what_working_out_all_of_them_anew_gives(
    history: list[tuple[int, Event]], ends: set[int]
) -> None:
    index = MarketIndex(blank_database(), max_age=2)
    index.apply(batch([*founding(), (5, APPOINTED)], 5, seats=True))
    report(index, 1, 6)
    take(index, offer_line(0, 2), offer_line(0), offer_line(2, 0, **BY_OPERATOR), offer_line(2, rate=7, **BY_OPERATOR))
    take(index, offer_line(1, 3, valid_until=timestamp(20)), offer_line(3, notice=60), provider=1)
    before = 9
    for end in (*sorted(ends), 40):
        index.apply(batch([pair for pair in history if before < pair[0] <= end], end))
        before = end
    with index.engine.connect() as connection:
        rows = WorkingSet(connection)
        everything = sorted(connection.execute(select(devices.c.device_id)).scalars())
        refresh_devices(connection, rows, everything, timestamp(40), 2)
        assert rows.touched("listings") == []
        counted = {tuple(row[:-1]): row[-1] for row in connection.execute(select(facet_counts))}
        found = many(connection, select(listings))
        assert sum(counted.values()) == len(found)
        nodes = {tuple(row["device_ids"]) for row in found if row["gpus"] > 1}
        in_nodes = {device_id for ids in nodes for device_id in ids}
        assert all(row["listing_id"] in in_nodes for row in found if row["state"] == "node-only")

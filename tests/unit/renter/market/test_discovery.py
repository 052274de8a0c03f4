"""What a search straight from the chain shows, and as what a named device is leased."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

import pytest

from assay.chain.contracts.devices import Device, DeviceStatus
from assay.protocol.hexadecimal import to_hex
from assay.protocol.leaves import DeviceLeaf
from assay.protocol.messages import Offer
from assay.renter.errors import NoDevice, Unreachable
from assay.renter.market import discovery
from assay.renter.market.discovery import CHECK_CONCURRENCY, Discovery
from assay.renter.market.listing import Listing
from assay.renter.market.measurements import common_pass
from assay.renter.market.offers import ServedOffers
from assay.renter.market.search import Order, Wanted
from assay.wire.leases import SignedOffer
from assay.wire.lines import Measured
from tests.unit.renter.leased import NODE, OFFER, ONE, PROVIDER, STRANGER, TOKEN, TWO


def measured(device_id: bytes, epoch: int = 9) -> Measured:
    return Measured(DeviceLeaf(epoch, device_id, 0, 1, 100, 1024, 10_000, 1, bytes(32)), ())


class Market:
    """Everything around `Discovery`: devices, their reports, what their provider offers, what the escrow refuses."""

    def __init__(self) -> None:
        self.offers = [OFFER, NODE]
        self.quoted = replace(NODE, renter=STRANGER)
        self.devices = {one: Device(one, PROVIDER, STRANGER, 1, bytes(32), endpoint="http://p") for one in (ONE, TWO)}
        self.reports: list[Mapping[bytes, Measured]] = [{ONE: measured(ONE), TWO: measured(TWO)}]
        self.faults: dict[bytes, str] = {}  # by offer hash
        self.checked = 0
        self.lease = 0

    # the registry

    async def refresh(self) -> dict[bytes, Device]:
        return self.devices

    async def active(self) -> dict[bytes, Device]:
        return {i: one for i, one in self.devices.items() if one.status is DeviceStatus.ACTIVE}

    # the reports

    async def passes(self) -> list[Mapping[bytes, Measured]]:
        return self.reports

    async def passing(self, device_ids: Iterable[bytes]) -> tuple[Measured, ...]:
        if (lines := common_pass(self.reports, device_ids)) is None:
            raise NoDevice("passed together in none")
        return lines

    # the provider

    async def of_devices(self, devices: Any) -> tuple[list[SignedOffer], dict[bytes, Any]]:
        return [SignedOffer(offer, bytes(64)) for offer in self.offers], {}

    async def of_endpoint(self, endpoint: str) -> ServedOffers:
        return ServedOffers(tuple(SignedOffer(offer, bytes(64)) for offer in self.offers))

    async def quote(self, *_: Any) -> SignedOffer:
        return SignedOffer(self.quoted, bytes(64))

    # tokens, escrow, network

    async def decimals(self, tokens: Iterable[str]) -> dict[str, int]:
        return {token: 6 for token in tokens if token == TOKEN}

    async def fault(self, chain: Any, offer: Offer) -> str | None:
        self.checked += 1
        return self.faults.get(offer.struct_hash())

    async def active_lease(self, *_: Any) -> int:
        return self.lease

    async def measure(self, endpoints: Iterable[str]) -> dict[str, float]:
        return dict.fromkeys(endpoints, 5.0)

    def domain(self, name: str) -> None:
        """No signature is looked at."""


@pytest.fixture
def market(monkeypatch: pytest.MonkeyPatch) -> Market:
    market = Market()
    for name in ("DeviceDirectory", "Measurements", "Offers", "Tokens"):
        monkeypatch.setattr(discovery, name, lambda *_: market)
    monkeypatch.setattr(discovery, "offer_fault", market.fault)
    monkeypatch.setattr(discovery, "active_lease", market.active_lease)
    return market


def finding(market: Market) -> Discovery:
    chain: Any = market
    return Discovery(chain, chain, chain, lambda: 1_000.0, market.measure)


async def search(market: Market, wanted: Wanted | None = None, limit: int = 50) -> list[Listing]:
    return await finding(market).search(wanted or Wanted(), Order.price, limit)


async def test_search__devices_alone_and_together__are_offers_of_their_own(market: Market) -> None:
    assert [(one.gpus, one.round_trip_ms) for one in await search(market)] == [(1, 5.0), (2, 5.0)]
    assert [one.gpus for one in await search(market, Wanted(min_gpus=2, max_gpus=2))] == [2]


async def test_search__what_the_escrow_would_not_take__is_left_out(market: Market) -> None:
    market.faults[OFFER.struct_hash()] = "its operator was revoked"
    assert [one.gpus for one in await search(market)] == [2]


async def test_search__node_of_which_one_device_did_not_pass__is_left_out(market: Market) -> None:
    market.reports = [{ONE: measured(ONE)}, {TWO: measured(TWO, 8)}]
    assert [one.gpus for one in await search(market)] == [1]


async def test_search__few_are_shown__no_more_are_asked_about(market: Market) -> None:
    market.offers = [replace(OFFER, nonce=n) for n in range(5 * CHECK_CONCURRENCY)]
    found = await search(market, limit=CHECK_CONCURRENCY + 1)
    assert (len(found), market.checked) == (CHECK_CONCURRENCY + 1, 2 * CHECK_CONCURRENCY)


async def test_listing__named_device__is_leased_alone_or_in_the_node_asked_for(market: Market) -> None:
    found = finding(market)
    assert (await found.listing(ONE)).device_ids == (ONE,)
    assert (await found.listing(TWO, 2)).device_ids == (ONE, TWO)


@pytest.mark.parametrize(
    ("device_id", "gpus", "said"),
    [(TWO, 1, r"not on offer alone: say --gpus 2"), (ONE, 4, r"not on offer as a node of 4: say --gpus 1 or 2")],
)
async def test_listing__not_on_offer_as_asked__says_as_what_it_is(
    market: Market, device_id: bytes, gpus: int, said: str
) -> None:
    with pytest.raises(NoDevice, match=said):
        await finding(market).listing(device_id, gpus)


async def test_listing__offer_that_the_escrow_refuses__gives_way_to_the_next_or_says_why(market: Market) -> None:
    dearer = replace(OFFER, rate=3 * OFFER.rate)
    market.offers, market.faults = [OFFER, dearer], {OFFER.struct_hash(): "it was cancelled"}
    assert (await finding(market).listing(ONE)).rate == dearer.rate
    market.offers = [OFFER]
    with pytest.raises(NoDevice, match="it was cancelled"):
        await finding(market).listing(ONE)


async def test_listing__in_another_token_or_for_another_renter__is_none(market: Market) -> None:
    market.offers = [replace(OFFER, token=STRANGER), replace(OFFER, renter=STRANGER)]
    with pytest.raises(NoDevice, match="makes none for it now"):
        await finding(market).listing(ONE, token=TOKEN)
    market.offers = [replace(OFFER, token=STRANGER)]
    with pytest.raises(NoDevice, match="answers as no token does"):
        await finding(market).listing(ONE)


async def test_listing__leased_and_not_on_offer__names_the_lease(market: Market) -> None:
    market.offers, market.lease = [], 9
    with pytest.raises(NoDevice, match="lease 9 runs on it"):
        await finding(market).listing(ONE)


@pytest.mark.parametrize("status", [DeviceStatus.RETIRED, DeviceStatus.SLASHED, None])
async def test_node__one_device_gone__is_named(market: Market, status: DeviceStatus | None) -> None:
    if status is None:
        del market.devices[TWO]
    else:
        market.devices[TWO] = replace(market.devices[TWO], status=status)
    with pytest.raises(NoDevice, match=to_hex(TWO)):
        await finding(market).node([ONE, TWO])


async def test_quote__of_a_node__is_proven_and_refused_where_the_escrow_would(market: Market) -> None:
    quoted = await finding(market).quote([ONE, TWO], STRANGER, 60)
    assert (quoted.device_ids, quoted.renter, quoted.epoch) == ((ONE, TWO), STRANGER, 9)
    market.faults[market.quoted.struct_hash()] = "device is leased"
    with pytest.raises(Unreachable, match="device is leased"):
        await finding(market).quote([ONE, TWO], STRANGER, 60)


def test_common_pass__is_the_newest_epoch_that_all_passed_in_the_order_asked() -> None:
    newest, older = {ONE: measured(ONE, 9)}, {TWO: measured(TWO, 8), ONE: measured(ONE, 8)}
    assert common_pass([newest, older], [ONE]) == (newest[ONE],)
    assert common_pass([newest, older], [TWO, ONE]) == (older[TWO], older[ONE])
    assert common_pass([newest, older], [bytes(32)]) is None and common_pass([], [ONE]) is None

"""Offers are kept with their provider's signature only, and make a device available while they are good."""

from __future__ import annotations

import json
from typing import Any

import pytest
from sqlalchemy import select

from assay.market.errors import BadContent
from assay.market.events.lease_events import LeaseStarted, OffersCancelled
from assay.market.follow.content_follower import ContentFollower
from assay.market.follow.index import MarketIndex
from assay.market.follow.offer_follower import OfferFollower
from assay.market.sources.offers import signed_offer
from assay.market.store.tables import facet_counts, listings, offers, specifications
from assay.protocol.hexadecimal import to_hex
from assay.protocol.leaves import device_tree
from assay.protocol.messages import Offer
from assay.protocol.signing import Domain
from tests.unit.market.scenario import (
    DEVICES,
    NOBODY,
    OPERATOR,
    OPERATOR_KEY,
    ORACLE,
    PROVIDER_KEYS,
    PROVIDERS,
    TOKEN,
    account,
    batch,
    device_leaves,
    epoch_events,
    founding,
    h,
    opened,
    specification_document,
    timestamp,
)

from .test_content import Served, body_of

DOMAIN = Domain(31337, account("escrow"))


def offer_line(*devices: int, rate: int = 10**20, key: bytes | None = None, **changes: Any) -> dict[str, Any]:
    """A signed offer of these of the DEVICES, as a provider serves it."""
    first = devices[0]
    offer = Offer(
        **{
            "provider": PROVIDERS[first % 2], "operator": NOBODY, "token": TOKEN, "rate": rate, "nonce": 0,
            "device_ids": tuple(sorted(DEVICES[n] for n in devices)), "min_duration": 60, "max_duration": 3600,
            "valid_until": timestamp(30), "renter": NOBODY, "notice": 0,
            **changes,
        }
    )  # fmt: skip
    return {**offer.to_json(), "signature": to_hex(offer.sign(DOMAIN, key or PROVIDER_KEYS[first % 2]))}


class Endpoints:
    """What each provider's endpoint serves."""

    def __init__(self) -> None:
        self.answers: dict[str, Any] = {
            f"http://provider-{p}.test/v1/offers": {
                "offers": [offer_line(n, rate=10**20 * (n + 1)) for n in range(4) if n % 2 == p],
                "specifications": [specification_document(p)],
            }
            for p in range(2)
        }

    async def __call__(self, endpoint: str, path: str, max_bytes: int = 0) -> bytes:
        url = endpoint.rstrip("/") + path
        return json.dumps(self.answers[url]).encode()


@pytest.fixture
async def market(index: MarketIndex) -> MarketIndex:
    leaves = device_leaves(1)
    index.apply(batch(founding() + epoch_events(1, 6, leaves), 12, seats=True))
    root = {"epoch": 1, "devices_root": device_tree(leaves).root}
    ContentFollower(index, Served(), ORACLE).take(root, "devices", body_of(leaves))
    await OfferFollower(index, Endpoints(), DOMAIN).step()
    return index


def states(index: MarketIndex) -> dict[bytes, str]:
    with index.engine.connect() as connection:
        return {row.listing_id: row.state for row in connection.execute(select(listings))}


def test_offers__signed_by_their_provider__make_devices_available(market: MarketIndex) -> None:
    assert set(states(market).values()) == {"available"}
    with market.engine.connect() as connection:
        row = connection.execute(select(listings).where(listings.c.listing_id == DEVICES[0])).one()
        assert (row.rate, row.unit_rate, row.model) == (10**20, 10**20 // row.score_gops, "H100")
        counted = connection.execute(select(facet_counts)).all()
        assert sum(line.count for line in counted) == 4
        assert {line.model for line in counted} == {"H100 80GB", "RTX 4090"}


async def test_offers__no_longer_served__are_dropped(market: MarketIndex) -> None:
    endpoints = Endpoints()
    endpoints.answers["http://provider-0.test/v1/offers"]["offers"] = []
    await OfferFollower(market, endpoints, DOMAIN).step()
    found = states(market)
    assert [found[d] for d in DEVICES] == ["unpriced", "available", "unpriced", "available"]


def test_offers__run_out_by_time__leave_the_market_with_the_next_block(market: MarketIndex) -> None:
    market.apply(batch([], 30))
    assert set(states(market).values()) == {"unpriced"}
    market.roll_back(12)
    assert set(states(market).values()) == {"available"}


def test_offers__below_the_floor__are_cancelled(market: MarketIndex) -> None:
    market.apply(batch([(13, OffersCancelled(DEVICES[0], PROVIDERS[0], 1))], 13))
    assert states(market)[DEVICES[0]] == "unpriced"


def test_device__leased_until_a_stop__is_available_again_after_it(market: MarketIndex) -> None:
    events = [
        (13, opened(1)),
        (14, LeaseStarted(1, h("root"), timestamp(14), timestamp(20), 5)),
    ]
    market.apply(batch(events, 15))
    assert states(market)[DEVICES[0]] == "leased"
    market.apply(batch([], 21))
    assert states(market)[DEVICES[0]] == "available"


def test_memory__that_no_report_proved__is_the_declared_and_called_that(market: MarketIndex) -> None:
    with market.engine.connect() as connection:
        found = {row.listing_id: (row.memory_mib, row.memory_proven) for row in connection.execute(select(listings))}
    # The report proved nothing of the first device in its own order, and 16 MiB for each place behind it.
    proven = {leaf.device_id: leaf.memory_mib for leaf in device_leaves(1)}
    for n, device in enumerate(DEVICES):
        declared = (81_920, 24_576)[n % 2]
        assert found[device] == ((proven[device], True) if proven[device] else (declared, False))
    assert {known for _, known in found.values()} == {True, False}


def test_pass__older_than_max_age__no_longer_counts(market: MarketIndex) -> None:
    for epoch in (2, 3):
        market.apply(batch(epoch_events(epoch, 9 + 4 * epoch, device_leaves(epoch))[:1], 9 + 4 * epoch))
    assert set(states(market).values()) == {"available"}
    market.apply(batch(epoch_events(4, 25, device_leaves(4))[:1], 25))
    assert set(states(market).values()) == {"failing"}


def test_offers__of_somebody_elses_device__are_not_kept(market: MarketIndex) -> None:
    stolen = offer_line(1, key=PROVIDER_KEYS[0], provider=PROVIDERS[0])
    follower = OfferFollower(market, Endpoints(), DOMAIN)
    follower.take(PROVIDERS[0], [signed_offer(stolen, DOMAIN, PROVIDERS[0])])
    with market.engine.connect() as connection:
        kept = connection.execute(select(offers).where(offers.c.provider == PROVIDERS[0])).all()
    assert kept == []


@pytest.mark.parametrize(
    "line, reason",
    [
        (offer_line(0, key=PROVIDER_KEYS[1]), f"that {PROVIDERS[0]} did not sign"),
        (offer_line(0, operator=OPERATOR), f"that {OPERATOR} did not sign"),
        (offer_line(0, key=OPERATOR_KEY), f"that {PROVIDERS[0]} did not sign"),
        (offer_line(1), "served at the endpoint of"),
        ({**offer_line(0), "rate": "7"}, f"that {PROVIDERS[0]} did not sign"),
        ({**offer_line(0), "extra": 1}, "unknown field"),
        (offer_line(0, device_ids=()), "0 devices"),
        (offer_line(0, device_ids=(DEVICES[0], DEVICES[0])), "must strictly ascend"),
        (offer_line(0, device_ids=tuple(sorted(DEVICES, reverse=True))), "must strictly ascend"),
        (offer_line(0, device_ids=tuple(n.to_bytes(32, "big") for n in range(17))), "17 devices"),
        (offer_line(0, rate=0), "its rate is 0, which the escrow refuses"),
        (offer_line(0, min_duration=61, max_duration=60), "at least 61 s and at most 60 s"),
        (offer_line(0, notice=59), "a notice of 59 s"),
        ([], "not an object"),
        ({k: v for k, v in offer_line(0).items() if k != "signature"}, "signature"),
    ],
)
def test_signed_offer__that_the_escrow_would_refuse__is_refused(line: Any, reason: str) -> None:
    with pytest.raises(BadContent, match=reason):
        signed_offer(line, DOMAIN, PROVIDERS[0])


async def test_specification__that_no_device_was_enrolled_with__is_named_and_not_kept(market: MarketIndex) -> None:
    endpoints = Endpoints()
    answer = endpoints.answers["http://provider-0.test/v1/offers"]
    answer["specifications"] = [*answer["specifications"], {"model": "B200", "memoryMiB": 1 << 20, "region": "moon"}]
    follower = OfferFollower(market, endpoints, DOMAIN)
    await follower.step()
    with market.engine.connect() as connection:
        assert "B200" not in set(connection.execute(select(specifications.c.model)).scalars())
    ((who, endpoint),) = follower.refused
    assert (who, endpoint) == (PROVIDERS[0], "http://provider-0.test")
    assert "no device was enrolled with their hash" in follower.refused[who, endpoint]

"""History where money is decided: how sure a reliability is, and what a provider has done."""

from __future__ import annotations

from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import delete, insert, select

from assay.market.api.app import create_app
from assay.market.api.context import Context
from assay.market.api.status import Status
from assay.market.events.device_events import DeviceEnrolled, DeviceRetired, ProfileAdded
from assay.market.events.lease_events import LeaseEnded, LeaseStarted
from assay.market.events.record import Event
from assay.market.events.treasury_events import TokenListed
from assay.market.follow.content_changes import device_changes
from assay.market.follow.index import MarketIndex
from assay.market.follow.offer_follower import _offer_changes
from assay.market.queries.search import SearchTable
from assay.market.store.database import migrate, open_database
from assay.market.store.rows import Change, WorkingSet
from assay.market.store.tables import devices, listings, providers
from assay.protocol.hexadecimal import ZERO_ADDRESS, to_hex
from assay.protocol.leaves import DeviceLeaf
from assay.protocol.messages import Offer
from assay.wire.leases import SignedOffer
from tests.unit.market.blank_database import blank_database
from tests.unit.market.scenario import DEVICES, PROVIDERS, RENTER, TOKEN, account, batch, h, opened, timestamp

HONEST, CHEAT = PROVIDERS
EPOCHS = 200
SLASHED = 3
OWN = [h(f"cheat {n}") for n in range(8)]
MICRO = (64, 64, 64, 4, 32, 16, 2, 2_000, 1, 1_000, 10**18)


def offered(device: bytes, provider: str, rate: int) -> list[Change]:
    offer = Offer(provider, ZERO_ADDRESS, (device,), TOKEN, rate, 60, 3_600, timestamp(900), 1, ZERO_ADDRESS, 0)
    return _offer_changes(SignedOffer(offer, bytes(64)))


@pytest.fixture
def index() -> MarketIndex:
    """A device with 200 epochs of an honest provider, and a cheaper one with one epoch of a provider whose other seven
    devices were slashed.
    """
    index = MarketIndex(blank_database(), max_age=2)
    events: list[tuple[int, Event]] = [
        (1, ProfileAdded(1, MICRO)),
        (1, TokenListed(TOKEN, 1)),
        (2, DeviceEnrolled(DEVICES[0], HONEST, account("key"), 1, bytes(32))),
        *((3, DeviceEnrolled(one, CHEAT, account(f"key {n}"), 1, bytes(32))) for n, one in enumerate(OWN)),
        *((4, DeviceRetired(one, SLASHED)) for one in OWN[1:]),
    ]
    index.apply(batch(events, 10))
    for epoch in range(EPOCHS):
        passed = [DEVICES[0], OWN[0]] if epoch == EPOCHS - 1 else [DEVICES[0]]
        leaves = [DeviceLeaf(epoch, one, n, 1, 100, 16, 10_000, 1, bytes(32)) for n, one in enumerate(passed)]
        with index.engine.connect() as connection:
            rows = WorkingSet(connection)
            known = {device: dict(rows.row("devices", (device,)) or {}) for device in passed}
        changes = device_changes(epoch, leaves, known.get)
        index.apply_changes(changes)
    index.apply_changes([*offered(DEVICES[0], HONEST, 2 * 10**20), *offered(OWN[0], CHEAT, 10**20)])
    return index


def client_of(index: MarketIndex) -> TestClient:
    status = Status("test", 31337, clock=lambda: timestamp(15))
    status.move(index.tip(), 14)
    context = Context(index.engine, status, SearchTable(index.engine))
    return TestClient(create_app(context, rate=1e9, burst=1 << 30, pages=False))


def found(index: MarketIndex, query: str = "") -> list[dict[str, Any]]:
    answer = client_of(index).get(f"/v1/listings?{query}")
    assert answer.status_code == 200, answer.text
    return list(answer.json()["data"])


def test_search__a_device_with_one_epoch_of_a_provider_with_seven_slashed_ones__is_not_first(
    index: MarketIndex,
) -> None:
    assert [row["listingId"] for row in found(index)] == [to_hex(DEVICES[0]), to_hex(OWN[0])]
    # Though it is the cheapest, and has passed all that it was measured in.
    assert found(index, "sort=price")[0]["listingId"] == to_hex(OWN[0])
    assert [row["reliabilityBps"] for row in found(index)] == [10_000, 10_000]
    lucky = found(index)[1]
    assert (lucky["measuredEpochs"], lucky["providerSlashes"]) == (1, 7)
    assert lucky["reliabilityLowBps"] < 10
    assert lucky["sheet"]["providerSlashes"] == {"value": 7, "unit": "", "source": "proven", "by": 0}


def test_search__without_slashed_providers__leaves_them_out(index: MarketIndex) -> None:
    assert [row["provider"] for row in found(index, "noSlashed=true")] == [HONEST]
    assert len(found(index, "noSlashed=false")) == 2


def test_history__of_a_provider__counts_devices_and_leases_by_who_ended_them(index: MarketIndex) -> None:
    history: list[tuple[int, Event]] = []
    for lease, by in ((1, RENTER), (2, HONEST), (3, account("its operator"))):
        at = 20 + 10 * lease
        history += [
            (at, opened(lease, 0)),
            (at + 1, LeaseStarted(lease, bytes(32), timestamp(at), timestamp(at + 90), 0)),
            (at + 2, LeaseEnded(lease, by, timestamp(at + 2), 0)),
        ]
    index.apply(batch(history, 70))
    client = client_of(index)
    listing = client.get(f"/v1/listings/{to_hex(DEVICES[0])}").json()["data"]
    assert listing["history"] == {
        "provider": HONEST, "since": timestamp(2), "devices": 1, "active": 1, "slashed": 0, "leases": 3,
        "endedByRenter": 1, "endedByProvider": 2,
    }  # fmt: skip
    cheat = client.get(f"/v1/accounts/{CHEAT}").json()["data"]["history"]
    assert (cheat["devices"], cheat["active"], cheat["slashed"]) == (8, 1, 7)
    assert client.get(f"/v1/accounts/{RENTER}").json()["data"]["history"] is None


def test_migration__of_an_older_index__counts_what_providers_did_before(tmp_path: Any, index: MarketIndex) -> None:
    """As the events would have made it."""
    with index.engine.connect() as connection:
        expected = connection.execute(select(providers).order_by(providers.c.provider)).all()
        known = [dict(row) for row in connection.execute(select(devices)).mappings()]
    path = str(tmp_path / "old.sqlite3")
    engine = open_database(path)
    with engine.begin() as connection:
        from alembic import command
        from alembic.config import Config

        from assay.market.store.database import MIGRATIONS

        config = Config()
        config.set_main_option("script_location", str(MIGRATIONS))
        config.attributes["connection"] = connection
        command.downgrade(config, "0010")
        connection.execute(insert(devices), known)
        migrate(connection)
        assert connection.execute(select(providers).order_by(providers.c.provider)).all() == expected
        connection.execute(delete(listings))
    engine.dispose()

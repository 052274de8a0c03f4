"""Old lines of reports go where somebody wants them gone; what follows from them stays."""

from __future__ import annotations

from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Table, func, insert, select

from assay.market.api.app import create_app
from assay.market.api.context import Context
from assay.market.api.status import Status
from assay.market.follow.content_changes import device_changes, reward_changes
from assay.market.follow.index import MarketIndex
from assay.market.follow.pruning import EPOCH_BATCH_SIZE, MIN_EVENT_S, MIN_RETAINED_EPOCHS, Kept, events_from
from assay.market.queries.search import SearchTable
from assay.market.store.rows import WorkingSet
from assay.market.store.tables import (
    devices,
    epochs,
    event_parties,
    events,
    lease_events,
    listings,
    measurements,
    observations,
    offer_devices,
    offers,
    refusals,
    rewards,
    tips,
    undo,
)
from tests.unit.market.scenario import (
    BLOCK_S,
    DEVICES,
    RENTER,
    batch,
    device_leaves,
    epoch_events,
    founding,
    opened,
    reward_leaves,
    timestamp,
)

pytestmark = pytest.mark.slow

ONE = Kept(epochs=1, observations=1)
LAST = MIN_RETAINED_EPOCHS + EPOCH_BATCH_SIZE + 10


def rows(index: MarketIndex, table: object) -> list[object]:
    with index.engine.connect() as connection:
        return list(connection.execute(select(table)).all())  # type: ignore[call-overload]


def filled(index: MarketIndex) -> MarketIndex:
    events = founding()
    for epoch in range(1, LAST + 1):
        events += epoch_events(epoch, 6 + 4 * epoch, device_leaves(epoch))
    index.apply(batch(events, 10 + 4 * LAST, seats=True))
    for epoch in range(1, LAST + 1):
        with index.engine.connect() as connection:
            known = WorkingSet(connection)
            changes = device_changes(epoch, device_leaves(epoch), lambda d, k=known: k.row("devices", (d,)))  # type: ignore[misc]
        index.apply_changes([*changes, *reward_changes(epoch, reward_leaves(epoch))])
    return index


def test_prune__of_all_but_a_few_epochs__keeps_the_least_and_what_follows_from_the_rest(index: MarketIndex) -> None:
    filled(index)
    before = rows(index, devices), rows(index, listings)
    while index.prune(ONE):
        pass
    with index.engine.connect() as connection:
        for table in (measurements, rewards):
            assert connection.execute(select(func.min(table.c.epoch))).scalar() == LAST - MIN_RETAINED_EPOCHS
        assert connection.execute(select(func.count()).select_from(measurements)).scalar() == 65 * len(DEVICES)
        content = {row.epoch: row.devices_content for row in connection.execute(select(epochs))}
    assert content[LAST - MIN_RETAINED_EPOCHS - 1] == "pruned"
    assert content[LAST - MIN_RETAINED_EPOCHS] == "proven"
    assert (rows(index, devices), rows(index, listings)) == before


def test_prune__of_nothing_old__changes_nothing(index: MarketIndex) -> None:
    index.apply(batch(founding() + epoch_events(1, 6, device_leaves(1)), 12, seats=True))
    assert index.prune(ONE) == 0
    assert index.prune(Kept(1_000, 1_000)) == 0


class Year:
    """A market's life, a day at a time: an epoch, what seats said of it, an offer that is not renewed, a lease."""

    def __init__(self, index: MarketIndex) -> None:
        self.index = index
        index.apply(batch(founding(), 10, seats=True))

    def day(self, number: int) -> None:
        block = 10 + number * 24 * 3600 // BLOCK_S
        self.index.apply(batch([*epoch_events(number, block, device_leaves(number)), (block, opened(number))], block))
        with self.index.engine.begin() as connection:
            for table, row in self._lines(number, timestamp(block)):
                connection.execute(insert(table), [row])

    def _lines(self, number: int, now: int) -> list[tuple[Table, dict[str, Any]]]:
        offer = number.to_bytes(32, "big")
        return [
            (observations, {"epoch": number, "account": RENTER, "device_id": DEVICES[0]}),
            (measurements, {"epoch": number, "device_id": DEVICES[0]}),
            (refusals, {"epoch": number, "kind": "devices", "source": "https://seat.test", "reason": "root"}),
            (offers, {"offer_hash": offer, "device_ids": (DEVICES[0],), "valid_until": now + 900}),
            (offer_devices, {"device_id": DEVICES[0], "offer_hash": offer}),
        ]

    def sizes(self) -> dict[str, int]:
        counted = (
            observations, measurements, refusals, offers, offer_devices, events, event_parties, lease_events, tips, undo
        )  # fmt: skip
        with self.index.engine.connect() as connection:
            return {
                table.name: connection.execute(select(func.count()).select_from(table)).scalar_one()
                for table in counted
            }


@pytest.mark.parametrize("days", [150, pytest.param(365, marks=pytest.mark.deep)])
def test_prune__day_by_day_for_months_and_a_year__keeps_every_store_as_large_as_it_was_after_some_months(
    index: MarketIndex, monkeypatch: pytest.MonkeyPatch, days: int
) -> None:
    monkeypatch.setattr("assay.market.follow.index.KEEP_TIPS", 8)
    year, kept = Year(index), Kept(epochs=90, observations=70, event_seconds=60 * 24 * 3600)
    sizes = []
    for number in range(1, days + 1):
        year.day(number)
        while index.prune(kept):
            pass
        sizes.append(year.sizes())
    assert sizes[110:] == [sizes[110]] * (days - 110)
    assert sizes[-1] | {"events": 0, "event_parties": 0, "lease_events": 0, "tips": 0, "undo": 0} == {
        "observations": 71, "measurements": 91, "refusals": 91, "offers": 8, "offer_devices": 8,
        "events": 0, "event_parties": 0, "lease_events": 0, "tips": 0, "undo": 0,
    }  # fmt: skip
    assert sizes[-1]["lease_events"] == 61


def test_stream__from_before_the_events_that_are_kept__is_told_where_they_begin(index: MarketIndex) -> None:
    year = Year(index)
    for number in range(1, 12):
        year.day(number)
    while index.prune(Kept(event_seconds=MIN_EVENT_S)):
        pass
    with index.engine.connect() as connection:
        first = events_from(connection)
        assert connection.execute(select(func.min(events.c.block))).scalar_one() >= first > 0
    status = Status("test", 31337)
    status.move(index.tip(), 1)
    client = TestClient(create_app(Context(index.engine, status, SearchTable(index.engine)), pages=False))
    refused = client.get("/v1/stream?limit=1", headers={"last-event-id": "0"})
    assert refused.status_code == 410 and f"start at {first - 1}" in refused.text
    told = client.get("/v1/stream?limit=1", headers={"last-event-id": str(first - 1)})
    assert "event: EpochOpened" in told.text
    assert "assay_market_database_bytes" in client.get("/metrics").text

"""All that happened to a lease, whoever did it."""

from __future__ import annotations

from assay.market.events.lease_events import (
    BondReturned,
    LeaseClaimed,
    LeaseEnded,
    LeaseOpened,
    LeaseRefunded,
    LeaseStarted,
    LeaseToppedUp,
)
from assay.market.events.record import Event
from assay.market.follow.index import Index
from assay.market.queries.accounts import account_events
from assay.market.store.chain_tables import lease_party
from assay.market.web.market_pages import MOST_SHOWN

from .scenario import DEVICES, PROVIDERS, RENTER, TOKEN, account, batch, founding, h, timestamp


def test_history__of_a_lease__has_each_of_its_events_and_no_other_lease_s(index: Index) -> None:
    elsewhere = account("receiver")
    life: list[tuple[int, Event]] = [
        (30, LeaseOpened(11, RENTER, PROVIDERS[0], DEVICES[0], TOKEN, 5, 1_000)),
        (31, LeaseStarted(11, h("result"), timestamp(31), timestamp(60), 7)),
        (32, LeaseToppedUp(11, 200, timestamp(70))),
        (40, LeaseEnded(11, PROVIDERS[0], timestamp(40), 0)),
        (41, LeaseClaimed(11, elsewhere, 50, 1)),
        (42, LeaseRefunded(11, elsewhere, 900)),
        (43, BondReturned(11, elsewhere, 7)),
    ]
    other: list[tuple[int, Event]] = [
        (33, LeaseOpened(1, RENTER, PROVIDERS[1], DEVICES[1], TOKEN, 5, 1_000)),
        (34, LeaseToppedUp(1, 300, timestamp(70))),
    ]
    index.apply(batch([*founding(), *life, *other], 50))
    with index.engine.connect() as connection:
        found = account_events(connection, lease_party(11), None, MOST_SHOWN).rows
        last = account_events(connection, lease_party(11), None, 2).rows
    assert [event["name"] for event in reversed(found)] == [type(event).__name__ for _, event in life]
    assert [event["name"] for event in last] == ["BondReturned", "LeaseRefunded"]

"""Challenges on the chain: a device is to show a row or a round of what it committed, or loses its stake."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from assay.market.events.fault_events import DemandAnswered, DemandExpired, DemandMade
from assay.market.events.record import Event, Place
from assay.market.projection.handler import Handler, handles
from assay.market.store.rows import Change, Rows

OPEN, ANSWERED, EXPIRED = 1, 2, 3


@handles(DemandMade)
def demand_made(event: DemandMade, place: Place, rows: Rows) -> Iterable[Change]:
    device = rows.row("devices", (event.device_id,))
    yield Change(
        "demands",
        (event.demand_id,),
        {
            "device_id": event.device_id,
            "provider": device["provider"] if device else None,
            "epoch": event.epoch,
            "is_row": event.is_row,
            "t": event.t,
            "i": event.i,
            "deadline": event.deadline,
            "demander": event.demander,
            "status": OPEN,
            "made_at": place.timestamp,
            "transaction": place.transaction,
        },
    )


@handles(DemandAnswered)
def demand_answered(event: DemandAnswered, place: Place, rows: Rows) -> Iterable[Change]:
    closed = {"status": ANSWERED, "answerer": event.answerer}
    yield Change("demands", (event.demand_id,), closed | _closed(place))


@handles(DemandExpired)
def demand_expired(event: DemandExpired, place: Place, rows: Rows) -> Iterable[Change]:
    yield Change("demands", (event.demand_id,), {"status": EXPIRED} | _closed(place))


def _closed(place: Place) -> dict[str, object]:
    return {"closed_at": place.timestamp, "close_transaction": place.transaction}


HANDLERS: Mapping[type[Event], Handler] = {h.event: h for h in (demand_made, demand_answered, demand_expired)}

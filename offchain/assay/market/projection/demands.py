"""Challenges on the chain: a device is to show a row or a round of what it committed, or loses its stake."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from assay.market.events.demand_events import DemandAnswered, DemandExpired, DemandMade
from assay.market.events.record import Event, Place
from assay.market.projection.handler import Handler, handles
from assay.market.store.rows import Change, RowReader

# Closed is what ran out against a device that something else had slashed by then.
OPEN, ANSWERED, EXPIRED, CLOSED = 1, 2, 3, 4


@handles(DemandMade)
def demand_made(event: DemandMade, place: Place, rows: RowReader) -> Iterable[Change]:
    device = rows.row("devices", (event.device_id,))
    yield Change(
        "demands",
        (event.demand_id,),
        {
            "device_id": event.device_id,
            "provider": device["provider"] if device else None,
            "epoch": event.epoch,
            "is_row": event.is_row,
            "index": event.index,
            "t": event.t,
            "i": event.i,
            "deadline": event.deadline,
            "demander": event.demander,
            "bond": event.bond,
            "reward": event.reward,
            "status": OPEN,
            "made_block": place.block,
            "made_at": place.timestamp,
            "transaction": place.transaction,
        },
    )


@handles(DemandAnswered)
def demand_answered(event: DemandAnswered, place: Place, rows: RowReader) -> Iterable[Change]:
    closed = {"status": ANSWERED, "answerer": event.answerer, "reward": event.reward, "burned": event.burned}
    yield Change("demands", (event.demand_id,), closed | _closed(place))


@handles(DemandExpired)
def demand_expired(event: DemandExpired, place: Place, rows: RowReader) -> Iterable[Change]:
    yield Change("demands", (event.demand_id,), {"status": EXPIRED if event.slashed else CLOSED} | _closed(place))


def _closed(place: Place) -> dict[str, object]:
    return {"closed_at": place.timestamp, "close_transaction": place.transaction}


HANDLERS: Mapping[type[Event], Handler] = {h.event: h for h in (demand_made, demand_answered, demand_expired)}

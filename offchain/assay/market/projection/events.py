"""One log: kept as it came, then projected by the handler of its event."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping

from assay.market.events.record import Event, Place
from assay.market.events.registry import RawLog
from assay.market.projection import demands, devices, emission, epochs, leases, providers, seats, stakes
from assay.market.projection.handler import Handler
from assay.market.store.rows import Change, RowReader

HANDLERS: Mapping[type[Event], Handler] = {
    **demands.HANDLERS,
    **devices.HANDLERS,
    **emission.HANDLERS,
    **epochs.HANDLERS,
    **leases.HANDLERS,
    **providers.HANDLERS,
    **seats.HANDLERS,
    **stakes.HANDLERS,
}


def kept(log: RawLog, record: Event) -> Iterable[Change]:
    """The rows that keep an event and say whom it names, and which lease."""
    place = log.place
    yield Change(
        "events",
        (place.block, place.log_index),
        {
            "transaction": place.transaction,
            "timestamp": place.timestamp,
            "contract": log.contract,
            "name": log.name,
            "arguments": json.dumps(record.to_json(), sort_keys=True, separators=(",", ":")),
        },
    )
    for address in record.parties():
        yield Change("event_parties", (address, place.block, place.log_index))
    lease_id = getattr(record, "lease_id", None)
    if lease_id is not None:
        yield Change("lease_events", (lease_id, place.block, place.log_index))


def project(record: Event, place: Place, rows: RowReader) -> Iterable[Change]:
    """The changes that an event makes; none for one without a handler."""
    handler = HANDLERS.get(type(record))
    return () if handler is None else handler(record, place, rows)

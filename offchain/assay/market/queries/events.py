"""Events as the chain gave them: of an account, of a lease, of a transaction, of a span of blocks."""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import ColumnElement, Connection, Table, and_, or_, select

from assay.market.queries.pages import MAX_ROWS, Page, SortOrder, many, page
from assay.market.store.tables import event_parties, events, lease_events


def events_of_account(connection: Connection, address: str, cursor: str | None, limit: int) -> Page:
    """Events that name the account, newest first."""
    return _listed(connection, event_parties, event_parties.c.address == address, cursor, limit)


def events_of_lease(connection: Connection, lease_id: int, cursor: str | None, limit: int) -> Page:
    """Everything that the escrow said of a lease, newest first."""
    return _listed(connection, lease_events, lease_events.c.lease_id == lease_id, cursor, limit)


def events_of_transaction(connection: Connection, transaction: bytes) -> list[dict[str, Any]]:
    """Events of a transaction, in order."""
    query = select(events).where(events.c.transaction == transaction)
    found = many(connection, query.order_by(events.c.block, events.c.log_index).limit(MAX_ROWS))
    return [_shown(row) for row in found]


def events_between(connection: Connection, after: int, last: int, about: int) -> list[dict[str, Any]]:
    """Events above block `after` up to `last`, oldest first: about so many, but whole blocks."""
    within = (events.c.block > after, events.c.block <= last)
    far = select(events.c.block).where(*within).order_by(events.c.block, events.c.log_index)
    edge = connection.execute(far.offset(about - 1).limit(1)).scalar()
    query = select(events).where(*within, *([] if edge is None else [events.c.block <= edge]))
    return [_shown(row) for row in many(connection, query.order_by(events.c.block, events.c.log_index))]


def _listed(connection: Connection, table: Table, of: ColumnElement[bool], cursor: str | None, limit: int) -> Page:
    """The events that a table of (block, log_index) lists."""
    found = page(connection, table, [of], SortOrder("block", descending=True), cursor, limit)
    if not found.rows:
        return found
    keys = [(row["block"], row["log_index"]) for row in found.rows]
    matches = or_(*(and_(events.c.block == b, events.c.log_index == n) for b, n in keys))
    by_key = {(r["block"], r["log_index"]): r for r in many(connection, select(events).where(matches))}
    return Page([_shown(by_key[key]) for key in keys if key in by_key], found.next)


def _shown(row: Any) -> dict[str, Any]:
    """An event row with its arguments as an object."""
    return {**row, "arguments": json.loads(row["arguments"])}

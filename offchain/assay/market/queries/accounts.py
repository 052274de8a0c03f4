"""Accounts and transactions: what happened to them."""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import Connection, and_, func, or_, select

from assay.market.queries.pages import MOST_ROWS, Order, Page, many, one, page
from assay.market.store.tables import (
    devices,
    event_parties,
    events,
    faults,
    leases,
    measurements,
    rewards,
    stakes,
    validators,
)


def read_account(connection: Connection, address: str) -> dict[str, Any]:
    """Stake, roles and sums of an account; zeros for one that never took part."""
    stake = one(connection, stakes, account=address)
    latest = (
        connection.execute(
            select(rewards).where(rewards.c.account == address).order_by(rewards.c.epoch.desc()).limit(1)
        )
        .mappings()
        .first()
    )

    def counted(table: Any, column: Any) -> int:
        query = select(func.count()).select_from(table).where(column == address)
        return int(connection.execute(query).scalar_one())

    return {
        "account": address,
        "stake": stake,
        "devices": counted(devices, devices.c.provider),
        "validator": one(connection, validators, account=address),
        "leases_as_renter": counted(leases, leases.c.renter),
        "leases_as_provider": counted(leases, leases.c.provider),
        "faults": counted(faults, faults.c.account),
        "proofs": counted(faults, faults.c.reporter),
        "rewards": dict(latest) if latest else None,
    }


def account_events(connection: Connection, address: str, cursor: str | None, limit: int) -> Page:
    """Events that name the account, newest first."""
    found = page(
        connection,
        event_parties,
        [event_parties.c.address == address],
        Order("block", descending=True),
        cursor,
        limit,
    )
    if not found.rows:
        return found
    keys = [(row["block"], row["log_index"]) for row in found.rows]
    matches = or_(*(and_(events.c.block == b, events.c.log_index == n) for b, n in keys))
    by_key = {(r["block"], r["log_index"]): r for r in many(connection, select(events).where(matches))}
    return Page([shown_event(by_key[key]) for key in keys if key in by_key], found.next)


def transaction_events(connection: Connection, transaction: bytes) -> list[dict[str, Any]]:
    """Events of a transaction, in order."""
    query = select(events).where(events.c.transaction == transaction)
    found = many(connection, query.order_by(events.c.block, events.c.log_index).limit(MOST_ROWS))
    return [shown_event(row) for row in found]


def events_between(connection: Connection, after: int, last: int, about: int) -> list[dict[str, Any]]:
    """Events above block `after` up to `last`, oldest first: about so many, but whole blocks."""
    within = (events.c.block > after, events.c.block <= last)
    far = select(events.c.block).where(*within).order_by(events.c.block, events.c.log_index)
    edge = connection.execute(far.offset(about - 1).limit(1)).scalar()
    query = select(events).where(*within, *([] if edge is None else [events.c.block <= edge]))
    return [shown_event(row) for row in many(connection, query.order_by(events.c.block, events.c.log_index))]


def shown_event(row: Any) -> dict[str, Any]:
    """An event row with its arguments as an object."""
    return {**row, "arguments": json.loads(row["arguments"])}


def what_is(connection: Connection, text: str) -> str | None:
    """The page of whatever a text names: a device, a transaction, an account, a lease or an epoch."""
    if text.isascii() and text.isdigit() and len(text) < 19:
        if one(connection, leases, lease_id=int(text)) is not None:
            return f"/leases/{int(text)}"
        return f"/epochs/{int(text)}"
    lowered = text.lower()
    if not lowered.startswith("0x") or any(c not in "0123456789abcdef" for c in lowered[2:]):
        return None
    if len(lowered) == 66:
        value = bytes.fromhex(lowered[2:])
        if one(connection, devices, device_id=value) is not None:
            return f"/devices/{lowered}"
        known = connection.execute(
            select(measurements.c.epoch).where(measurements.c.device_id == value).limit(1)
        ).first()
        return f"/devices/{lowered}" if known else f"/transactions/{lowered}"
    return f"/accounts/{lowered}" if len(lowered) == 42 else None

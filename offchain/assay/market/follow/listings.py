"""Refreshes the listings that a batch has touched, and those that time has."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import Connection, func, select

from assay.market.projection.listings import Now, best_offer, listing, recount
from assay.market.store.rows import Change, WorkingSet
from assay.market.store.tables import devices, epochs, listings, offers

NOBODY = "0x0000000000000000000000000000000000000000"
_PIECE = 500


def refresh_listings(connection: Connection, rows: WorkingSet, timestamp: int, max_age: int) -> None:
    """Works out the listings of every device that changed, or whose offer, lease or pass has run out by
    now.
    """
    newest = connection.execute(select(func.max(epochs.c.epoch))).scalar() or 0
    newest = max([newest, *(key[0] for key in rows.touched("epochs"))])
    now = Now(timestamp, max(0, newest - max_age))
    touched = dict.fromkeys(key[0] for key in rows.touched("devices"))
    for lease in rows.touched("leases"):
        if (row := rows.row("leases", lease)) and row["device_id"] is not None:
            touched[row["device_id"]] = None
    for spec in rows.touched("specifications"):
        found = select(devices.c.device_id).where(devices.c.spec_hash == spec[0])
        touched.update(dict.fromkeys(connection.execute(found).scalars()))
    changed_offers = [rows.row("offers", key) or rows.before("offers", key) for key in rows.touched("offers")]
    touched.update(dict.fromkeys(o["device_id"] for o in changed_offers if o is not None))
    touched.update(dict.fromkeys(_run_out(connection, now)))
    touched.pop(None, None)
    ordered = sorted(touched)
    for start in range(0, len(ordered), _PIECE):
        piece = ordered[start : start + _PIECE]
        stored = _offers_of(connection, piece, rows)
        for device_id in piece:
            _refresh(rows, device_id, stored.get(device_id, {}).values(), now)


def _run_out(connection: Connection, now: Now) -> list[bytes]:
    by_time = select(listings.c.device_id).where(listings.c.changes_at > 0, listings.c.changes_at <= now.timestamp)
    by_epoch = select(listings.c.device_id).where(
        listings.c.passed_epoch < now.oldest_pass, listings.c.state.in_(("available", "unpriced"))
    )
    return [*connection.execute(by_time).scalars(), *connection.execute(by_epoch).scalars()]


def _offers_of(
    connection: Connection, piece: list[bytes], rows: WorkingSet
) -> dict[bytes, dict[bytes, Mapping[str, Any]]]:
    """Offers to anyone of these devices by digest, as they stand with this batch."""
    found: dict[bytes, dict[bytes, Mapping[str, Any]]] = {}
    for row in connection.execute(select(offers).where(offers.c.device_id.in_(piece))).mappings():
        found.setdefault(row["device_id"], {})[row["digest"]] = dict(row)
    wanted = set(piece)
    for key in rows.touched("offers"):
        offer = rows.row("offers", key)
        if offer is None:
            for held in found.values():
                held.pop(key[0], None)
        elif offer["device_id"] in wanted:
            found.setdefault(offer["device_id"], {})[key[0]] = offer
    return {d: {k: o for k, o in held.items() if o["renter"] == NOBODY} for d, held in found.items()}


def _refresh(rows: WorkingSet, device_id: bytes, held: Iterable[Mapping[str, Any]], now: Now) -> None:
    device = rows.row("devices", (device_id,))
    if device is None or device["provider"] is None:
        return
    good = [o for o in held if o["provider"] == device["provider"]]
    spec_hash = device["spec_hash"]
    after = listing(
        device,
        best_offer(good, device["nonce_floor"], now),
        rows.row("specifications", (spec_hash,)) if spec_hash else None,
        rows.row("leases", (device["active_lease"],)) if device["active_lease"] else None,
        now,
    )
    before = rows.row("listings", (device_id,))
    if before is not None and all(before[name] == value for name, value in after.items()):
        return
    for change in recount(before, after):
        rows.change(change)
        count = rows.row(change.table, change.key)
        if count is not None and count["count"] == 0:
            rows.change(Change(change.table, change.key, delete=True))
    rows.change(Change("listings", (device_id,), after))

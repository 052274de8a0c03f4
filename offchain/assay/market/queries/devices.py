"""One device: what it is, what it measured, who leased it, what it did wrong."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, select

from assay.market.queries.pages import Order, Page, many, one, page
from assay.market.store.tables import (
    devices,
    epochs,
    faults,
    leases,
    listings,
    measurements,
    offers,
    profiles,
    specifications,
    wrong_elements,
)

HISTORY = 200


@dataclass(frozen=True, slots=True)
class Device:
    """Everything about a device but its history."""

    row: dict[str, Any]
    listing: dict[str, Any] | None
    profile: dict[str, Any] | None
    specification: dict[str, Any] | None
    offer: dict[str, Any] | None


def read_device(connection: Connection, device_id: bytes) -> Device | None:
    """None for a device that was never enrolled."""
    row = one(connection, devices, device_id=device_id)
    if row is None or row["provider"] is None:
        return None
    listing = one(connection, listings, device_id=device_id)
    return Device(
        row,
        listing,
        one(connection, profiles, profile=row["profile"]),
        one(connection, specifications, spec_hash=row["spec_hash"]),
        one(connection, offers, digest=listing["offer"]) if listing and listing["offer"] else None,
    )


def history(connection: Connection, device_id: bytes, cursor: str | None, limit: int) -> Page:
    """Measurements, newest first."""
    return page(
        connection,
        measurements,
        [measurements.c.device_id == device_id],
        Order("epoch", descending=True),
        cursor,
        limit,
    )


def score_series(connection: Connection, device_id: bytes) -> list[tuple[int, int, int, int]]:
    """(epoch, report's timestamp, score, flags) of the newest epochs, oldest first."""
    query = (
        select(measurements.c.epoch, epochs.c.reported_at, measurements.c.score_gops, measurements.c.flags)
        .join(epochs, epochs.c.epoch == measurements.c.epoch)
        .where(measurements.c.device_id == device_id)
        .order_by(measurements.c.epoch.desc())
        .limit(HISTORY)
    )
    return [(r[0], r[1], r[2], r[3]) for r in reversed(connection.execute(query).all())]


def leases_of(connection: Connection, device_id: bytes, limit: int) -> list[Any]:
    """The newest leases."""
    query = select(leases).where(leases.c.device_id == device_id)
    return many(connection, query.order_by(leases.c.lease_id.desc()).limit(limit))


def faults_of(connection: Connection, device_id: bytes) -> list[Any]:
    """Proofs against the device, with the element shown."""
    query = (
        select(faults, *(wrong_elements.c[n] for n in ("t", "i", "j", "claimed", "correct")))
        .outerjoin(
            wrong_elements,
            (wrong_elements.c.device_id == faults.c.subject) & (wrong_elements.c.epoch == faults.c.epoch),
        )
        .where(faults.c.subject == device_id)
        .order_by(faults.c.block.desc(), faults.c.log_index.desc())
        .limit(50)
    )
    return many(connection, query)

"""One device: what it is, what it measured, what it did wrong."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, select

from assay.market.queries.listings import offers_of_device
from assay.market.queries.network import fault_page
from assay.market.queries.pages import Page, SortOrder, one, page
from assay.market.store.tables import (
    devices,
    epochs,
    faults,
    listings,
    measurements,
    profiles,
    specifications,
)
from assay.protocol.types import DeviceId

HISTORY = 200


@dataclass(frozen=True, slots=True)
class IndexedDevice:
    """Everything about a device but its history."""

    row: dict[str, Any]
    listing: dict[str, Any] | None
    profile: dict[str, Any] | None
    specification: dict[str, Any] | None
    offers: list[Mapping[str, Any]]


def read_device(connection: Connection, device_id: DeviceId) -> IndexedDevice | None:
    """None for a device that was never enrolled."""
    row = one(connection, devices, device_id=device_id)
    if row is None or row["provider"] is None:
        return None
    listing = one(connection, listings, listing_id=device_id)
    return IndexedDevice(
        row,
        listing,
        one(connection, profiles, profile=row["profile"]),
        one(connection, specifications, spec_hash=row["spec_hash"]),
        offers_of_device(connection, device_id),
    )


def history(connection: Connection, device_id: DeviceId, cursor: str | None, limit: int) -> Page:
    """Measurements, newest first."""
    return page(
        connection,
        measurements,
        [measurements.c.device_id == device_id],
        SortOrder("epoch", descending=True),
        cursor,
        limit,
    )


def score_series(connection: Connection, device_id: DeviceId) -> list[tuple[int, int, int, int]]:
    """(epoch, report's timestamp, score, flags) of the newest epochs, oldest first."""
    query = (
        select(measurements.c.epoch, epochs.c.reported_at, measurements.c.score_gops, measurements.c.flags)
        .join(epochs, epochs.c.epoch == measurements.c.epoch)
        .where(measurements.c.device_id == device_id)
        .order_by(measurements.c.epoch.desc())
        .limit(HISTORY)
    )
    return [(r[0], r[1], r[2], r[3]) for r in reversed(connection.execute(query).all())]


def faults_of(connection: Connection, device_id: DeviceId) -> list[Any]:
    """Proofs against the device, newest first, with the element shown and what became of the stake."""
    return fault_page(connection, [faults.c.subject == device_id], None, 50).rows

"""Leases as they stand at a time, with what everybody is due of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, func, select

from assay.market.projection.lease_money import ACTIVE, ENDED, PENDING, EscrowTerms, due
from assay.market.queries.pages import Page, SortOrder, many, one, page
from assay.market.store.tables import downtimes, lease_devices, leases, refunders
from assay.protocol.types import DeviceId


def standing(row: Mapping[str, Any], terms: EscrowTerms, now: int) -> dict[str, Any]:
    """The row with the status that the escrow gives the lease at `now`, and what everybody is due of it."""
    return dict(row) | asdict(due(row, terms, now))


def of_status(status: int, now: int) -> ColumnElement[bool]:
    """Leases that have this status at `now`."""
    running = and_(leases.c.status == ACTIVE, leases.c.stop > now)
    if status == ACTIVE:
        return running
    if status == ENDED:
        return (leases.c.status == ENDED) | and_(leases.c.status == ACTIVE, leases.c.stop <= now)
    return leases.c.status == status


def counted(connection: Connection, status: int, now: int) -> int:
    """How many leases have this status at `now`."""
    return int(connection.execute(select(func.count()).select_from(leases).where(of_status(status, now))).scalar_one())


def read_lease(connection: Connection, lease_id: int, terms: EscrowTerms, now: int) -> dict[str, Any] | None:
    """One lease, None where it was never opened."""
    row = one(connection, leases, lease_id=lease_id)
    return None if row is None or row["renter"] is None else standing(row, terms, now)


def lease_page(
    connection: Connection,
    where: Iterable[ColumnElement[bool]],
    cursor: str | None,
    limit: int,
    terms: EscrowTerms,
    now: int,
) -> Page:
    """Leases, newest first."""
    found = page(connection, leases, list(where), SortOrder("lease_id", descending=True), cursor, limit)
    return Page([standing(row, terms, now) for row in found.rows], found.next)


def of_device(device_id: DeviceId) -> ColumnElement[bool]:
    """Leases that a device is, or was, part of."""
    return leases.c.lease_id.in_(select(lease_devices.c.lease_id).where(lease_devices.c.device_id == device_id))


def leases_of_devices(
    connection: Connection, device_ids: Sequence[DeviceId], limit: int, terms: EscrowTerms, now: int
) -> list[dict[str, Any]]:
    """The newest leases that any of these devices is, or was, part of."""
    having = select(lease_devices.c.lease_id).where(lease_devices.c.device_id.in_(device_ids))
    return lease_page(connection, [leases.c.lease_id.in_(having)], None, limit, terms, now).rows


def pending_leases(connection: Connection, renter: str, device_ids: Sequence[DeviceId] | None = None) -> list[int]:
    """Leases of any of these devices, or of any at all, that the renter has opened and that have not begun, newest
    first.
    """
    query = select(leases.c.lease_id).where(leases.c.renter == renter, leases.c.status == PENDING)
    if device_ids is not None:
        having = select(lease_devices.c.lease_id).where(lease_devices.c.device_id.in_(device_ids))
        query = query.where(leases.c.lease_id.in_(having))
    return list(connection.execute(query.order_by(leases.c.lease_id.desc())).scalars())


def running_lease(connection: Connection, device_ids: Sequence[DeviceId], now: int) -> Mapping[str, Any] | None:
    """A lease that runs at `now` on any of these devices, which keeps every other from beginning."""
    having = select(lease_devices.c.lease_id).where(lease_devices.c.device_id.in_(device_ids))
    query = select(leases).where(of_status(ACTIVE, now), leases.c.lease_id.in_(having))
    return next(iter(many(connection, query.order_by(leases.c.stop.desc()).limit(1))), None)


def tokens_of_leases(connection: Connection, lease_ids: Sequence[int]) -> dict[int, str]:
    """The token that each of these leases is paid in."""
    query = select(leases.c.lease_id, leases.c.token).where(leases.c.lease_id.in_(lease_ids))
    return {row["lease_id"]: row["token"] for row in many(connection, query) if row["token"]}


def slashed_devices(connection: Connection, lease_id: int) -> dict[bytes, int]:
    """When which devices of a lease were slashed while it had them."""
    query = select(lease_devices).where(lease_devices.c.lease_id == lease_id, lease_devices.c.slashed_at > 0)
    return {row["device_id"]: row["slashed_at"] for row in many(connection, query)}


def downtimes_of(connection: Connection, lease_id: int) -> list[Mapping[str, Any]]:
    """Epochs whose downtime was credited, oldest first."""
    return many(connection, select(downtimes).where(downtimes.c.lease_id == lease_id).order_by(downtimes.c.epoch))


def agents_of(connection: Connection, renter: str) -> list[str]:
    """Who may submit downtime for a renter."""
    query = select(refunders.c.agent).where(refunders.c.renter == renter, refunders.c.may.is_(True))
    return list(connection.execute(query.order_by(refunders.c.agent)).scalars())

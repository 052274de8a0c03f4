"""What renters measured inside their leases."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields

from sqlalchemy import Connection, select

from assay.market.queries.pages import many
from assay.market.store.tables import checks, lease_devices, leases
from assay.protocol.messages import CheckResult
from assay.protocol.types import DeviceId
from assay.sheet.testimony import combined, newest_of_each
from assay.sheet.values import Sheet
from assay.wire.checks import SignedCheck

MAX_RESULTS = 100
_NAMES = [one.name for one in fields(CheckResult)]


def signed_checks(connection: Connection, device_ids: Sequence[DeviceId]) -> list[tuple[str, SignedCheck]]:
    """(renter, result) of leases of exactly these devices together, the newest first."""
    query = (
        select(checks, leases.c.device_ids)
        .join(leases, leases.c.lease_id == checks.c.lease_id)
        .join(lease_devices, lease_devices.c.lease_id == checks.c.lease_id)
        .where(lease_devices.c.device_id == device_ids[0])
        .order_by(checks.c.checked_at.desc(), checks.c.lease_id.desc())
        .limit(MAX_RESULTS)
    )
    return [
        (row["renter"], SignedCheck(CheckResult(*(row[name] for name in _NAMES)), row["signature"]))
        for row in many(connection, query)
        if sorted(row["device_ids"]) == sorted(device_ids)
    ]


def testimony(connection: Connection, device_ids: Sequence[DeviceId]) -> Sheet:
    """What their renters say together: each once, by its newest result."""
    found = ((renter, signed.result) for renter, signed in signed_checks(connection, device_ids))
    return combined(newest_of_each(found))

"""Downtime of a lease that reports attest and that was not credited yet."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, select

from assay.market.projection.lease_money import EscrowTerms, attested_downtime, epoch_overlap
from assay.market.queries.pages import many
from assay.market.store.tables import downtimes, measurements
from assay.protocol.types import DeviceId

FULL_BPS = 10_000
MAX_EPOCHS = 64  # the escrow keeps no more in mind


@dataclass(frozen=True, slots=True)
class Attested:
    """Seconds that the worst device of a lease was down in what an epoch and the lease have in common; `until` is the
    last second in which they can be credited.
    """

    epoch: int
    device_id: DeviceId
    seconds: int
    until: int


def creditable(
    connection: Connection, lease: Mapping[str, Any], terms: EscrowTerms, genesis: int, length: int, now: int
) -> list[Attested]:
    """What the renter can have credited now, oldest first: epochs in any order, each once, of each the worst device."""
    if not lease["start"]:
        return []
    last = (min(now, lease["stop"]) - genesis - 1) // length
    first = max((lease["start"] - genesis) // length, last - MAX_EPOCHS + 1, 0)
    query = select(measurements.c.epoch, measurements.c.device_id, measurements.c.uptime_bps).where(
        measurements.c.device_id.in_(lease["device_ids"]),
        measurements.c.epoch.between(first, last),
        measurements.c.uptime_bps < FULL_BPS,
    )
    taken = select(downtimes.c.epoch).where(downtimes.c.lease_id == lease["lease_id"])
    credited = set(connection.execute(taken).scalars())
    found: dict[int, Attested] = {}
    order = (measurements.c.epoch, measurements.c.uptime_bps, measurements.c.device_id)
    for row in many(connection, query.order_by(*order)):
        epoch = row["epoch"]
        overlap = epoch_overlap(lease, genesis, length, epoch)
        seconds = attested_downtime(overlap, row["uptime_bps"])
        until = overlap[0] + terms.holdback
        if epoch not in credited and epoch not in found and seconds and overlap[1] <= now <= until:
            found[epoch] = Attested(epoch, row["device_id"], seconds, until)
    return list(found.values())

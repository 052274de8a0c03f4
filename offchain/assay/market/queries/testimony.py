"""What seats signed: of a device, and how often the report came out otherwise."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, func, select

from assay.market.queries.pages import many
from assay.market.store.tables import batches, measurements, observations
from assay.protocol.quorum import MAX_SEATS
from assay.protocol.types import DeviceId

SHOWN = 40


def of_device(connection: Connection, epoch: int, device_id: DeviceId) -> list[Any]:
    """One line a seat."""
    query = select(observations).where(observations.c.epoch == epoch, observations.c.device_id == device_id)
    return many(connection, query.order_by(observations.c.account).limit(MAX_SEATS))


def round_trips(connection: Connection, device_id: DeviceId, epochs: int) -> list[tuple[int, list[int]]]:
    """(epoch, microseconds from challenge to commitment by each seat's stopwatch, ascending), oldest first."""
    newest = (
        select(observations.c.epoch)
        .where(observations.c.device_id == device_id, observations.c.elapsed_us > 0)
        .distinct()
        .order_by(observations.c.epoch.desc())
        .limit(epochs)
    )
    query = (
        select(observations.c.epoch, observations.c.elapsed_us)
        .where(observations.c.device_id == device_id, observations.c.elapsed_us > 0, observations.c.epoch.in_(newest))
        .order_by(observations.c.epoch, observations.c.elapsed_us)
    )
    found: dict[int, list[int]] = {}
    for epoch, elapsed in connection.execute(query):
        found.setdefault(epoch, []).append(elapsed)
    return list(found.items())


def by_seat(connection: Connection) -> dict[str, dict[str, int]]:
    """Sums over every indexed batch of each account: batches, devices spoken of, and how many came out otherwise."""
    sums = [
        func.count().label("batches"),
        func.sum(batches.c.devices).label("devices"),
        func.sum(batches.c.otherwise).label("otherwise"),
    ]
    query = select(batches.c.account, *sums).group_by(batches.c.account)
    return {row["account"]: {k: int(v) for k, v in row.items() if k != "account"} for row in many(connection, query)}


def disagreements(connection: Connection) -> list[Any]:
    """The newest observations that the report overruled: who saw what, and what was reported."""
    said = select(batches.c.epoch, batches.c.account).where(batches.c.otherwise > 0)
    newest = said.order_by(batches.c.epoch.desc(), batches.c.account).limit(SHOWN).subquery()
    query = (
        select(observations, measurements.c.flags.label("reported"))
        .join(newest, (newest.c.epoch == observations.c.epoch) & (newest.c.account == observations.c.account))
        .join(
            measurements,
            (measurements.c.epoch == observations.c.epoch) & (measurements.c.device_id == observations.c.device_id),
        )
        .where((observations.c.flags % 2) != (measurements.c.flags % 2), measurements.c.flags != 2)
        .order_by(observations.c.epoch.desc(), observations.c.device_id, observations.c.account)
        .limit(SHOWN)
    )
    return many(connection, query)

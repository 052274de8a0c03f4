"""How devices answer when they are asked: each epoch by the validators, now and then by anybody on the chain."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, select

from assay.market.queries.pages import Page, SortOrder, many, page
from assay.market.store.tables import demands, measurements
from assay.protocol.types import DeviceId

EPOCHS = 16


@dataclass(frozen=True, slots=True)
class Answers:
    """Flags of devices in the newest epochs, oldest first: (device id, one flags value or None an epoch)."""

    epochs: list[int]
    lines: list[tuple[bytes, list[int | None]]]


def answers(connection: Connection, device_ids: Sequence[DeviceId]) -> Answers:
    """What the newest reports say of these devices."""
    chosen = measurements.c.device_id.in_(device_ids)
    newest = select(measurements.c.epoch).where(chosen).distinct().order_by(measurements.c.epoch.desc()).limit(EPOCHS)
    epochs = sorted(connection.execute(newest).scalars())
    query = select(measurements.c.device_id, measurements.c.epoch, measurements.c.flags)
    found = connection.execute(query.where(chosen, measurements.c.epoch.in_(epochs)))
    flags = {(row.device_id, row.epoch): int(row.flags) for row in found}
    return Answers(epochs, [(d, [flags.get((d, epoch)) for epoch in epochs]) for d in device_ids])


def demand_page(connection: Connection, where: Sequence[ColumnElement[bool]], cursor: str | None, limit: int) -> Page:
    """Challenges on the chain, newest first."""
    return page(connection, demands, list(where), SortOrder("made_block", descending=True), cursor, limit)


def demands_of(connection: Connection, condition: ColumnElement[bool]) -> list[Any]:
    """The newest challenges that a page shows."""
    query = select(demands).where(condition).order_by(demands.c.made_block.desc(), demands.c.demand_id.desc())
    return many(connection, query.limit(20))

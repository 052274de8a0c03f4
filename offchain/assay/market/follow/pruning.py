"""What grows with time, dropped when it is old: lines of reports, events, offers that ran out."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, Table, and_, delete, func, insert, or_, select, update

from assay.market.store.tables import (
    batches,
    epochs,
    event_parties,
    events,
    identity,
    lease_events,
    measurements,
    observations,
    offer_devices,
    offers,
    refusals,
    rewards,
    tips,
)
from assay.protocol.epochs import Phase

REPORTED = int(Phase.REPORTED)
PRUNED = "pruned"
EVENTS_FROM = "events_from"
MIN_RETAINED_EPOCHS = 64  # epochs: far beyond what can be rolled back, and what proofs are asked of
MIN_EVENT_S = 7 * 24 * 3600
OFFERS_S = 7 * 24 * 3600  # an offer that ran out stays so long, for whoever has just taken it
EPOCH_BATCH_SIZE = 8  # of a thousand devices seen by 31 seats: a quarter of a million rows
ROW_BATCH = 5_000


@dataclass(frozen=True, slots=True)
class Kept:
    """How much an index keeps; 0 keeps all. `epochs` of reports' lines, `observations` of what each seat said of each
    device, which is most of it; `event_seconds` of the chain's events.
    """

    epochs: int = 0
    observations: int = 0
    event_seconds: int = 0


def prune(connection: Connection, kept: Kept) -> int:
    """Drops what is older, a bounded number of rows at a time: call it until it drops none. Rows dropped.

    What follows from what is dropped, a device's sums, its listing, a lease's state, stays.
    """
    dropped = 0
    newest = connection.execute(select(func.max(epochs.c.epoch)).where(epochs.c.phase == REPORTED)).scalar()
    if newest is not None and kept.observations:
        dropped += _prune_lines(connection, (observations,), newest - max(kept.observations, MIN_RETAINED_EPOCHS))
    if newest is not None and kept.epochs:
        bound = newest - max(kept.epochs, MIN_RETAINED_EPOCHS)
        dropped += _prune_lines(connection, (measurements, observations, batches, rewards, refusals), bound)
        _mark_pruned(connection, bound)
    now = connection.execute(select(func.max(tips.c.timestamp))).scalar()
    if now is not None:
        dropped += _prune_offers(connection, now - OFFERS_S)
        if kept.event_seconds:
            dropped += _prune_events(connection, now - max(kept.event_seconds, MIN_EVENT_S))
    return dropped


def events_from(connection: Connection) -> int:
    """The first block whose events are all here; 0 where none were dropped."""
    value = connection.execute(select(identity.c.value).where(identity.c.name == EVENTS_FROM)).scalar()
    return int(value or 0)


def _prune_lines(connection: Connection, tables: tuple[Table, ...], bound: int) -> int:
    dropped = 0
    for table in tables:
        first = connection.execute(select(func.min(table.c.epoch))).scalar()
        if first is not None and first < bound:
            last = min(bound, first + EPOCH_BATCH_SIZE)
            dropped += connection.execute(delete(table).where(table.c.epoch < last)).rowcount
    return dropped


def _mark_pruned(connection: Connection, bound: int) -> None:
    columns = {f"{kind}_content": PRUNED for kind in ("devices", "rewards", "batches")}
    stands = or_(*(epochs.c[name] != PRUNED for name in columns))
    connection.execute(update(epochs).where(epochs.c.epoch < bound, epochs.c.phase == REPORTED, stands).values(columns))


def _prune_events(connection: Connection, before: int) -> int:
    """Whole blocks, oldest first: their times go up with them."""
    oldest = select(events.c.block, events.c.timestamp).order_by(events.c.block, events.c.log_index).limit(ROW_BATCH)
    last = max((row.block for row in connection.execute(oldest) if row.timestamp < before), default=None)
    if last is None:
        return 0
    dropped = sum(
        connection.execute(delete(table).where(table.c.block <= last)).rowcount
        for table in (events, event_parties, lease_events)
    )
    connection.execute(delete(identity).where(identity.c.name == EVENTS_FROM))
    connection.execute(insert(identity), [{"name": EVENTS_FROM, "value": str(last + 1)}])
    return dropped


def _prune_offers(connection: Connection, before: int) -> int:
    """Those that ran out: of providers who do not answer nobody else takes them away."""
    over = select(offers.c.offer_hash, offers.c.device_ids).where(offers.c.valid_until < before).limit(ROW_BATCH)
    rows = connection.execute(over).all()
    for row in rows:
        connection.execute(
            delete(offer_devices).where(
                and_(offer_devices.c.device_id.in_(list(row.device_ids)), offer_devices.c.offer_hash == row.offer_hash)
            )
        )
        connection.execute(delete(offers).where(offers.c.offer_hash == row.offer_hash))
    return len(rows)

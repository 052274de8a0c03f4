"""Writes to the index: batches of logs, proven reports, signed offers; each in one
transaction that can be undone.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, Engine, delete, func, insert, select

from assay.market.events.registry import RawLog
from assay.market.follow.listings import refresh_all, refresh_listings
from assay.market.follow.pruning import Kept, prune
from assay.market.projection.events import kept, project
from assay.market.projection.seats import seats_of_set
from assay.market.store.metadata import metadata
from assay.market.store.rows import Change, WorkingSet, roll_back
from assay.market.store.tables import listings, rollbacks, tips, undo

KEEP_TIPS = 512
# Not of the index, but of the database and of whoever listens.
OUTLIVING = ("identity", "rollbacks")


@dataclass(frozen=True, slots=True)
class Tip:
    """The last block of a batch: everything up to it is in the index. `timestamp` in seconds."""

    block: int
    hash: bytes
    timestamp: int


@dataclass(frozen=True, slots=True)
class LogBatch:
    """The logs of consecutive blocks, oldest first; the seats (account, signer) of the sets they fixed; the
    receiver and calldata of the transactions that proved a fault.
    """

    logs: Sequence[RawLog]
    set_seats: Mapping[int, Sequence[tuple[str, str]]]
    tip: Tip
    proof_calls: Mapping[bytes, tuple[str, bytes]] = field(default_factory=dict)


class MarketIndex:
    """The only writer of the database. `max_age` is LeaseEscrow's: how many
    epochs a pass opens leases for.
    """

    def __init__(self, engine: Engine, max_age: int) -> None:
        self.engine = engine
        self.max_age = max_age
        # Several followers write from threads of their own; each reads the rows it changes.
        self._writing = threading.Lock()
        # Called after each commit with the devices whose listings changed; None after a rollback: look at all.
        self.on_listings: Callable[[list[bytes] | None], None] = lambda _: None

    def complete(self) -> int:
        """Works all listings out where a newer version of this program has found none; the number of rows written. No
        rollback is asked to undo it: it is part of the batch that stands.
        """
        with self._writing, self.engine.begin() as connection:
            tip = newest_tip(connection)
            if tip is None or connection.execute(select(listings.c.listing_id).limit(1)).first() is not None:
                return 0
            rows = WorkingSet(connection)
            refresh_all(connection, rows, tip.timestamp, self.max_age)
            return rows.flush(tip.block)

    def tip(self) -> Tip | None:
        """The end of the newest batch."""
        with self.engine.connect() as connection:
            return newest_tip(connection)

    def known_tips(self) -> list[Tip]:
        """Ends of the batches that can be gone back to, newest first."""
        with self.engine.connect() as connection:
            rows = connection.execute(select(tips).order_by(tips.c.block.desc())).all()
        return [Tip(row.block, row.hash, row.timestamp) for row in rows]

    def apply(self, batch: LogBatch) -> int:
        """Applies a batch and returns the number of rows written."""
        with self._writing, self.engine.begin() as connection:
            rows = WorkingSet(connection)
            for set_id, seats in sorted(batch.set_seats.items()):
                _apply(rows, seats_of_set(set_id, seats))
            for log in batch.logs:
                self._apply_log(rows, log)
            for transaction, (target, calldata) in sorted(batch.proof_calls.items()):
                rows.change(Change("proof_calls", (transaction,), {"target": target, "calldata": calldata}))
            refresh_listings(connection, rows, batch.tip.timestamp, self.max_age)
            changed = [key[0] for key in rows.touched("listings")]
            written = rows.flush(batch.tip.block)
            _note_tip(connection, batch.tip)
        self.on_listings(changed)
        return written

    def _apply_log(self, rows: WorkingSet, log: RawLog) -> None:
        record = log.record()
        if record is None:
            return
        place = log.place
        for change in kept(log, record):
            rows.absent(change.table, change.key)
            rows.change(change)
        _apply(rows, project(record, place, rows))

    def apply_changes(self, changes: Iterable[Change], fresh: Iterable[tuple[str, tuple[Any, ...]]] = ()) -> int:
        """Applies changes that come from outside the chain, under the newest tip. Returns the rows written.

        `fresh` names rows that the caller knows to be new.
        """
        with self._writing, self.engine.begin() as connection:
            tip = newest_tip(connection)
            if tip is None:
                return 0
            rows = WorkingSet(connection)
            for table, key in fresh:
                rows.absent(table, key)
            _apply(rows, changes)
            refresh_listings(connection, rows, tip.timestamp, self.max_age)
            changed = [key[0] for key in rows.touched("listings")]
            written = rows.flush(tip.block)
        self.on_listings(changed)
        return written

    def prune(self, kept: Kept) -> int:
        """Drops some of what is older than what is kept; rows dropped, 0 once there is none. No rollback reaches that
        far back.
        """
        with self._writing, self.engine.begin() as connection:
            return prune(connection, kept)

    def roll_back(self, block: int) -> Tip | None:
        """As `_roll_back`, and says so to whoever follows the listings."""
        tip = self._roll_back(block)
        self.on_listings(None)
        return tip

    def _roll_back(self, block: int) -> Tip | None:
        """Takes back everything above `block`, as far as the newest known tip at or below it.

        Where the journal does not reach that far the index is emptied, to be read anew from the chain.
        """
        with self._writing, self.engine.begin() as connection:
            newest = newest_tip(connection)
            target = connection.execute(
                select(tips).where(tips.c.block <= block).order_by(tips.c.block.desc()).limit(1)
            ).first()
            if newest is not None and (target is None or target.block < newest.block):
                _note_rollback(connection, 0 if target is None else target.block, newest)
            if target is not None:
                roll_back(connection, target.block)
                connection.execute(delete(tips).where(tips.c.block > target.block))
                return Tip(target.block, target.hash, target.timestamp)
            for table in reversed(metadata.sorted_tables):
                if table.name not in OUTLIVING:
                    connection.execute(delete(table))
        return None


def newest_tip(connection: Connection) -> Tip | None:
    """The end of the newest batch."""
    row = connection.execute(select(tips).order_by(tips.c.block.desc()).limit(1)).first()
    return None if row is None else Tip(row.block, row.hash, row.timestamp)


def _apply(rows: WorkingSet, changes: Iterable[Change]) -> None:
    for change in changes:
        rows.change(change)


def _note_rollback(connection: Connection, block: int, undone: Tip) -> None:
    last = connection.execute(select(func.max(rollbacks.c.number))).scalar() or 0
    connection.execute(insert(rollbacks), [{"number": last + 1, "block": block, "undone": undone.hash}])


def _note_tip(connection: Connection, tip: Tip) -> None:
    connection.execute(delete(tips).where(tips.c.block == tip.block))
    connection.execute(insert(tips), [{"block": tip.block, "hash": tip.hash, "timestamp": tip.timestamp}])
    held = connection.execute(select(func.count()).select_from(tips)).scalar_one()
    if held > KEEP_TIPS:
        oldest = connection.execute(
            select(tips.c.block).order_by(tips.c.block.desc()).offset(KEEP_TIPS - 1).limit(1)
        ).scalar_one()
        connection.execute(delete(tips).where(tips.c.block < oldest))
        connection.execute(delete(undo).where(undo.c.tip <= oldest))

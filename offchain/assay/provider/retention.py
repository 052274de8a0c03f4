"""How long what devices signed is kept: as long as it can be proven against or demanded, and no longer."""

from __future__ import annotations

from sqlalchemy import ColumnElement, Engine, Integer, Table, cast, delete, func, literal_column, select

from assay.protocol.epochs import Timing
from assay.provider.database import commitments, handovers, lane_commitments, leases

MARGIN = 2  # epochs: the one at work, and one for clocks that differ
ROW_BATCH = 500
_ROW: ColumnElement[int] = literal_column("rowid")


class Retention:
    """Of commitments, answers to the memory probe, and handovers. `keep_epochs` is the operator's wish; what the
    contracts' proof window asks for is kept in any case. Calls block: make them from a worker thread.
    """

    def __init__(self, engine: Engine, timing: Timing, keep_epochs: int) -> None:
        self._engine = engine
        provable = -(-timing.proof_window // timing.epoch_length)
        self.epochs = max(keep_epochs, provable + MARGIN)

    def prune(self, current: int) -> int:
        """Drops what is older than is kept at this epoch, a few rows at a time; rows dropped.

        The newest epoch's rows stay, however old: nothing is signed for an epoch below those that are kept.
        """
        before = current - self.epochs
        dropped = 0
        for table in (commitments, lane_commitments):
            newest = select(func.max(table.c.epoch)).scalar_subquery()
            dropped += self._drop(table, table.c.epoch < before, table.c.epoch < newest)
        at_work = select(leases.c.lease_id).where(leases.c.settled == 0)
        epoch = cast(func.json_extract(handovers.c.answer, "$.epoch"), Integer)
        return dropped + self._drop(handovers, epoch < before, handovers.c.lease_id.not_in(at_work))

    def rows(self) -> dict[str, int]:
        """How many are kept of each."""
        with self._engine.connect() as connection:
            return {
                table.name: connection.execute(select(func.count()).select_from(table)).scalar_one()
                for table in (commitments, lane_commitments, handovers)
            }

    def _drop(self, table: Table, *old: object) -> int:
        some = select(_ROW).select_from(table).where(*old).limit(ROW_BATCH)  # type: ignore[arg-type]
        dropped = 0
        while True:
            with self._engine.begin() as connection:
                gone = connection.execute(delete(table).where(_ROW.in_(some))).rowcount
            dropped += gone
            if gone < ROW_BATCH:
                return dropped

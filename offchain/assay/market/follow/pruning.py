"""Old lines of reports, dropped where somebody does not want to keep them."""

from __future__ import annotations

from sqlalchemy import Connection, delete, func, or_, select, update

from assay.market.store.tables import batches, epochs, measurements, observations, rewards
from assay.protocol.epochs import Phase

REPORTED = int(Phase.REPORTED)
PRUNED = "pruned"
LEAST_KEPT = 64  # epochs: far beyond what can be rolled back, and what proofs are asked of
EPOCHS_AT_ONCE = 50


def prune(connection: Connection, keep_epochs: int) -> int:
    """Drops lines below the newest `keep_epochs` reported epochs, a bounded number at a time; rows dropped."""
    newest = connection.execute(select(func.max(epochs.c.epoch)).where(epochs.c.phase == REPORTED)).scalar()
    if newest is None:
        return 0
    bound = newest - max(keep_epochs, LEAST_KEPT)
    dropped = 0
    for table in (measurements, observations, batches, rewards):
        first = connection.execute(select(func.min(table.c.epoch))).scalar()
        if first is not None and first < bound:
            last = min(bound, first + EPOCHS_AT_ONCE)
            dropped += connection.execute(delete(table).where(table.c.epoch < last)).rowcount
    columns = {f"{kind}_content": PRUNED for kind in ("devices", "rewards", "batches")}
    stands = or_(*(epochs.c[name] != PRUNED for name in columns))
    connection.execute(update(epochs).where(epochs.c.epoch < bound, epochs.c.phase == REPORTED, stands).values(columns))
    return dropped

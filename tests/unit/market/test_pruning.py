"""Old lines of reports go where somebody wants them gone; what follows from them stays."""

from __future__ import annotations

from sqlalchemy import func, select

from assay.market.follow.content_changes import device_changes, reward_changes
from assay.market.follow.index import MarketIndex
from assay.market.follow.pruning import EPOCH_BATCH_SIZE, MIN_RETAINED_EPOCHS
from assay.market.store.rows import WorkingSet
from assay.market.store.tables import devices, epochs, listings, measurements, rewards

from .scenario import DEVICES, batch, device_leaves, epoch_events, founding, reward_leaves

LAST = MIN_RETAINED_EPOCHS + EPOCH_BATCH_SIZE + 10


def rows(index: MarketIndex, table: object) -> list[object]:
    with index.engine.connect() as connection:
        return list(connection.execute(select(table)).all())  # type: ignore[call-overload]


def filled(index: MarketIndex) -> MarketIndex:
    events = founding()
    for epoch in range(1, LAST + 1):
        events += epoch_events(epoch, 6 + 4 * epoch, device_leaves(epoch))
    index.apply(batch(events, 10 + 4 * LAST, seats=True))
    for epoch in range(1, LAST + 1):
        with index.engine.connect() as connection:
            known = WorkingSet(connection)
            changes = device_changes(epoch, device_leaves(epoch), lambda d, k=known: k.row("devices", (d,)))  # type: ignore[misc]
        index.apply_changes([*changes, *reward_changes(epoch, reward_leaves(epoch))])
    return index


def test_prune__of_all_but_a_few_epochs__keeps_the_least_and_what_follows_from_the_rest(index: MarketIndex) -> None:
    filled(index)
    before = rows(index, devices), rows(index, listings)
    while index.prune(1):
        pass
    with index.engine.connect() as connection:
        for table in (measurements, rewards):
            assert connection.execute(select(func.min(table.c.epoch))).scalar() == LAST - MIN_RETAINED_EPOCHS
        assert connection.execute(select(func.count()).select_from(measurements)).scalar() == 65 * len(DEVICES)
        content = {row.epoch: row.devices_content for row in connection.execute(select(epochs))}
    assert content[LAST - MIN_RETAINED_EPOCHS - 1] == "pruned"
    assert content[LAST - MIN_RETAINED_EPOCHS] == "proven"
    assert (rows(index, devices), rows(index, listings)) == before


def test_prune__of_nothing_old__changes_nothing(index: MarketIndex) -> None:
    index.apply(batch(founding() + epoch_events(1, 6, device_leaves(1)), 12, seats=True))
    assert index.prune(1) == 0
    assert index.prune(1_000) == 0

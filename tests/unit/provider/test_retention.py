"""What devices signed is kept as long as it can be proven against, and never signed anew once it is gone."""

from __future__ import annotations

import json

import pytest
from sqlalchemy import Engine, insert

from assay.protocol.epochs import Timing
from assay.provider.database import handovers, open_database
from assay.provider.errors import Conflict
from assay.provider.leasing.lease_book import LeaseBook
from assay.provider.measurement.commitments import CommitmentStore, StoredCommitment
from assay.provider.measurement.lane_commitments import LaneCommitmentStore, StoredLanes
from assay.provider.retention import MARGIN, Retention

HOUR = 3600
PROVABLE = 7
TIMING = Timing(0, HOUR, 0, 0, 0, 0, 0, PROVABLE * HOUR - 1)
DEVICES = [bytes([n]) * 32 for n in range(3)]
SEED = bytes(32)


@pytest.fixture
def database() -> Engine:
    return open_database(None)


def sign(database: Engine, epoch: int, device: bytes = DEVICES[0]) -> None:
    CommitmentStore(database).put(StoredCommitment(device, epoch, SEED, 1, SEED, "{}"))
    LaneCommitmentStore(database).put(StoredLanes(device, epoch, SEED, SEED, "{}"))


def hand_over(database: Engine, lease_id: int, epoch: int) -> None:
    row = {"lease_id": str(lease_id), "device_id": DEVICES[0], "epoch_seed": SEED, "nonce": SEED}
    with database.begin() as connection:
        connection.execute(insert(handovers).values(**row, answer=json.dumps({"epoch": epoch})))


@pytest.mark.parametrize("epochs", [60, pytest.param(365, marks=pytest.mark.deep)])
def test_retention__over_months_and_a_year_of_epochs__keeps_as_many_rows_as_can_be_proven_against(
    database: Engine, epochs: int
) -> None:
    retention, book = Retention(database, TIMING, 0), LeaseBook(database)
    sizes = []
    for epoch in range(1, epochs + 1):
        for device in DEVICES:
            sign(database, epoch, device)
        hand_over(database, epoch, epoch)
        book.note(epoch)
        book.settle(epoch)
        retention.prune(epoch)
        sizes.append(retention.rows())
    kept = PROVABLE + MARGIN + 1
    assert sizes[-1] == {"commitments": 3 * kept, "lane_commitments": 3 * kept, "handovers": kept}
    assert sizes[20:] == [sizes[20]] * len(sizes[20:])


def test_retention__that_drops_many_rows__drops_them_all(database: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("assay.provider.retention.ROW_BATCH", 4)
    for epoch in range(1, 42):
        sign(database, epoch)
    assert Retention(database, TIMING, 0).prune(41) == 2 * (41 - PROVABLE - MARGIN - 1)


def test_retention__handover_of_a_lease_that_runs__stays_however_old(database: Engine) -> None:
    book = LeaseBook(database)
    for lease_id in (1, 2, 3):
        hand_over(database, lease_id, 5)
    book.note(1)
    book.note(2)
    book.settle(2)
    Retention(database, TIMING, 0).prune(500)
    assert Retention(database, TIMING, 0).rows()["handovers"] == 1


def test_retention__operators_wish__lengthens_and_never_shortens(database: Engine) -> None:
    assert Retention(database, TIMING, 0).epochs == Retention(database, TIMING, 3).epochs == PROVABLE + MARGIN
    assert Retention(database, TIMING, 100).epochs == 100


def test_store__for_an_epoch_of_which_everything_was_dropped__signs_nothing_a_second_time(database: Engine) -> None:
    for epoch in (5, 6):
        sign(database, epoch)
    Retention(database, TIMING, 0).prune(500)
    for put in (
        lambda: CommitmentStore(database).put(StoredCommitment(DEVICES[0], 5, SEED, 1, SEED, "other")),
        lambda: LaneCommitmentStore(database).put(StoredLanes(DEVICES[0], 5, SEED, SEED, "other")),
    ):
        with pytest.raises(Conflict, match="older than the record"):
            put()
    sign(database, 6, DEVICES[1])
    sign(database, 7)

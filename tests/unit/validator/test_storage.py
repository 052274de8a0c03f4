"""What a validator keeps: how much of each seat, and for how long."""

from __future__ import annotations

import pytest
from sqlalchemy import func, select

from assay.protocol.keccak import keccak
from assay.validator.api.app import body_limit
from assay.validator.errors import Refused
from assay.validator.storage import record as record_module
from assay.validator.storage import store as store_module
from assay.validator.storage import tables
from assay.validator.storage.record import EpochRecord
from assay.validator.storage.store import Store, StoredVerdict
from assay.validator.storage.tables import open_database
from assay.wire.gossip import InstantBody, InstantMessage, Purpose
from assay.wire.limits import MAX_MESSAGE_BYTES, MAX_SHORT_MESSAGE_BYTES

SEAT = "0x" + "11" * 20
DEVICE, RHO = keccak(b"device"), keccak(b"rho")


@pytest.fixture
def store(tmp_path) -> Store:
    return Store(open_database(tmp_path / "v.sqlite"), lambda: 5.0)


def test_opening__that_verified__is_served_and_evicted_with_its_epoch_but_rewards_stay(store):
    opening = store.put_content(3, "opening", b"rows")
    bad = store.put_content(3, "opening", b"wrong rows")
    store.put_verdict(3, RHO, StoredVerdict(DEVICE, "valid", "", opening))
    store.put_verdict(3, RHO, StoredVerdict(keccak(b"other"), "bad", "not the product", bad))
    store.put_tree(3, "rewards", RHO, b"tree")
    assert store.valid_opening(3, DEVICE) == b"rows"
    assert store.valid_opening(3, keccak(b"other")) is None
    assert store.prune(4) == 2
    assert (store.valid_opening(3, DEVICE), store.content(bad)) == (None, None)
    assert store.tree(RHO) == b"tree"
    assert store.prune(4) == 0


def test_commitments__second_of_a_device__is_kept_as_evidence_and_does_not_count(store):
    store.put_commitment(3, RHO, DEVICE, keccak(b"first"), 7)
    store.put_commitment(3, RHO, DEVICE, keccak(b"a second"), 9)
    assert store.commitments(3, RHO) == [(DEVICE, keccak(b"first"), 7)]
    assert store.other_commitments(3, RHO) == [(DEVICE, keccak(b"a second"))]


def test_messages__beyond_a_seats_share_of_storage__are_refused(store, monkeypatch):
    class Context:
        epoch = 3

        def seat_of(self, account):
            return 0

    record = EpochRecord(Context(), store)
    message = InstantMessage(
        epoch=3, set_id=1, seat=SEAT, content=InstantBody(epoch_seed=RHO, start_ms=1), signature=bytes(64)
    )
    assert record.add_instant(message, 0.001)
    monkeypatch.setattr(record_module, "MAX_STORED_A_SEAT", 10)
    with pytest.raises(Refused, match="messages kept") as refused:
        record.add_instant(message.model_copy(update={"seat": SEAT, "kind": Purpose.MEMORY}), 0.001)
    assert refused.value.status == 413


def test_body_limit__of_a_path__is_large_for_lists_of_devices_only():
    assert body_limit("/v1/observations") == MAX_MESSAGE_BYTES
    assert body_limit("/v1/instants") == body_limit("/") == MAX_SHORT_MESSAGE_BYTES


def live(store: Store, epoch: int) -> None:
    """An epoch's work: something in every table."""
    device, seed = DEVICE, RHO
    store.put_verdict(
        epoch, RHO, StoredVerdict(device, "valid", "", store.put_content(epoch, "opening", b"%d" % epoch))
    )
    store.put_memory_verdict(epoch, RHO, device, True, "")
    store.nonce(epoch, device, seed, RHO)
    store.put_commitment(epoch, seed, device, RHO, 1)
    store.put_lanes(epoch, seed, device, RHO, 1)
    store.put_message(epoch, "batch", SEAT, b"%d" % epoch)
    store.count_liveness(epoch, device, 0, True)
    store.put_check_in(epoch, "0x")
    root = keccak(b"root %d" % epoch)
    store.put_tree(epoch, "rewards", root, b"rewards %d" % epoch)
    store.put_tree(epoch, "devices", keccak(root), b"devices %d" % epoch)
    store.update_epoch(epoch, outcome="reported", rewards_root=root)


def rows_of(store: Store) -> dict[str, int]:
    with store._engine.connect() as db:
        found = {
            table.name: db.execute(select(func.count()).select_from(table)).scalar_one()
            for table in tables.metadata.sorted_tables
        }
    del found["epochs"]  # a line an epoch: how each ended
    return found


@pytest.mark.slow
def test_store__over_a_year_of_epochs__stays_as_large_as_a_proof_window_and_the_newest_rewards(store, monkeypatch):
    monkeypatch.setattr(store_module, "REWARD_TREES", 20)
    sizes = []
    for epoch in range(1, 366):
        live(store, epoch)
        store.prune(epoch - 7)
        sizes.append(rows_of(store))
    assert sizes[364] == sizes[60] and sizes[364]["contents"] == 8 + 8 + 20
    assert {sizes[364][name] for name in ("nonces", "verdicts", "liveness", "messages")} == {8}
    assert store.disk_bytes() > 0


def test_rewards__that_nothing_reported_follows__stay_however_many_proposals_came_after(store, monkeypatch):
    monkeypatch.setattr(store_module, "REWARD_TREES", 2)
    live(store, 1)
    for epoch in range(2, 40):
        store.put_tree(epoch, "rewards", keccak(b"proposed %d" % epoch), b"proposed %d" % epoch)
        store.update_epoch(epoch, outcome="void", rewards_root=None)
    store.prune(39)
    assert store.tree(keccak(b"root 1")) == b"rewards 1"


def test_rewards__tree_that_nothing_was_added_to_for_long__stays_while_reports_name_it(store, monkeypatch):
    monkeypatch.setattr(store_module, "REWARD_TREES", 2)
    root = keccak(b"root")
    for epoch in range(1, 40):
        store.put_tree(epoch, "rewards", root, b"the same")
        store.update_epoch(epoch, outcome="reported", rewards_root=root)
        store.prune(epoch - 7)
    assert store.tree(root) == b"the same"

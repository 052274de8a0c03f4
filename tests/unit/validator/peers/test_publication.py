"""The index that a validator serves of an epoch, field for field as others read it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from assay.protocol.hexadecimal import to_hex
from assay.protocol.keccak import keccak
from assay.protocol.leaves import DeviceLeaf, RewardLeaf, device_tree, reward_tree
from assay.protocol.signing import Domain
from assay.validator.peers.publication import Publication
from assay.validator.storage.store import Store, StoredVerdict
from assay.validator.storage.tables import open_database

GOLDEN = json.loads((Path(__file__).parent / "golden_index.json").read_text())
ORACLE = Domain(31337, "0x" + "11" * 20)
SEATS = ["0x" + "11" * 20, "0x" + "22" * 20]
SEED, RHO, DEVICE, OTHER = (keccak(name) for name in (b"seed", b"rho", b"device", b"other"))
LEAVES = [
    DeviceLeaf(7, DEVICE, 0, 3, 1000, 81_920, 10_000, 1, keccak(b"root")),
    DeviceLeaf(7, OTHER, 2**32 - 1, 3, 0, 0, 0, 32, bytes(32)),
]
REWARDS = [RewardLeaf(account, 10**27) for account in SEATS]


def line(leaf: DeviceLeaf) -> dict[str, object]:
    return {
        "epoch": leaf.epoch,
        "deviceId": to_hex(leaf.device_id),
        "sealIndex": leaf.seal_index,
        "profile": leaf.profile,
        "scoreGops": leaf.score_gops,
        "memoryMiB": leaf.memory_mib,
        "uptimeBps": leaf.uptime_bps,
        "flags": leaf.flags,
        "resultRoot": to_hex(leaf.result_root),
    }


@pytest.fixture
def publication(tmp_path: Path) -> Publication:
    store = Store(open_database(tmp_path / "v.sqlite"), lambda: 5.0)
    batch = {
        "epoch": 7,
        "setId": 2,
        "seat": SEATS[0],
        "rho": to_hex(RHO),
        "signature": "0x" + "11" * 64,
        "leaves": [
            {"deviceId": to_hex(DEVICE), "resultRoot": to_hex(OTHER), "elapsedUs": 5, "flags": 1, "uptimeBps": 10_000}
        ],
    }
    statement = {
        "kind": "seal",
        "round": 1,
        "seat": SEATS[1],
        "epochSeed": to_hex(SEED),
        "sealRoot": to_hex(RHO),
        "count": 2,
        "signature": "0x" + "11" * 64,
    }
    store.update_epoch(
        7,
        epoch_seed=SEED,
        outcome="reported",
        reason="",
        seal_content=keccak(b"seal"),
        devices_root=device_tree(LEAVES).root,
        rewards_root=reward_tree(REWARDS).root,
    )
    store.put_commitment(7, SEED, DEVICE, keccak(b"first"), 7)
    store.put_commitment(7, SEED, DEVICE, keccak(b"a second"), 9)
    store.put_message(7, "inventory", SEATS[0], b"inventory")
    store.put_message(7, "batch", SEATS[0], json.dumps(batch).encode())
    store.put_message(7, "statement", SEATS[1], json.dumps(statement).encode())
    store.put_verdict(7, RHO, StoredVerdict(DEVICE, "valid", "", keccak(b"opening")))
    store.put_verdict(7, RHO, StoredVerdict(OTHER, "missing", "no opening in time", None))
    rewards = [{"account": r.account, "cumulative": str(r.cumulative)} for r in REWARDS]
    for kind, root, lines in (
        ("devices", device_tree(LEAVES).root, [line(leaf) for leaf in LEAVES]),
        ("rewards", reward_tree(REWARDS).root, rewards),
    ):
        store.put_tree(7, kind, root, json.dumps({"epoch": 7, "leaves": lines}).encode())
    store.update_epoch(8, outcome="void", reason="nobody sealed")
    return Publication(store, ORACLE)


def test_index__of_a_reported_epoch__is_served_as_it_always_was(publication: Publication) -> None:
    assert json.loads(json.dumps(publication.epoch(7))) == GOLDEN["reported"]
    assert list(publication.epoch(7) or {}) == list(GOLDEN["reported"])


def test_index__of_an_epoch_without_a_seal__is_served_as_it_always_was(publication: Publication) -> None:
    assert publication.epoch(8) == GOLDEN["void"]
    assert publication.epoch(9) is None


def test_lines__of_one_device_and_one_account__stand_with_their_proofs(publication: Publication) -> None:
    assert publication.device(7, OTHER) == GOLDEN["device"]
    assert publication.reward(7, SEATS[1]) == GOLDEN["reward"]
    assert publication.device(7, SEED) is None and publication.reward(8, SEATS[1]) is None

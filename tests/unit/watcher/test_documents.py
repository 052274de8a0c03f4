"""What a watcher reads from outside, and what it remembers."""

from __future__ import annotations

import json

import pytest

from assay.protocol.hexadecimal import to_hex
from assay.protocol.keccak import keccak
from assay.protocol.leaves import SealedLeaf
from assay.watcher import documents
from assay.watcher.errors import WatcherError
from assay.watcher.evidence import EvidenceFolder
from assay.watcher.faults import Fault, Kind
from assay.watcher.notebook import Notebook

SEED, RHO, DEVICE = (keccak(name) for name in (b"seed", b"rho", b"device"))
SEAT = "0x" + "11" * 20
STATEMENT = {
    "kind": "seal", "round": 1, "seat": SEAT, "epochSeed": to_hex(SEED), "sealRoot": to_hex(RHO), "count": 2,
    "signature": "0x" + "11" * 64,
}  # fmt: skip


def test_index__as_published__is_read():
    value = {
        "seal": to_hex(SEED), "openings": {to_hex(DEVICE): to_hex(RHO)}, "commitments": {to_hex(DEVICE): to_hex(SEED)},
        "otherCommitments": [{"deviceId": to_hex(DEVICE), "content": to_hex(RHO)}], "statements": [STATEMENT],
        "batches": [{"seat": SEAT, "digest": to_hex(SEED), "content": to_hex(RHO)}], "report": None, "more": 1,
    }  # fmt: skip
    index = documents.parse_index("http://a/", value)
    assert (index.url, index.seal, index.openings) == ("http://a", SEED, {DEVICE: RHO})
    assert index.commitments == {DEVICE: (SEED, RHO)}
    assert index.batches[0].content == RHO
    assert index.statements[0].message(5, 3).seal_root == RHO
    assert (index.report, index.rewards) == (None, None)


@pytest.mark.parametrize(
    "value",
    [
        None, [], {"openings": []}, {"seal": "0x12"}, {"openings": {"x": "y"}}, {"seal": 5}, {"batches": [5]},
        {"statements": [{**STATEMENT, "count": -1}]}, {"statements": [{**STATEMENT, "kind": "other"}]},
        {"statements": [STATEMENT] * (documents.MOST_STATEMENTS + 1)}, {"report": 7}, {"otherCommitments": {}},
        {"commitments": {to_hex(DEVICE): None}},
    ],
)  # fmt: skip
def test_index__malformed__is_refused(value):
    with pytest.raises(ValueError, match="malformed index"):
        documents.parse_index("http://a", value)


BODIES = [b"", b"[]", b"{}", b"null", b'{"leaves": 5}', b'{"leaves": [{}]}', b'{"leaves": [5]}', b"[" * 99_999, b"\xff"]
PARSERS = ["parse_sealed", "parse_commitment", "parse_batch", "parse_devices", "parse_rewards"]


@pytest.mark.parametrize("body", BODIES)
@pytest.mark.parametrize("parser", PARSERS)
def test_contents__malformed__are_refused(parser, body):
    with pytest.raises(ValueError, match="malformed"):
        getattr(documents, parser)(body)


def test_sealed__as_published__is_read():
    line = {name: to_hex(keccak(name.encode())) for name in documents.SEALED_FIELDS}
    expected = SealedLeaf(*(keccak(name.encode()) for name in documents.SEALED_FIELDS))
    assert documents.parse_sealed(json.dumps({"leaves": [line]}).encode()) == (expected,)


def test_notebook__proof_planned__goes_on_after_a_restart_and_only_once(tmp_path):
    notebook = Notebook(tmp_path / "w.sqlite")
    assert notebook.plan(1, DEVICE, 5, SEED, b"calldata", RHO)
    assert not notebook.plan(1, DEVICE, 5, RHO, b"another salt", RHO)
    notebook.committed(SEED, 77)
    notebook.close()
    again = Notebook(tmp_path / "w.sqlite")
    (proof,) = again.unfinished()
    assert (proof.commit_hash, proof.block, proof.tries, proof.recorded) == (SEED, 77, 0, False)
    again.expired(SEED)
    (proof,) = again.unfinished()
    assert (proof.block, proof.tries) == (None, 1)
    again.recorded(SEED)
    assert again.unfinished()[0].recorded
    again.close_proof(SEED, "proven")
    assert again.unfinished() == []
    assert again.proven() == [(1, DEVICE, 5)]
    assert again.is_planned(1, DEVICE, 5)
    again.close()


def test_notebook__second_watcher_on_the_file__is_told(tmp_path):
    first = Notebook(tmp_path / "w.sqlite")
    with pytest.raises(WatcherError, match="another watcher"):
        Notebook(tmp_path / "w.sqlite")
    first.close()


def test_evidence__kept__lies_under_the_hash_of_its_bytes(tmp_path):
    fault = Fault(Kind.WRONG_ELEMENT, DEVICE, 5, "proveWrongElement", (), "element (0, 1, 2) is 3, not 4", SEAT)
    folder = EvidenceFolder(tmp_path / "evidence")
    digest = folder.keep(fault, b"calldata")
    assert folder.keep(fault, b"calldata") == digest
    body = (tmp_path / "evidence" / f"{to_hex(digest)}.json").read_bytes()
    assert keccak(body) == digest
    assert json.loads(body)["words"] == fault.words

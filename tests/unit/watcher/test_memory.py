"""What a watcher remembers, and what it keeps as evidence."""

from __future__ import annotations

import json

import pytest

from assay.protocol.hexadecimal import to_hex
from assay.protocol.keccak import keccak
from assay.watcher.errors import WatcherError
from assay.watcher.evidence import EvidenceFolder
from assay.watcher.faults import Fault, Kind
from assay.watcher.notebook import Notebook

SEED, RHO, DEVICE = (keccak(name) for name in (b"seed", b"rho", b"device"))
SEAT = "0x" + "11" * 20


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

"""What a watcher takes for a fault: only what a contract will find as well."""

from __future__ import annotations

import json

import pytest

from assay.proof.adversaries.skipped_rows import SkippedRows
from assay.proof.engines.registry import engine
from assay.proof.sampling import samples
from assay.proof.verification import Verifier
from assay.protocol.hexadecimal import to_hex
from assay.protocol.keccak import keccak
from assay.protocol.leaves import SealedLeaf
from assay.protocol.profile import Profile
from assay.protocol.seeds import device_seed
from assay.watcher.errors import WatcherError
from assay.watcher.findings import check_opening, find
from assay.watcher.notebook import Notebook
from assay.watcher.published import parse_index, parse_sealed

PROFILE = Profile(1, M=32, N=64, K=128, T=3, chunk=32, k=16, W=2)
SEED, RHO, DEVICE, NONCES = (keccak(name) for name in (b"seed", b"rho", b"device", b"nonces"))
ZERO = bytes(32)


def opened(prover) -> tuple[SealedLeaf, bytes]:
    prover.prepare(PROFILE, SEED)
    proof = prover.prove(device_seed(SEED, DEVICE, PROFILE.id, NONCES))
    leaf = SealedLeaf(DEVICE, PROFILE.job_hash(SEED), NONCES, proof.result_root, ZERO, ZERO, ZERO)
    return leaf, proof.open(samples(RHO, DEVICE, PROFILE))


@pytest.fixture(scope="module")
def verifier() -> Verifier:
    return Verifier(PROFILE, SEED, RHO, 1)


def test_find__honest_opening__no_fault(verifier):
    leaf, opening = opened(engine("reference"))
    verdict = check_opening(verifier, leaf, opening)
    assert verdict.valid
    assert find(verifier, 5, leaf, opening, verdict) is None


def test_find__device_skipped_rows__the_wrong_element_under_its_own_commitment(verifier):
    leaf, opening = opened(SkippedRows(0.5, threads=1))
    verdict = check_opening(verifier, leaf, opening)
    finding = find(verifier, 5, leaf, opening, verdict)
    assert finding is not None
    assert finding.element.claimed != finding.element.correct
    assert finding.commitment() == (5, leaf.job_hash, DEVICE, NONCES, leaf.result_root, ZERO, ZERO)


@pytest.mark.parametrize("at", [0, 40, 200, -1])
def test_find__somebody_sent_other_bytes_for_an_honest_device__no_fault(verifier, at):
    leaf, opening = opened(engine("reference"))
    changed = bytearray(opening)
    changed[at] ^= 1
    verdict = check_opening(verifier, leaf, bytes(changed))
    assert not verdict.valid
    assert find(verifier, 5, leaf, bytes(changed), verdict) is None


@pytest.mark.parametrize("opening", [b"", b"short", bytes(10)])
def test_find__opening_of_a_wrong_length__no_fault(verifier, opening):
    leaf, _ = opened(engine("reference"))
    verdict = check_opening(verifier, leaf, opening)
    assert not verdict.valid
    assert find(verifier, 5, leaf, opening, verdict) is None


def test_index__as_published__is_read():
    index = parse_index("http://a/", {"seal": to_hex(SEED), "openings": {to_hex(DEVICE): to_hex(RHO)}, "more": 1})
    assert (index.url, index.seal, index.openings) == ("http://a", SEED, {DEVICE: RHO})


@pytest.mark.parametrize("value", [None, [], {"openings": []}, {"seal": "0x12"}, {"openings": {"x": "y"}}, {"seal": 5}])
def test_index__malformed__is_refused(value):
    with pytest.raises(ValueError):
        parse_index("http://a", value)


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{}", b'{"leaves": 5}', b'{"leaves": [{}]}', b'{"leaves": [5]}', b"[" * 9999]
)
def test_sealed__malformed__is_refused(body):
    with pytest.raises(ValueError):
        parse_sealed(body)


def test_sealed__as_published__is_read():
    names = ("deviceId", "jobHash", "nonceRoot", "resultRoot", "laneRoot", "r", "vs")
    line = {name: to_hex(keccak(name.encode())) for name in names}
    assert parse_sealed(json.dumps({"leaves": [line]}).encode()) == (SealedLeaf(*(keccak(n.encode()) for n in names)),)


def test_notebook__proof_planned__goes_on_after_a_restart_and_only_once(tmp_path):
    notebook = Notebook(tmp_path / "w.sqlite")
    assert notebook.plan(1, DEVICE, 5, SEED, b"calldata")
    assert not notebook.plan(1, DEVICE, 5, RHO, b"another salt")
    notebook.committed(SEED, 77)
    notebook.close()
    again = Notebook(tmp_path / "w.sqlite")
    assert again.unfinished() == [(SEED, 1, DEVICE, 5, b"calldata", 77)]
    again.close_proof(SEED, "proven")
    assert again.unfinished() == []
    assert again.proven() == [(1, DEVICE, 5)]
    again.close()


def test_notebook__second_watcher_on_the_file__is_told(tmp_path):
    first = Notebook(tmp_path / "w.sqlite")
    with pytest.raises(WatcherError, match="another watcher"):
        Notebook(tmp_path / "w.sqlite")
    first.close()

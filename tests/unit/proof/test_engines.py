"""Engines against the worked values, and against each other."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest

from assay.proof.engines import engine
from assay.proof.openings import decode
from assay.protocol.profile import Profile

from .conftest import Vector, unhex

ENGINES = ["reference", "cpu"]


@pytest.mark.parametrize("name", ENGINES)
def test_prove__worked_values__every_byte_agrees(vector: Vector, name: str) -> None:
    profile, v = vector.profile, vector.values
    prover = engine(name)
    prover.prepare(profile, vector.bytes("epochSeed"))
    proof = prover.prove(vector.bytes("deviceSeed"))

    assert [seed.hex() for seed in proof.round_seeds] == [s.removeprefix("0x") for s in v["roundSeeds"]]
    assert [root.hex() for root in proof.round_roots] == [r.removeprefix("0x") for r in v["roundRoots"]]
    assert proof.result_root == vector.bytes("resultRoot")
    assert proof.rows.read([(0, 0)])[0, :4].tolist() == v["C0_0_first4"]

    sample = v["sample0"]
    opening = decode(prover.open(proof, vector.indices), profile, profile.k)
    assert vector.indices[0] == (sample["t"], sample["i"])
    assert opening.rows[0, :4].tolist() == sample["row_first4"]
    assert [node.tobytes() for node in opening.paths[0]] == [unhex(node) for node in sample["rowPath"]]
    assert proof.row_roots[sample["t"]][sample["i"]].tobytes() == unhex(sample["rowSubtreeRoot"])
    assert proof.result_tree.path(sample["t"]) == [unhex(node) for node in sample["roundPath"]]


@pytest.mark.parametrize("name", ENGINES[1:])
def test_prove__random_seeds_and_shapes__same_bytes_as_the_reference(name: str) -> None:
    rng = np.random.default_rng(4)
    for M, N, K, T, chunk in [
        (32, 64, 192, 3, 32),
        (1, 32, 64, 2, 32),
        (64, 128, 1088, 2, 64),
        (8, 512, 2048, 1, 256),
    ]:
        profile = Profile(9, M, N, K, T, chunk, 5, 1).validate()
        epoch_seed, device_seed = rng.bytes(32), rng.bytes(32)
        proofs = []
        for prover in (engine("reference"), engine(name)):
            prover.prepare(profile, epoch_seed)
            proofs.append(prover.prove(device_seed))
        assert proofs[0].result_root == proofs[1].result_root
        assert np.array_equal(proofs[0].row_roots, proofs[1].row_roots)
        assert np.array_equal(proofs[0].claimed_memory(), proofs[1].claimed_memory())
        everything = [(t, i) for t in range(T) for i in range(M)]
        assert proofs[0].open(everything) == proofs[1].open(everything)


def test_prove__before_prepare__says_what_is_missing() -> None:
    for name in ENGINES:
        with pytest.raises(RuntimeError, match="prepare"):
            engine(name).prove(bytes(32))


def test_prove__c_not_kept__same_bytes_opened_and_probed(monkeypatch: pytest.MonkeyPatch) -> None:
    from assay.proof.engines import cpu

    profile = Profile(9, 64, 64, 128, 5, 32, 5, 2).validate()
    everything = [(t, i) for t in range(5) for i in range(64)]
    proofs = []
    for keep in (True, None):
        if keep is None:
            monkeypatch.setattr(cpu, "may_keep_products", lambda *_: False)
        prover = cpu.CpuEngine(threads=3, keep=keep)
        prover.prepare(profile, bytes(32))
        proofs.append(prover.prove(bytes(32)))
    assert proofs[1].window is not None
    assert proofs[0].open(everything) == proofs[1].open(everything)
    assert np.array_equal(proofs[0].claimed_memory(), proofs[1].claimed_memory())


def test_prepare__too_little_memory__says_how_much_and_what_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    from assay.proof.engines import cpu
    from assay.proof.errors import NotEnoughMemory
    from assay.protocol.profile import NAMED

    monkeypatch.setattr(cpu, "available_memory", lambda: 300 << 20)
    with pytest.raises(NotEnoughMemory, match=r"needs .* MiB.* 300 MiB free: .* is entry"):
        cpu.CpuEngine(threads=1).prepare(NAMED["datacenter"], bytes(32))


def test_prove__a_part_fails__raises_and_leaves_no_threads() -> None:
    import threading

    from assay.proof.engines.pipeline import RoundPipeline

    def compute(t: int, seed: bytes, part: int) -> None:
        if (t, part) == (3, 1):
            raise OSError("lost")

    before = set(threading.enumerate())
    with pytest.raises(OSError, match="lost"):
        RoundPipeline(8, 3, 4, compute, lambda t: bytes(32)).run(bytes(32))
    assert set(threading.enumerate()) <= before


@pytest.mark.parametrize("threads", [1, 2, 3, 8])
def test_pipeline__any_number_of_threads__every_part_once_with_its_seed(threads: int) -> None:
    from assay.proof.engines.pipeline import RoundPipeline
    from assay.proof.seed_chain import derive_seeds
    from assay.protocol.keccak import keccak

    done: list[tuple[int, int, bytes]] = []
    pipeline = RoundPipeline(
        9, 3, threads, lambda t, seed, part: done.append((t, part, seed)), lambda t: keccak(bytes([t]))
    )
    seeds, roots = pipeline.run(bytes(32))
    assert roots == [keccak(bytes([t])) for t in range(9)]
    assert seeds == derive_seeds(bytes(32), roots)
    assert sorted(done) == [(t, part, seeds[t]) for t in range(9) for part in range(3)]


def test_import__without_the_compiler__says_which_variable_is_set() -> None:
    done = subprocess.run(
        [sys.executable, "-c", "import assay.proof.kernels"],
        env={**os.environ, "NUMBA_DISABLE_JIT": "1"},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode
    assert "EngineUnavailable: NUMBA_DISABLE_JIT is set" in done.stderr

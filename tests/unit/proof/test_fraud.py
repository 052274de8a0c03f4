"""Fraud proofs from openings: what they hold, and that honest devices give none."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from assay.proof import sampling
from assay.proof.adversaries.skipped_rows import SkippedRows
from assay.proof.engines import engine
from assay.proof.fraud import find_broken_chain, find_wrong_element
from assay.proof.generator import TAG_A, TAG_B, vector
from assay.proof.seed_chain import derive_seeds
from assay.protocol.keccak import keccak
from assay.protocol.merkle import root_from_path, round_leaf
from assay.protocol.profile import Profile

PROFILE = Profile(1, 32, 128, 1088, 5, 32, 12, 1).validate()
BETA, RHO, DEVICE, SEED = (bytes([n]) * 32 for n in (1, 2, 3, 4))
INDICES = sampling.samples(RHO, DEVICE, PROFILE)


def test_find_wrong_element__skipped_rows__paths_lead_to_the_commitment() -> None:
    cheat = SkippedRows(0.5, seed=1, threads=1)
    cheat.prepare(PROFILE, BETA)
    proof = cheat.prove(SEED)
    found = find_wrong_element(PROFILE, BETA, SEED, proof.open(INDICES), INDICES)
    assert found is not None

    leaf = round_leaf(found.round.t, found.round.seed, found.round.root)
    assert root_from_path(leaf, found.round.t, found.round.path) == proof.result_root
    assert len(found.round.path) == 3
    position = found.i * (PROFILE.N // PROFILE.chunk) + found.j // PROFILE.chunk
    assert len(found.chunk) == 4 * PROFILE.chunk
    assert root_from_path(keccak(found.chunk), position, found.path) == found.round.root
    claimed = int.from_bytes(found.chunk[4 * (found.j % 32) :][:4], "little", signed=True)
    a = vector(found.round.seed, TAG_A, found.i, PROFILE.K).astype(np.int64)
    b = vector(BETA, TAG_B, found.j, PROFILE.K).astype(np.int64)
    assert found.claimed == claimed == 0
    assert found.correct == int(a @ b) != 0


def test_find_wrong_element__honest_openings__none() -> None:
    for name in ("reference", "cpu"):
        prover = engine(name)
        prover.prepare(PROFILE, BETA)
        proof = prover.prove(SEED)
        assert find_wrong_element(PROFILE, BETA, SEED, proof.open(INDICES), INDICES) is None


def test_find_broken_chain__each_break__the_rounds_a_contract_needs() -> None:
    rng = np.random.default_rng(0)
    for rounds in (1, 2, 3, 5):
        roots = [rng.bytes(32) for _ in range(rounds)]
        honest = derive_seeds(SEED, roots)
        assert find_broken_chain(SEED, honest, roots) is None
        for broken in range(rounds):
            seeds = [*honest[:broken], rng.bytes(32), *honest[broken + 1 :]]
            found = find_broken_chain(SEED, seeds, roots)
            assert found is not None
            expected = {0: [0], 1: [0, 1]}.get(broken, [broken - 2, broken - 1, broken])
            assert [argument.t for argument in found.rounds] == expected
            assert found.rounds[-1].seed == seeds[broken]


def test_find_wrong_element__only_the_named_row__looked_at() -> None:
    cheat = SkippedRows(0.5, seed=1, threads=1)
    cheat.prepare(replace(PROFILE), BETA)
    proof = cheat.prove(SEED)
    opening = proof.open(INDICES)
    rows = proof.rows.read(INDICES)
    for index, row in zip(INDICES, rows, strict=True):
        found = find_wrong_element(PROFILE, BETA, SEED, opening, INDICES, row=index)
        assert (found is None) == bool(row.any())

"""The engine that reads like the protocol: NumPy and the protocol's own trees."""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from assay.proof.generator import TAG_A, TAG_B, matrix
from assay.proof.probe.result import ProbeResult, run_probe, walk_in_python
from assay.proof.proof import KeptRows, Proof
from assay.proof.seed_chain import seed_after
from assay.protocol.keccak import keccak
from assay.protocol.merkle import PositionalTree
from assay.protocol.profile import Profile
from assay.protocol.types import Seed


def exact_product(a: NDArray[np.int8], b: NDArray[np.int8]) -> NDArray[np.int32]:
    """A·Bᵀ of int8 (m, K) and (n, K), exact: a float64 holds every partial sum, which stays below 2^30 +
    1.
    """
    return (a.astype(np.float64) @ b.astype(np.float64).T).astype(np.int32)


class ReferenceEngine:
    """Slow and plain; what the other engines are compared with."""

    name = "reference"

    def __init__(self) -> None:
        self._job: tuple[Profile, Seed, NDArray[np.int8]] | None = None

    def prepare(self, profile: Profile, epoch_seed: Seed) -> None:
        profile.validate()
        self._job = (profile, epoch_seed, matrix(epoch_seed, TAG_B, profile.N, profile.K))

    def prove(self, device_seed: Seed) -> Proof:
        if self._job is None:
            raise RuntimeError("prepare(profile, epoch_seed) comes before prove")
        profile, epoch_seed, b = self._job
        started = time.perf_counter_ns()
        products = np.empty((profile.T, profile.M, profile.N), np.int32)
        row_roots = np.empty((profile.T, profile.M, 32), np.uint8)
        seeds: list[bytes] = [device_seed]
        roots: list[bytes] = []
        for t in range(profile.T):
            products[t] = exact_product(matrix(seeds[t], TAG_A, profile.M, profile.K), b)
            for i, row in enumerate(products[t]):
                chunks = row.astype("<i4").reshape(-1, profile.chunk)
                subtree = PositionalTree([keccak(chunk.tobytes()) for chunk in chunks])
                row_roots[t, i] = np.frombuffer(subtree.root, np.uint8)
            roots.append(PositionalTree([root.tobytes() for root in row_roots[t]]).root)
            if t + 1 < profile.T:
                seeds.append(seed_after(seeds, roots))
        elapsed_us = (time.perf_counter_ns() - started) // 1000
        return Proof(
            profile, epoch_seed, device_seed, tuple(seeds), tuple(roots), row_roots, KeptRows(products),
            elapsed_us, self.name,
        )  # fmt: skip

    def open(self, proof: Proof, indices: Sequence[tuple[int, int]]) -> bytes:
        return proof.open(indices)

    def probe(self, proof: Proof, challenge: bytes) -> ProbeResult:
        return run_probe(proof, challenge, walk_in_python)

"""A prover that multiplies only some of the rows and commits to zeros in place of the others."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from assay.proof.commitment import commit_products
from assay.proof.engines.cpu import CpuEngine
from assay.proof.probe.result import ProbeResult, run_probe, walk_on_threads
from assay.proof.proof import Proof
from assay.proof.threads import Threads
from assay.protocol.profile import Profile
from assay.protocol.types import Seed


class SkippedRows:
    """An engine that skips a fraction of the rows of every round.

    Args:
        fraction: of the M rows of a round, rounded to whole rows.
        seed: of the choice of rows.
        threads: processor threads.
    """

    name = "skipped-rows"

    def __init__(self, fraction: float, seed: int = 0, threads: int | None = None) -> None:
        if not 0 <= fraction <= 1:
            raise ValueError(f"fraction {fraction}: must be from 0 to 1")
        self._fraction = fraction
        self._random = np.random.default_rng(seed)
        self._threads = Threads(threads)
        self._honest = CpuEngine(threads)
        self._job: tuple[Profile, Seed] | None = None

    def prepare(self, profile: Profile, epoch_seed: Seed) -> None:
        self._honest.prepare(profile, epoch_seed)
        self._job = (profile, epoch_seed)

    def prove(self, device_seed: Seed) -> Proof:
        profile, epoch_seed = self._prepared()
        return commit_products(profile, epoch_seed, device_seed, self._multiply, self.name, self._threads)

    def open(self, proof: Proof, indices: Sequence[tuple[int, int]]) -> bytes:
        return proof.open(indices)

    def probe(self, proof: Proof, challenge: bytes) -> ProbeResult:
        return run_probe(proof, challenge, walk_on_threads(self._threads))

    def _prepared(self) -> tuple[Profile, Seed]:
        if self._job is None:
            raise RuntimeError("prepare(profile, epoch_seed) comes before prove")
        return self._job

    def _multiply(self, t: int, round_seed: bytes) -> NDArray[np.int32]:
        profile, _ = self._prepared()
        skipped = self._random.permutation(profile.M)[: round(self._fraction * profile.M)]
        computed = np.setdiff1d(np.arange(profile.M), skipped)
        product = np.zeros((profile.M, profile.N), np.int32)
        if len(computed):
            product[computed] = self._honest.rows(round_seed, [int(i) for i in computed])
        return product

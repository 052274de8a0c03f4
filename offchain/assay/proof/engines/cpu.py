"""The engine for processors: Numba kernels on all threads."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from assay.proof.commitment import commit_products
from assay.proof.generator import TAG_A, vector
from assay.proof.kernels import generator
from assay.proof.kernels.product import blocked_product
from assay.proof.kernels.words import seed_words
from assay.proof.proof import Proof
from assay.proof.statement import Statement
from assay.proof.threads import Threads
from assay.protocol.profile import Profile


class CpuEngine:
    """Generation, product and hashing in compiled code."""

    name = "cpu"

    def __init__(self, threads: int | None = None) -> None:
        self._threads = Threads(threads)
        self._job: tuple[Profile, bytes, NDArray[np.int8]] | None = None

    def prepare(self, profile: Profile, epoch_seed: bytes) -> None:
        profile.validate()
        self._job = (profile, epoch_seed, self._generate(epoch_seed, generator.TAG_B, profile.N, profile.K))

    def prove(self, device_seed: bytes) -> Proof:
        profile, epoch_seed, b = self._prepared()

        def multiply(t: int, round_seed: bytes) -> NDArray[np.int32]:
            return blocked_product(self._generate(round_seed, generator.TAG_A, profile.M, profile.K), b)

        return commit_products(profile, epoch_seed, device_seed, multiply, self.name, self._threads)

    def open(self, proof: Proof, indices: Sequence[tuple[int, int]]) -> bytes:
        return proof.open(indices)

    def rows(self, round_seed: bytes, wanted: Sequence[int]) -> NDArray[np.int32]:
        """Some rows of the product of one round, multiplied anew: int32 (len(wanted), N)."""
        profile, _, b = self._prepared()
        return blocked_product(np.stack([vector(round_seed, TAG_A, i, profile.K) for i in wanted]), b)

    def multiplier(self, statement: Statement) -> Callable[[bytes, list[int]], NDArray[np.int32]]:
        """What multiplies rows of a job again: (round seed, rows i) -> int32 (n, N)."""
        self.prepare(statement.profile, statement.epoch_seed)
        return self.rows

    def _prepared(self) -> tuple[Profile, bytes, NDArray[np.int8]]:
        if self._job is None:
            raise RuntimeError("prepare(profile, epoch_seed) comes before prove")
        return self._job

    def _generate(self, seed: bytes, tag: int, rows: int, length: int) -> NDArray[np.int8]:
        out = np.empty((rows, length // 4), np.uint32)
        words = seed_words(seed)
        self._threads.over(
            rows, lambda first, end: generator.fill_rows(words, tag, first, out[first:end], True), align=4
        )
        return out.view(np.int8)

"""The engine for processors: Numba kernels on all threads."""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from assay.proof.kernels import generator, keccak
from assay.proof.kernels.product import blocked_product
from assay.proof.kernels.words import as_bytes, seed_words
from assay.proof.proof import KeptRows, Proof
from assay.proof.seed_chain import seed_after
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
        if self._job is None:
            raise RuntimeError("prepare(profile, epoch_seed) comes before prove")
        profile, epoch_seed, b = self._job
        started = time.perf_counter_ns()
        products = np.empty((profile.T, profile.M, profile.N), np.int32)
        row_roots = np.empty((profile.T, profile.M, 4), np.uint64)
        seeds, roots = [device_seed], [b""] * 0
        for t in range(profile.T):
            products[t] = blocked_product(self._generate(seeds[t], generator.TAG_A, profile.M, profile.K), b)
            self._hash(products[t], profile.chunk, row_roots[t])
            root = np.empty(4, np.uint64)
            keccak.tree_root(row_roots[t], root)
            roots.append(as_bytes(root))
            if t + 1 < profile.T:
                seeds.append(seed_after(seeds, roots))
        elapsed_us = (time.perf_counter_ns() - started) // 1000
        kept = products[profile.T - profile.W :].astype(np.uint16)
        return Proof(
            profile, epoch_seed, device_seed, tuple(seeds), tuple(roots), row_roots.view(np.uint8),
            KeptRows(products), elapsed_us, self.name, kept,
        )  # fmt: skip

    def open(self, proof: Proof, indices: Sequence[tuple[int, int]]) -> bytes:
        return proof.open(indices)

    def _generate(self, seed: bytes, tag: int, rows: int, length: int) -> NDArray[np.int8]:
        out = np.empty((rows, length // 4), np.uint32)
        words = seed_words(seed)
        self._threads.over(
            rows, lambda first, end: generator.fill_rows(words, tag, first, out[first:end], True), align=4
        )
        return out.view(np.int8)

    def _hash(self, product: NDArray[np.int32], chunk: int, out: NDArray[np.uint64]) -> None:
        words = product.view(np.uint64)
        self._threads.over(
            len(words), lambda first, end: keccak.row_roots(words[first:end], chunk, out[first:end]), align=8
        )

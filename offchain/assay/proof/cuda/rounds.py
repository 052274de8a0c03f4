"""All rounds of one proof on a card.

Everything of a round runs there: keys, A, product, leaves, trees, the next seed. Two streams and two buffers for C let
round t be hashed while round t + 1 is multiplied; the host only queues.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from assay.proof.cuda import plain_kernels
from assay.proof.cuda.health import Health
from assay.proof.cuda.products import THREADS, Product, blocks, generate
from assay.proof.cuda.runtime import cuda, free_memory
from assay.proof.kernels.generator import TAG_A
from assay.proof.kernels.words import as_bytes, seed_words
from assay.proof.probe import layout
from assay.protocol.profile import Profile

_CHECK_EVERY = 64  # rounds between looks at the card's health
_SPARE = 1 << 29  # bytes left free beside the window


def vector_memory(profile: Profile, rows: int) -> int:
    """Bytes of so many generated vectors with their keys."""
    return rows * (profile.K + 128)


def run_memory(profile: Profile) -> int:
    """Bytes that a proof takes on the card beside B: A, two products, leaves, roots of all rows."""
    p = profile
    roots = 32 * p.T * (p.M + 2) + 32 * p.M * p.N // p.chunk + 64 * p.M
    return vector_memory(p, p.M) + 8 * p.M * p.N + roots + (1 << 24)


class ProofRun:
    """Buffers and queues of one proof."""

    def __init__(self, profile: Profile, b: Any, product: Product, health: Health) -> None:
        self.profile, self._b, self._product, self._health = profile, b, product, health
        p = profile
        self._chunks = p.M * p.N // p.chunk
        self._indices = cuda.to_device(np.arange(p.M, dtype=np.uint32))
        self._keys = cuda.device_array((p.M, 2, 16), np.uint32)
        self._a = cuda.device_array((p.M, p.K // 4), np.uint32)
        self._products = [cuda.device_array((p.M, p.N), np.int32) for _ in range(2)]
        self._words = [array.reshape(p.M * p.N).view(np.uint64) for array in self._products]
        self._leaves = cuda.device_array((self._chunks, 4), np.uint64)
        self._scratch = cuda.device_array((2, p.M, 4), np.uint64)
        self._row_roots = cuda.device_array((p.T, p.M, 4), np.uint64)
        self._roots = cuda.to_device(np.zeros((p.T, 4), np.uint64))
        window = layout.claimed_bytes(p)
        fits = window > 0 and window + _SPARE <= free_memory()
        self.window = cuda.device_array(window // 8, np.uint64) if fits else None
        self._compute, self._hashing = cuda.stream(), cuda.stream()

    def rounds(self, device_seed: bytes) -> tuple[tuple[bytes, ...], tuple[bytes, ...], NDArray[np.uint8]]:
        """Seeds, roots and roots of rows of all rounds."""
        p = self.profile
        first = np.zeros((p.T, 4), np.uint64)
        first[0] = seed_words(device_seed)
        seeds = cuda.to_device(first)
        cuda.synchronize()
        multiplied = [cuda.event() for _ in range(2)]
        hashed = [cuda.event() for _ in range(2)]
        for t in range(p.T):
            if t >= 2:
                # The seed needs the root of round t - 2, and its buffer of C is filled anew.
                hashed[t % 2].wait(self._compute)
            self._multiply(t, seeds)
            multiplied[t % 2].record(self._compute)
            multiplied[t % 2].wait(self._hashing)
            self._hash(t)
            hashed[t % 2].record(self._hashing)
            if t % _CHECK_EVERY == _CHECK_EVERY - 1:
                self._compute.synchronize()
                self._health.check()
        cuda.synchronize()
        self._health.check()
        found_seeds, found_roots = seeds.copy_to_host(), self._roots.copy_to_host()
        row_roots = np.ascontiguousarray(self._row_roots.copy_to_host()).view(np.uint8)
        return tuple(map(as_bytes, found_seeds)), tuple(map(as_bytes, found_roots)), row_roots

    def _multiply(self, t: int, seeds: Any) -> None:
        stream = self._compute
        if t:
            plain_kernels.chain_seed[1, 1, stream](seeds, self._roots, t)
        generate(seeds, t, TAG_A, self._indices, self._keys, self._a, stream)
        self._product(self._a, self._b, self._products[t % 2], stream)

    def _hash(self, t: int) -> None:
        p, stream = self.profile, self._hashing
        k, words = plain_kernels, self._words[t % 2]
        k.hash_chunks[blocks(self._chunks), THREADS, stream](words, p.chunk // 2, self._leaves)
        k.reduce_rows[blocks(p.M), THREADS, stream](self._leaves, p.N // p.chunk, self._row_roots, t)
        k.reduce_round[1, k.TREE_THREADS, stream](self._row_roots, t, self._scratch, self._roots)
        w = t - (p.T - p.W)
        if self.window is not None and w >= 0:
            quarter = p.M * p.N // 4
            k.keep_window[blocks(quarter), THREADS, stream](words, self.window, w * quarter)

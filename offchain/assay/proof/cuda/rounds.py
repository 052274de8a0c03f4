"""All rounds of one proof on a card.

Everything of a round runs there: keys, A, product, leaves, trees, the next seed. Three streams and two buffers each for
A and C: round t + 1 is generated and round t - 1 hashed while round t is multiplied; the host only queues.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from assay.proof.cuda import plain_kernels
from assay.proof.cuda.health import Health
from assay.proof.cuda.products import THREADS, Product, blocks, generate
from assay.proof.cuda.runtime import cuda
from assay.proof.kernels.generator import TAG_A
from assay.proof.kernels.words import as_bytes, seed_words
from assay.protocol.profile import Profile

_CHECK_EVERY = 64  # rounds between looks at the card's health


class ProofRun:
    """Buffers and queues of proofs under one epoch seed, one proof after another."""

    def __init__(self, profile: Profile, b: Any, product: Product, health: Health) -> None:
        self.profile, self._b, self._product, self._health = profile, b, product, health
        p = profile
        self._chunks = p.M * p.N // p.chunk
        self._indices = cuda.to_device(np.arange(p.M, dtype=np.uint32))
        self._keys = cuda.device_array((p.M, 2, 16), np.uint32)
        self._a = [cuda.device_array((p.M, p.K // 4), np.uint32) for _ in range(2)]
        self._products = [cuda.device_array((p.M, p.N), np.int32) for _ in range(2)]
        self._words = [array.reshape(p.M * p.N).view(np.uint64) for array in self._products]
        self._leaves = cuda.device_array((self._chunks, 4), np.uint64)
        self._scratch = cuda.device_array((2, p.M, 4), np.uint64)
        self._generating, self._compute, self._hashing = (cuda.stream() for _ in range(3))

    def rounds(self, device_seed: bytes, window: Any = None) -> tuple[tuple[bytes, ...], tuple[bytes, ...], Any]:
        """Seeds and roots of all rounds; roots of rows, uint64[T, M, 4] on the card.

        The last W rounds modulo 2^16 go to `window`, uint64[W·M·N/4] on the card, where there is one.
        """
        p = self.profile
        row_roots = cuda.device_array((p.T, p.M, 4), np.uint64)
        roots = cuda.to_device(np.zeros((p.T, 4), np.uint64))
        first = np.zeros((p.T, 4), np.uint64)
        first[0] = seed_words(device_seed)
        seeds = cuda.to_device(first)
        cuda.synchronize()
        generated, multiplied, hashed = ([cuda.event() for _ in range(2)] for _ in range(3))
        for t in range(p.T):
            turn = t % 2
            if t >= 2:
                # The seed needs the root of round t - 2; after that hash the buffers of A and of C are free too.
                hashed[turn].wait(self._generating)
            if t:
                plain_kernels.chain_seed[1, 1, self._generating](seeds, roots, t)
            generate(seeds, t, TAG_A, self._indices, self._keys, self._a[turn], self._generating)
            generated[turn].record(self._generating)
            generated[turn].wait(self._compute)
            self._product(self._a[turn], self._b, self._products[turn], self._compute)
            multiplied[turn].record(self._compute)
            multiplied[turn].wait(self._hashing)
            self._hash(t, row_roots, roots, window)
            hashed[turn].record(self._hashing)
            if t % _CHECK_EVERY == _CHECK_EVERY - 1:
                self._compute.synchronize()
                self._health.check()
        cuda.synchronize()
        self._health.check()
        found_seeds, found_roots = seeds.copy_to_host(), roots.copy_to_host()
        return tuple(map(as_bytes, found_seeds)), tuple(map(as_bytes, found_roots)), row_roots

    def _hash(self, t: int, row_roots: Any, roots: Any, window: Any) -> None:
        p, stream = self.profile, self._hashing
        k, words = plain_kernels, self._words[t % 2]
        k.hash_chunks[blocks(self._chunks), THREADS, stream](words, p.chunk // 2, self._leaves)
        k.reduce_rows[blocks(p.M), THREADS, stream](self._leaves, p.N // p.chunk, row_roots, t)
        k.reduce_round[1, k.TREE_THREADS, stream](row_roots, t, self._scratch, roots)
        w = t - (p.T - p.W)
        if window is not None and w >= 0:
            quarter = p.M * p.N // 4
            k.keep_window[blocks(quarter), THREADS, stream](words, window, w * quarter)

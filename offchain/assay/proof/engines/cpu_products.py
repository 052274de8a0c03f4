"""Two ways to multiply on a processor: byte-product instructions where there
are any, float32 BLAS elsewhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from assay.proof.engines.memory import available_memory
from assay.proof.kernels import generator, tiled_product
from assay.proof.kernels.byte_products import TILE_COLUMNS, TILE_ROWS, has_vnni
from assay.proof.kernels.product import EXACT_BLOCK, add_integers, widen
from assay.proof.kernels.words import seed_words
from assay.proof.threads import Threads
from assay.protocol.profile import Profile
from assay.protocol.types import Seed


class Product(Protocol):
    """B of one epoch, ready to be multiplied."""

    def multiply(self, round_seed: bytes, rows: Sequence[int], out: NDArray[np.int32]) -> None:
        """Rows i of A_t·Bᵀ into int32 (len(rows), N)."""
        ...


class TiledProduct:
    """Generation of A fused with an integer product (see `kernels.tiled_product`); B packed, N·K bytes."""

    def __init__(self, profile: Profile, epoch_seed: Seed, threads: Threads) -> None:
        self._length = profile.K
        self._packed = np.empty(profile.N * profile.K // 4, np.uint32)
        self._bias = np.empty(profile.N, np.int32)
        seed = seed_words(epoch_seed)

        def pack(first: int, end: int) -> None:
            tiled_product.pack_columns(seed, first, end - first, profile.K, self._packed, self._bias)

        threads.over(profile.N, pack, align=TILE_COLUMNS)

    def multiply(self, round_seed: bytes, rows: Sequence[int], out: NDArray[np.int32]) -> None:
        missing = -len(rows) % TILE_ROWS
        if missing:
            # Tiles are of eight rows: the last row fills up, into a buffer that is thrown away.
            filled = np.empty((len(rows) + missing, out.shape[1]), np.int32)
            self.multiply(round_seed, [*rows, *[rows[-1]] * missing], filled)
            out[:] = filled[: len(rows)]
            return
        indices = np.asarray(rows, dtype=np.int64)
        tiled_product.multiply_rows(seed_words(round_seed), indices, self._length, self._packed, self._bias, out)


class BlasProduct:
    """Exact float32 products on blocks of K (see `kernels.product`).

    B is held as float32 blocks where they take at most a quarter of the free memory, as int8 elsewhere.
    """

    def __init__(self, profile: Profile, epoch_seed: Seed, threads: Threads) -> None:
        words = np.empty((profile.N, profile.K // 4), np.uint32)
        seed = seed_words(epoch_seed)
        threads.over(
            profile.N,
            lambda first, end: generator.fill_rows(seed, generator.TAG_B, first, words[first:end], True),
            align=4,
        )
        b: NDArray[np.int8] = words.view(np.int8)
        self._b = b
        self._starts = range(0, profile.K, EXACT_BLOCK)
        fits = 4 * b.nbytes * 4 <= available_memory()
        self._wide = [self._widened(b, at) for at in self._starts] if fits else None

    def multiply(self, round_seed: bytes, rows: Sequence[int], out: NDArray[np.int32]) -> None:
        words = np.empty((len(rows), self._b.shape[1] // 4), np.uint32)
        generator.fill_chosen(seed_words(round_seed), generator.TAG_A, np.asarray(rows, dtype=np.int64), words)
        a: NDArray[np.int8] = words.view(np.int8)
        partial = np.empty(out.shape, np.float32)
        out[:] = 0
        for n, at in enumerate(self._starts):
            right = self._wide[n] if self._wide is not None else self._widened(self._b, at)
            np.matmul(self._widened(a, at), right.T, out=partial)
            add_integers(partial, out)

    @staticmethod
    def _widened(entries: NDArray[np.int8], at: int) -> NDArray[np.float32]:
        """Columns of one block as float32."""
        block = entries[:, at : at + EXACT_BLOCK]
        out = np.empty(block.shape, np.float32)
        widen(block, out)
        return out


def product_of(profile: Profile, epoch_seed: Seed, threads: Threads) -> Product:
    """The faster of the two on this processor."""
    kind = TiledProduct if has_vnni() else BlasProduct
    return kind(profile, epoch_seed, threads)

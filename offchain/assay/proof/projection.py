"""The two projections of verification, by the fastest kernels that this processor has."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from assay.proof.kernels import generator, limb_projection, projection
from assay.proof.kernels.byte_products import LIMBS, has_vnni
from assay.proof.kernels.words import seed_words
from assay.proof.threads import Threads
from assay.protocol.keccak import keccak
from assay.protocol.types import Rho, Seed

P = int(projection.P)


def projection_vector(rho: Rho, columns: int) -> NDArray[np.uint64]:
    """r_j = ((H(ρ ‖ "r" ‖ u32(j div 4)) >> 64·(j mod 4)) mod 2^64) mod p, for j < columns: uint64."""
    blocks = [keccak(rho + b"r" + q.to_bytes(4, "big")) for q in range(-(-columns // 4))]
    lanes = np.frombuffer(b"".join(blocks), dtype=">u8").reshape(-1, 4)[:, ::-1]
    return lanes.reshape(-1)[:columns].astype(np.uint64) % projection.P


class Projection(Protocol):
    """v = Bᵀ·r of one epoch seed, K and ρ."""

    v: NDArray[np.uint64]  # (K,)

    def first_wrong_row(
        self,
        seeds: NDArray[np.uint64],
        rounds: NDArray[np.int64],
        indices: NDArray[np.int64],
        rows: NDArray[np.int32],
    ) -> int:
        """The first of the rows (n, N) whose product with r is not that of its row of A with v, or -1."""
        ...


class HalvesProjection:
    """Sums of 64 bits; runs anywhere."""

    def __init__(self, epoch_seed: Seed, r: NDArray[np.uint64], length: int, threads: Threads) -> None:
        self.v = np.empty(length, np.uint64)
        seed, block = seed_words(epoch_seed), 2_048

        def task(first: int, end: int) -> None:
            for at in range(first, end, block):
                size = min(block, end - at)
                low, high = np.empty(size, np.int64), np.empty(size, np.int64)
                projection.project_matrix(seed, generator.TAG_B, len(r), r, at // 32, low, high)
                projection.combine_all(low, high, self.v[at : at + size])

        threads.over(length, task, align=64)
        self._r = _limbs(r)
        self._low, self._high = np.empty(length, np.int64), np.empty(length, np.int64)
        projection.split_halves(self.v, self._low, self._high)

    def first_wrong_row(
        self,
        seeds: NDArray[np.uint64],
        rounds: NDArray[np.int64],
        indices: NDArray[np.int64],
        rows: NDArray[np.int32],
    ) -> int:
        wrong = projection.first_wrong_row(seeds, rounds, indices, rows, self._low, self._high, self._r)
        return int(wrong)


class LimbProjection:
    """Byte-product instructions: eight dot products of bytes in place of one of 61 bits."""

    def __init__(self, epoch_seed: Seed, r: NDArray[np.uint64], length: int, threads: Threads) -> None:
        rows = -(-len(r) // 4) * 4
        factors = np.zeros(rows, np.uint64)
        factors[: len(r)] = r
        limbs = np.empty((rows // 4, LIMBS, 4), np.int8)
        limb_projection.split_signed(factors, limbs)
        keys = np.empty((rows, 2, 16), np.uint32)
        seed = seed_words(epoch_seed)
        threads.over(
            rows,
            lambda first, end: generator.lane_keys(seed, generator.TAG_B, first, keys[first:end]),
            align=4,
        )
        correction = np.uint64(128 * sum(int(factor) for factor in r) % P)
        self.v = np.empty(length, np.uint64)
        threads.over(
            length,
            lambda first, end: limb_projection.project_matrix(keys, limbs, correction, first // 32, self.v[first:end]),
            align=64,
        )
        self._planes = np.empty((LIMBS, length), np.uint8)
        limb_projection.split_planes(self.v, self._planes)
        self._r = _limbs(r)

    def first_wrong_row(
        self,
        seeds: NDArray[np.uint64],
        rounds: NDArray[np.int64],
        indices: NDArray[np.int64],
        rows: NDArray[np.int32],
    ) -> int:
        return int(limb_projection.first_wrong_row(seeds, rounds, indices, rows, self._planes, self._r))


def project(epoch_seed: Seed, r: NDArray[np.uint64], length: int, threads: Threads) -> Projection:
    """v_k = Σ_j B[j][k]·r_j mod p for k < length."""
    kind = LimbProjection if has_vnni() else HalvesProjection
    return kind(epoch_seed, r, length, threads)


def _limbs(r: NDArray[np.uint64]) -> NDArray[np.int64]:
    out = np.empty((3, len(r)), np.int64)
    projection.split_limbs(r, out)
    return out

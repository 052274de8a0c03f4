"""Rows' subtrees and the trees above them, as NumPy arrays of bytes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from assay.proof.kernels import keccak


def subtree_roots(rows: NDArray[np.int32], chunk: int) -> NDArray[np.uint8]:
    """Roots of rows' subtrees: int32 (n, N) to uint8 (n, 32)."""
    words = np.ascontiguousarray(rows, dtype="<i4").view("<u8")
    out = np.empty((len(rows), 4), np.uint64)
    keccak.row_roots(words, chunk, out)
    return out.view(np.uint8)


def tree_levels(leaves: NDArray[np.uint8]) -> list[NDArray[np.uint8]]:
    """All levels over a power of two of leaves, leaves first: arrays uint8 (n,
    32), (n/2, 32), ..., (1, 32).
    """
    levels = [np.ascontiguousarray(leaves)]
    while len(levels[-1]) > 1:
        out = np.empty((len(levels[-1]) // 2, 4), np.uint64)
        keccak.reduce_level(levels[-1].view(np.uint64), out)
        levels.append(out.view(np.uint8))
    return levels


def row_paths(leaves: NDArray[np.uint8], positions: Sequence[int]) -> NDArray[np.uint8]:
    """Siblings of some leaves, bottom-up: uint8 (len(positions), log2(n), 32)."""
    levels = tree_levels(leaves)
    paths = np.empty((len(positions), len(levels) - 1, 32), np.uint8)
    for place, position in enumerate(positions):
        for d, level in enumerate(levels[:-1]):
            paths[place, d] = level[(position >> d) ^ 1]
    return paths

"""Walks from rows up to their rounds' roots, eight rows at a time."""

from __future__ import annotations

import numpy as np
from numba import njit

from assay.proof.kernels.keccak import hash_rows


@njit(cache=True, nogil=True)
def first_foreign_row(subtrees, paths, rounds, indices, roots):  # type: ignore[no-untyped-def]
    """The first row whose path does not lead to its round's root, or -1.

    Args:
        subtrees: uint64[n, 4], roots of the rows' subtrees.
        paths: uint64[n, depth, 4], siblings bottom-up.
        rounds, indices: int64[n], (t, i) of each row.
        roots: uint64[T, 4].
    """
    count, depth = paths.shape[0], paths.shape[1]
    current = subtrees.copy()
    pairs = np.empty((count, 8), np.uint64)
    for d in range(depth):
        for n in range(count):
            right = (indices[n] >> d) & 1
            for word in range(4):
                pairs[n, 4 * right + word] = current[n, word]
                pairs[n, 4 * (1 - right) + word] = paths[n, d, word]
        hash_rows(pairs, current)
    for n in range(count):
        for word in range(4):
            if current[n, word] != roots[rounds[n], word]:
                return n
    return -1

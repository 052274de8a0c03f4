"""Exact products of int8 matrices through float32 BLAS, for processors without byte products."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

# 1,024 products of at most 2^14 stay at or below 2^24, up to which a float32 holds every integer.
EXACT_BLOCK = 1_024


@njit(cache=True, nogil=True)
def widen(entries, out):  # type: ignore[no-untyped-def]
    """int8 (n, K) to float32 of the same shape."""
    for i in range(entries.shape[0]):
        for k in range(entries.shape[1]):
            out[i, k] = np.float32(entries[i, k])


@njit(cache=True, nogil=True)
def add_integers(partial, total):  # type: ignore[no-untyped-def]
    """Adds float32 that hold integers to int32."""
    for i in range(partial.shape[0]):
        for j in range(partial.shape[1]):
            total[i, j] += np.int32(partial[i, j])


def blocked_product(a: NDArray[np.int8], b: NDArray[np.int8]) -> NDArray[np.int32]:
    """A·Bᵀ of int8 (m, K) and (n, K) as int32 (m, n), exact for every input and any K up to 65,536."""
    total = np.zeros((len(a), len(b)), np.int32)
    length = a.shape[1]
    partial = np.empty(total.shape, np.float32)
    for at in range(0, length, EXACT_BLOCK):
        end = min(at + EXACT_BLOCK, length)
        np.matmul(a[:, at:end].astype(np.float32), b[:, at:end].astype(np.float32).T, out=partial)
        add_integers(partial, total)
    return total

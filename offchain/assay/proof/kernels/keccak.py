"""keccak256 in Numba: one message, or many of equal length eight at a time."""

from __future__ import annotations

import numpy as np
from numba import njit

from assay.proof.kernels.permutation import permute1, permute8

RATE_WORDS = 17
_LAST_BIT = np.uint64(1 << 63)
_FIRST_PAD = np.uint64(1)


@njit(cache=True, nogil=True)
def hash_words(message, out):  # type: ignore[no-untyped-def]
    """keccak256 of one message of whole 8-byte words.

    Args:
        message: uint64[n], little-endian words.
        out: uint64[4], written.
    """
    state = np.zeros(25, np.uint64)
    at = 0
    for word in message:
        state[at] ^= word
        at += 1
        if at == RATE_WORDS:
            permute1(state)
            at = 0
    state[at] ^= _FIRST_PAD
    state[RATE_WORDS - 1] ^= _LAST_BIT
    permute1(state)
    out[:] = state[:4]


@njit(cache=True, nogil=True)
def hash_rows(messages, out):  # type: ignore[no-untyped-def]
    """keccak256 of each row.

    Args:
        messages: uint64[n, words], little-endian words of n messages of 8·words bytes.
        out: uint64[n, 4], written; may not overlap the messages.
    """
    count, words = messages.shape
    state = np.empty(200, np.uint64)
    for first in range(0, count, 8):
        state[:] = 0
        at = 0
        # Lanes beyond the last message repeat it: branch-free, and their result is dropped.
        last = min(first + 7, count - 1)
        for word in range(words):
            for lane in range(8):
                state[8 * at + lane] ^= messages[min(first + lane, last), word]
            at += 1
            if at == RATE_WORDS:
                permute8(state)
                at = 0
        for lane in range(8):
            state[8 * at + lane] ^= _FIRST_PAD
            state[8 * (RATE_WORDS - 1) + lane] ^= _LAST_BIT
        permute8(state)
        for lane in range(last - first + 1):
            for word in range(4):
                out[first + lane, word] = state[8 * word + lane]


@njit(cache=True, nogil=True)
def reduce_level(nodes, out):  # type: ignore[no-untyped-def]
    """Parents of one level of a tree: uint64[2n, 4] into uint64[n, 4]."""
    hash_rows(nodes.reshape(nodes.shape[0] // 2, 8), out)


@njit(cache=True, nogil=True)
def tree_root(leaves, out):  # type: ignore[no-untyped-def]
    """Root over a power of two of leaves: uint64[n, 4] into uint64[4]."""
    level = leaves
    while level.shape[0] > 1:
        above = np.empty((level.shape[0] // 2, 4), np.uint64)
        reduce_level(level, above)
        level = above
    out[:] = level[0]


@njit(cache=True, nogil=True)
def row_roots(rows, chunk, out):  # type: ignore[no-untyped-def]
    """Roots of rows' subtrees.

    Args:
        rows: uint64[n, N/2], the rows' int32 as they lie in memory (little-endian).
        chunk: int32 in a leaf.
        out: uint64[n, 4], written.
    """
    count, words = rows.shape
    per_row = 2 * words // chunk
    leaves = np.empty((count * per_row, 4), np.uint64)
    hash_rows(rows.reshape(count * per_row, chunk // 2), leaves)
    # All rows have a power of two of leaves: reducing them side by side never mixes two rows.
    level = leaves
    while level.shape[0] > count:
        above = np.empty((level.shape[0] // 2, 4), np.uint64)
        reduce_level(level, above)
        level = above
    out[:] = level

"""The chain of round seeds and the result root in Numba: a profile of thousands of
rounds is chained in milliseconds.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from assay.proof.kernels.keccak import hash_rows, hash_words, tree_root


@njit(cache=True, nogil=True)
def derive(device_seed, roots, seeds, result_root):  # type: ignore[no-untyped-def]
    """All round seeds and the result root that follow from s_0 and the round roots.

    Args:
        device_seed: uint64[4].
        roots: uint64[T, 4].
        seeds: uint64[T, 4], written.
        result_root: uint64[4], written.
    """
    rounds = roots.shape[0]
    message = np.zeros(8, np.uint64)
    seeds[0] = device_seed
    for t in range(1, rounds):
        message[:4] = seeds[t - 1]
        if t >= 2:
            message[4:] = roots[t - 2]
        hash_words(message, seeds[t])
    width = 1
    while width < rounds:
        width *= 2
    messages = np.zeros((rounds, 12), np.uint64)
    for t in range(rounds):
        # u256(t), big-endian: t in the last four of 32 bytes.
        big = np.uint64(0)
        for byte in range(4):
            big |= ((np.uint64(t) >> np.uint64(8 * byte)) & np.uint64(0xFF)) << np.uint64(56 - 8 * byte)
        messages[t, 3] = big
        messages[t, 4:8] = seeds[t]
        messages[t, 8:12] = roots[t]
    leaves = np.zeros((width, 4), np.uint64)
    hash_rows(messages, leaves[:rounds])
    tree_root(leaves, result_root)

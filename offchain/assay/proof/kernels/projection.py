"""Dot products modulo p = 2^61 - 1, for verification by random projection."""

from __future__ import annotations

import numpy as np
from numba import njit

from assay.proof.kernels.generator import fill_row, lane_keys

P = np.uint64((1 << 61) - 1)
_MASK32 = np.uint64((1 << 32) - 1)
_MASK21 = np.uint64((1 << 21) - 1)
_SIGN = np.uint32(0x80808080)


@njit(cache=True, nogil=True)
def reduce_signed(value):  # type: ignore[no-untyped-def]
    """An int64 modulo p, in 0..p-1."""
    if value >= 0:
        return np.uint64(value) % P
    left = np.uint64(-value) % P
    return P - left if left else left


@njit(cache=True, nogil=True)
def shifted(value, bits):  # type: ignore[no-untyped-def]
    """value · 2^bits modulo p, for value < p and bits < 61: a rotation of 61 bits."""
    high = value >> np.uint64(61 - bits)
    low = (value << np.uint64(bits)) & P
    total = high + low
    return total - P if total >= P else total


@njit(cache=True, nogil=True)
def combine(low, high):  # type: ignore[no-untyped-def]
    """low + 2^32 · high modulo p, for int64 sums."""
    total = reduce_signed(low) + shifted(reduce_signed(high), 32)
    return total - P if total >= P else total


@njit(cache=True, nogil=True)
def project_entries(entries, low, high):  # type: ignore[no-untyped-def]
    """Σ entries[k]·v[k] mod p, v = low + 2^32·high.

    Args:
        entries: int8[K], K <= 65,536: the sums stay below 2^55.
        low, high: int64[K], the lower 32 and upper 29 bits of v.
    """
    low_sum = np.int64(0)
    high_sum = np.int64(0)
    for k in range(entries.shape[0]):
        entry = np.int64(entries[k])
        low_sum += entry * low[k]
        high_sum += entry * high[k]
    return combine(low_sum, high_sum)


@njit(cache=True, nogil=True)
def project_product(row, r):  # type: ignore[no-untyped-def]
    """Σ row[j]·r[j] mod p.

    Args:
        row: int32[N], any values.
        r: int64[3, N], limbs of 21 bits, lowest first.
    """
    total = np.uint64(0)
    for at in range(0, row.shape[0], 512):
        sums = np.zeros(3, np.int64)
        for limb in range(3):
            partial = np.int64(0)
            # 512 products of 31 and 21 bits stay below 2^61.
            for j in range(at, min(at + 512, row.shape[0])):
                partial += np.int64(row[j]) * r[limb, j]
            sums[limb] = partial
        for limb in range(3):
            total += shifted(reduce_signed(sums[limb]), 21 * limb)
            if total >= P:
                total -= P
    return total


@njit(cache=True, nogil=True)
def project_matrix(seed, tag, rows, r, first_word, low, high):  # type: ignore[no-untyped-def]
    """Adds Σ_j B[j][k]·r[j] for a range of k to sums of 32-bit halves.

    Args:
        seed: uint64[4], β.
        tag: the generator's tag.
        rows: N, below 2^24 so that the sums stay below 2^63.
        r: uint64[N], below p.
        first_word: first word of the range, even; entries 32·first_word and up.
        low, high: int64[n], n a multiple of 64, written.
    """
    low[:] = 0
    high[:] = 0
    keys = np.empty((256, 2, 16), np.uint32)
    words = np.empty(low.shape[0] // 4, np.uint32)
    entries = words.view(np.int8)
    for j in range(rows):
        if j % 256 == 0:
            lane_keys(seed, tag, j, keys[: min(256, rows - j)])
        fill_row(keys[j % 256], first_word, words, _SIGN)
        low_r = np.int64(r[j] & _MASK32)
        high_r = np.int64(r[j] >> np.uint64(32))
        for k in range(low.shape[0]):
            entry = np.int64(entries[k])
            low[k] += entry * low_r
            high[k] += entry * high_r


@njit(cache=True, nogil=True)
def combine_all(low, high, out):  # type: ignore[no-untyped-def]
    """Reduces sums of halves to v: uint64[n] below p."""
    for k in range(low.shape[0]):
        out[k] = combine(low[k], high[k])


@njit(cache=True, nogil=True)
def split_halves(v, low, high):  # type: ignore[no-untyped-def]
    """The halves of v as int64, for `project_entries`."""
    for k in range(v.shape[0]):
        low[k] = np.int64(v[k] & _MASK32)
        high[k] = np.int64(v[k] >> np.uint64(32))


@njit(cache=True, nogil=True)
def split_limbs(r, out):  # type: ignore[no-untyped-def]
    """The 21-bit limbs of r as int64[3, N], for `project_product`."""
    for j in range(r.shape[0]):
        for limb in range(3):
            out[limb, j] = np.int64((r[j] >> np.uint64(21 * limb)) & _MASK21)


@njit(cache=True, nogil=True)
def first_wrong_row(seeds, rounds, indices, rows, low, high, r):  # type: ignore[no-untyped-def]
    """The first row whose product with r is not that of its row of A with v, or -1.

    Args:
        seeds: uint64[T, 4], round seeds.
        rounds, indices: int64[n], (t, i) of each row.
        rows: int32[n, N], what the device opened.
        low, high: int64[K], halves of v.
        r: int64[3, N], limbs of r.
    """
    keys = np.empty((1, 2, 16), np.uint32)
    words = np.empty(low.shape[0] // 4, np.uint32)
    entries = words.view(np.int8)
    for n in range(rows.shape[0]):
        lane_keys(seeds[rounds[n]], 65, indices[n], keys)
        fill_row(keys[0], 0, words, _SIGN)
        if project_entries(entries, low, high) != project_product(rows[n], r):
            return n
    return -1

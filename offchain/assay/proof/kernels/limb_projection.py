"""The projections of `kernels.projection` by byte products: each factor below p is cut into eight bytes."""

from __future__ import annotations

import numpy as np
from numba import njit

from assay.proof.kernels.byte_products import LIMBS, project_groups, project_planes
from assay.proof.kernels.generator import TAG_A, fill_row, lane_keys
from assay.proof.kernels.mixing import fill_groups
from assay.proof.kernels.projection import P, project_product, reduce_signed, shifted

GROUPS = 32  # of four rows of B, generated together: 4 · 32 · 64 bytes stay in the first cache
FLUSH = 32_768  # rows of B after which sums are reduced: 32,768 · 255 · 128 < 2^31
_SIGN = np.uint32(0x80808080)


@njit(cache=True, nogil=True)
def split_signed(r, out):  # type: ignore[no-untyped-def]
    """Limbs of r in -128..127 that add up to it: uint64[N] into int8[N/4, 8, 4], four rows side by side."""
    for j in range(r.shape[0]):
        left = np.int64(r[j])
        for limb in range(LIMBS):
            digit = ((left + 128) & 255) - 128
            out[j // 4, limb, j % 4] = np.int8(digit)
            left = (left - digit) >> 8


@njit(cache=True, nogil=True)
def split_planes(v, out):  # type: ignore[no-untyped-def]
    """Bytes of v: uint64[K] into uint8[8, K]."""
    for k in range(v.shape[0]):
        for limb in range(LIMBS):
            out[limb, k] = np.uint8((v[k] >> np.uint64(8 * limb)) & np.uint64(255))


@njit(cache=True, nogil=True)
def project_matrix(keys, limbs, correction, first_word, out):  # type: ignore[no-untyped-def]
    """v_k = Σ_j B[j][k]·r_j mod p for a range of k.

    Args:
        keys: uint32[N, 2, 16], lane keys of all rows of B; N a multiple of 4.
        limbs: int8[N/4, 8, 4] of `split_signed`.
        correction: 128 · Σ_j r_j mod p: the entries come unsigned, 128 too high.
        first_word: first word of the range, even.
        out: uint64[n], n a multiple of 64, written.
    """
    flat_keys = keys.reshape(-1)
    flat_limbs = limbs.reshape(-1).view(np.uint32)
    groups = np.empty(4 * GROUPS * 16, np.uint32)
    sums = np.empty(4 * LIMBS * 16, np.int32)
    rows = keys.shape[0]
    for block in range(out.shape[0] // 64):
        totals = out[64 * block : 64 * block + 64]
        totals[:] = (P - correction) % P
        for start in range(0, rows, FLUSH):
            sums[:] = 0
            for j in range(start, min(start + FLUSH, rows), 4 * GROUPS):
                count = min(GROUPS, (rows - j) // 4)
                fill_groups(flat_keys, 32 * j, first_word + 2 * block, groups, 16 * GROUPS, count)
                for s in range(4):
                    project_groups(groups, 16 * GROUPS * s, count, flat_limbs, 2 * j, sums, 16 * LIMBS * s)
            for s in range(4):
                for p in range(16):
                    total = totals[4 * p + s]
                    for limb in range(LIMBS):
                        value = reduce_signed(np.int64(sums[16 * (LIMBS * s + limb) + p]))
                        total += shifted(value, 8 * limb)
                        if total >= P:
                            total -= P
                    totals[4 * p + s] = total


@njit(cache=True, nogil=True)
def project_entries(planes, entries, sums):  # type: ignore[no-untyped-def]
    """Σ entries[k]·v[k] mod p.

    Args:
        planes: uint8[8, K] of `split_planes`.
        entries: int8[K], K <= 65,536.
        sums: int32[128], working space.
    """
    project_planes(planes.reshape(-1), planes.shape[1], entries, entries.shape[0] // 64, sums)
    total = np.uint64(0)
    for limb in range(LIMBS):
        value = np.int64(0)
        for p in range(16):
            value += np.int64(sums[16 * limb + p])
        total += shifted(reduce_signed(value), 8 * limb)
        if total >= P:
            total -= P
    return total


@njit(cache=True, nogil=True)
def first_wrong_row(seeds, rounds, indices, rows, planes, r):  # type: ignore[no-untyped-def]
    """As `projection.first_wrong_row`, with v as the planes of `split_planes`."""
    keys = np.empty((1, 2, 16), np.uint32)
    words = np.empty(planes.shape[1] // 4, np.uint32)
    entries = words.view(np.int8)
    sums = np.empty(LIMBS * 16, np.int32)
    for n in range(rows.shape[0]):
        lane_keys(seeds[rounds[n]], TAG_A, indices[n], keys)
        fill_row(keys[0], 0, words, _SIGN)
        if project_entries(planes, entries, sums) != project_product(rows[n], r):
            return n
    return -1

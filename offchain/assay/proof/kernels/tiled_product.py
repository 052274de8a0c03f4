"""The product of one round with byte-product instructions: A generated block by
block, B packed once an epoch.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from assay.proof.kernels.byte_products import TILE_COLUMNS, TILE_ROWS, multiply_tile
from assay.proof.kernels.generator import TAG_A, TAG_B, fill_row, lane_keys

DEPTH = 512  # entries of K in a block: a panel of B of 512 · 32 bytes stays in the first cache
ROWS = 256  # rows of A in a block: 256 · 512 bytes stay in the second cache
_NO_SIGN = np.uint32(0)
_SIGN = np.uint32(0x80808080)


@njit(cache=True, nogil=True)
def pack_columns(seed, first, count, length, packed, bias):  # type: ignore[no-untyped-def]
    """Rows of B in the order in which tiles read them, and what unsigned entries of A must be corrected by.

    Args:
        seed: uint64[4], β.
        first, count: rows of B, multiples of 32.
        length: K.
        packed: uint32[K/4 · N], written at [block of K][panel of 32 rows][step][row]; each word four int8.
        bias: int32[N], written: -128 · Σ_k B[j][k].
    """
    panels = bias.shape[0] // TILE_COLUMNS
    keys = np.empty((TILE_COLUMNS, 2, 16), np.uint32)
    words = np.empty(DEPTH // 4, np.uint32)
    entries = words.view(np.int8)
    for j in range(first, first + count, TILE_COLUMNS):
        lane_keys(seed, TAG_B, j, keys)
        bias[j : j + TILE_COLUMNS] = 0
        for start in range(0, length, DEPTH):
            depth = min(DEPTH, length - start)
            base = start // 4 * panels * TILE_COLUMNS + (j // TILE_COLUMNS) * (depth // 4) * TILE_COLUMNS
            for column in range(TILE_COLUMNS):
                fill_row(keys[column], start // 32, words[: depth // 4], _SIGN)
                total = np.int32(0)
                for k in range(depth):
                    total += np.int32(entries[k])
                bias[j + column] -= np.int32(128) * total
                for step in range(depth // 4):
                    packed[base + step * TILE_COLUMNS + column] = words[step]


@njit(cache=True, nogil=True)
def multiply_packed(a, length, columns, packed, start, product):  # type: ignore[no-untyped-def]
    """Adds one block of K to a block of rows.

    Args:
        a: uint32[rows, DEPTH/4], unsigned entries of this block of K; rows a multiple of 8.
        length: entries of K in the block.
        columns: N.
        packed: uint32 from `pack_columns`.
        start: first entry of K of the block.
        product: int32[rows, N], added to.
    """
    steps = length // 4
    flat_a, flat_product = a.reshape(-1), product.reshape(-1)
    base = start // 4 * columns
    for j in range(0, columns, TILE_COLUMNS):
        b_at = base + j * steps
        for i in range(0, product.shape[0], TILE_ROWS):
            multiply_tile(
                flat_a,
                i * a.shape[1],
                a.shape[1],
                packed,
                b_at,
                flat_product,
                i * columns + j,
                columns,
                steps,
            )


@njit(cache=True, nogil=True)
def multiply_rows(seed, indices, length, packed, bias, product):  # type: ignore[no-untyped-def]
    """Rows of A·Bᵀ, with A generated as it is needed.

    Args:
        seed: uint64[4], s_t.
        indices: int64[n], rows i of A; n a multiple of 8.
        length: K.
        packed, bias: of `pack_columns`.
        product: int32[n, N], written.
    """
    count, columns = product.shape
    a = np.empty((min(ROWS, count), DEPTH // 4), np.uint32)
    keys = np.empty((min(ROWS, count), 2, 16), np.uint32)
    for first in range(0, count, ROWS):
        rows = min(ROWS, count - first)
        for row in range(rows):
            lane_keys(seed, TAG_A, indices[first + row], keys[row : row + 1])
            product[first + row] = bias
        for start in range(0, length, DEPTH):
            depth = min(DEPTH, length - start)
            for row in range(rows):
                fill_row(keys[row], start // 32, a[row, : depth // 4], _NO_SIGN)
            multiply_packed(a[:rows], depth, columns, packed, start, product[first : first + rows])

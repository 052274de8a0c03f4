"""Index arithmetic of the tensor-core product: who copies, loads, multiplies and stores which byte.

Every function works on Python integers, on NumPy arrays (the tests' model of the whole tile) and on LLVM values (the
kernel), so what is checked is what runs. Layouts of fragments: PTX ISA, mma.m16n8k32 with .s8 operands.
"""

from __future__ import annotations

from typing import Any

TILE_M, TILE_N, DEPTH = 128, 256, 64  # rows, columns and bytes of K of one block's stage
THREADS = 256
WARP_M, WARP_N = 64, 64  # of one of 2 × 4 warps
MMA_M, MMA_N, MMA_K = 16, 8, 32
PIECE = 16  # bytes of one asynchronous copy and of one row of a matrix for ldmatrix
A_BYTES = TILE_M * DEPTH
STAGE_BYTES = A_BYTES + TILE_N * DEPTH


def swizzled(row: Any, piece: Any) -> Any:
    """Offset in a tile of piece 0..3 of a row: permuted so that eight rows of one ldmatrix meet all banks."""
    return row * DEPTH + ((piece ^ ((row >> 1) & 3)) << 4)


def copied(thread: Any, turn: int) -> tuple[Any, Any]:
    """(row, piece) that a thread copies in its turn: 4 pieces a row, consecutive threads along a row."""
    place = thread + THREADS * turn
    return place >> 2, place & 3


def warp_origin(warp: Any) -> tuple[Any, Any]:
    """First row and column of a warp in the block's tile."""
    return (warp & 1) * WARP_M, (warp >> 1) * WARP_N


def a_matrix(lane: Any, m: int, half: int) -> tuple[Any, Any]:
    """(row in the warp's 64, piece) whose address a lane gives to load fragment m of A, for 32 bytes of K.

    Matrices 0 to 3 become registers a0 to a3: rows 0-7 and 8-15 of the first 16 bytes, then of the second.
    """
    matrix, row = lane >> 3, lane & 7
    return m * MMA_M + (matrix & 1) * 8 + row, 2 * half + (matrix >> 1)


def b_matrix(lane: Any, pair: int, half: int) -> tuple[Any, Any]:
    """(row in the warp's 64 columns, piece) for two neighbouring fragments of B.

    Matrices 0 to 3 become b0 and b1 of the first fragment, then of the second.
    """
    matrix, row = lane >> 3, lane & 7
    return pair * 2 * MMA_N + (matrix >> 1) * 8 + row, 2 * half + (matrix & 1)


def result_place(lane: Any, m: int, n: int, register: int) -> tuple[Any, Any]:
    """(row, column) in the warp's 64 × 64 of an accumulator; registers 0, 1 and 2, 3 are neighbours in a row."""
    row = m * MMA_M + (lane >> 2) + (register >> 1) * 8
    return row, n * MMA_N + (lane & 3) * 2 + (register & 1)

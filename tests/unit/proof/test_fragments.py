"""The tensor-core kernel's index arithmetic, run in NumPy as the hardware would: copies, ldmatrix, mma, stores."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from assay.proof.cuda import fragments as f

LANES = np.arange(32)


def ldmatrix(shared: NDArray[np.uint8], addresses: NDArray[np.int64]) -> NDArray[np.int8]:
    """PTX ldmatrix.x4.b16: lanes 8q to 8q+7 give the rows of matrix q; (4 registers, 32 lanes, 4 bytes)."""
    out = np.empty((4, 32, 4), np.int8)
    for register in range(4):
        rows = np.stack([shared[at : at + 16] for at in addresses[8 * register : 8 * register + 8]])
        out[register] = rows.view(np.int8)[LANES // 4].reshape(32, 4, 4)[LANES, LANES % 4]
    return out


def mma(a: NDArray[np.int8], b: NDArray[np.int8]) -> NDArray[np.int32]:
    """PTX mma.m16n8k32 .s8: fragments (4, 32, 4) and (2, 32, 4) to accumulators (4, 32), by the ISA's layout."""
    group, thread = LANES // 4, LANES % 4
    left, right = np.zeros((16, 32), np.int64), np.zeros((32, 8), np.int64)
    for byte in range(4):
        for register in range(4):
            row = group + 8 * (register & 1)
            left[row, 4 * thread + byte + 16 * (register >> 1)] = a[register, :, byte]
        for register in range(2):
            right[4 * thread + byte + 16 * register, group] = b[register, :, byte]
    product = left @ right
    return np.stack(
        [product[group + 8 * (register >> 1), 2 * thread + (register & 1)] for register in range(4)]
    ).astype(np.int32)


def filled_stage(a: NDArray[np.int8], b: NDArray[np.int8]) -> NDArray[np.uint8]:
    """Shared memory after every thread's copies of one stage."""
    shared = np.zeros(f.STAGE_BYTES, np.uint8)
    written = np.zeros(f.STAGE_BYTES, int)
    threads = np.arange(f.THREADS)
    for source, offset in ((a, 0), (b, f.A_BYTES)):
        for turn in range(len(source) * 4 // f.THREADS):
            for row, piece in zip(*f.copied(threads, turn), strict=True):
                at = offset + f.swizzled(row, piece)
                shared[at : at + 16] = source[row, 16 * piece : 16 * piece + 16].view(np.uint8)
                written[at : at + 16] += 1
    assert (written == 1).all()
    return shared


def test_tile__all_warps__the_exact_product() -> None:
    rng = np.random.default_rng(0)
    steps = 2
    a = rng.integers(-128, 128, (f.TILE_M, f.DEPTH * steps)).astype(np.int8)
    b = rng.integers(-128, 128, (f.TILE_N, f.DEPTH * steps)).astype(np.int8)
    product = np.full((f.TILE_M, f.TILE_N), 2**31 - 1, np.int32)
    stages = [
        filled_stage(a[:, f.DEPTH * s : f.DEPTH * (s + 1)], b[:, f.DEPTH * s : f.DEPTH * (s + 1)]) for s in range(steps)
    ]
    for warp in range(f.THREADS // 32):
        row_0, column_0 = f.warp_origin(warp)
        for m in range(f.WARP_M // f.MMA_M):
            for pair in range(f.WARP_N // f.MMA_N // 2):
                sums = np.zeros((2, 4, 32), np.int32)
                for shared in stages:
                    for half in range(f.DEPTH // f.MMA_K):
                        row, piece = f.a_matrix(LANES, m, half)
                        left = ldmatrix(shared, f.swizzled(row_0 + row, piece))
                        row, piece = f.b_matrix(LANES, pair, half)
                        right = ldmatrix(shared, f.A_BYTES + f.swizzled(column_0 + row, piece))
                        sums[0] += mma(left, right[:2])
                        sums[1] += mma(left, right[2:])
                for n in range(2):
                    for register in range(4):
                        row, column = f.result_place(LANES, m, 2 * pair + n, register)
                        product[row_0 + row, column_0 + column] = sums[n, register]
    assert np.array_equal(product, a.astype(np.int64) @ b.astype(np.int64).T)


def test_ldmatrix__each_eight_rows__meet_all_banks_once() -> None:
    for warp in range(8):
        row_0, column_0 = f.warp_origin(warp)
        for half in range(2):
            for index in range(4):
                for origin, (row, piece) in (
                    (row_0, f.a_matrix(LANES, index, half)),
                    (column_0, f.b_matrix(LANES, index, half)),
                ):
                    addresses = f.swizzled(origin + row, piece)
                    for q in range(4):
                        banks = {int(at) // 16 % 8 for at in addresses[8 * q : 8 * q + 8]}
                        assert len(banks) == 8


def test_copies__neighbouring_threads__whole_rows_of_global_memory() -> None:
    rows, pieces = f.copied(np.arange(f.THREADS), 1)
    assert (np.diff(rows * 4 + pieces) == 1).all()

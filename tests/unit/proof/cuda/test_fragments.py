"""The tensor-core kernel's index arithmetic alone; `test_tensor_product` carries out the kernel."""

from __future__ import annotations

import numpy as np

from assay.proof.cuda import fragments as f

LANES = np.arange(32)


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

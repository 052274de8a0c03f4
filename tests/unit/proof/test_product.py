"""Products are exact for every int8 input, also where float32 sums are not."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from assay.proof.engines.reference import exact_product
from assay.proof.kernels.product import blocked_product

PRODUCTS: list[Callable[[NDArray[np.int8], NDArray[np.int8]], NDArray[np.int32]]] = [
    exact_product,
    blocked_product,
]


@pytest.mark.parametrize("product", PRODUCTS)
@pytest.mark.parametrize("length", [64, 1025, 4096, 65_536])
def test_product__lowest_entries_and_one_other__exact(product: object, length: int) -> None:
    a = np.full((3, length), -128, np.int8)
    b = np.full((5, length), -128, np.int8)
    a[1, length // 2] = -127
    b[3, length // 2] = -127
    expected = a.astype(np.int64) @ b.astype(np.int64).T

    assert expected[0, 0] == 128 * 128 * length
    assert expected[1, 0] == 128 * 128 * length - 128
    assert expected[1, 3] == 128 * 128 * (length - 1) + 127 * 127
    assert np.array_equal(product(a, b), expected)  # type: ignore[operator]


def test_product__float32_sums__are_not_exact_here() -> None:
    """The reason for the test above: a plain float32 product loses the one entry."""
    a = np.full((1, 1025), -128, np.int8)
    a[0, 7] = -127
    assert int((a.astype(np.float32) @ a.astype(np.float32).T)[0, 0]) != 128 * 128 * 1024 + 127 * 127


@pytest.mark.parametrize("product", PRODUCTS)
def test_product__random_entries__exact(product: object) -> None:
    rng = np.random.default_rng(0)
    for rows, columns, length in [(1, 1, 64), (7, 33, 1088), (32, 64, 2112)]:
        a, b = (rng.integers(-128, 128, (n, length)).astype(np.int8) for n in (rows, columns))
        expected = a.astype(np.int64) @ b.astype(np.int64).T
        assert np.array_equal(product(a, b), expected)  # type: ignore[operator]

"""Products are exact for every int8 input, also where float32 sums are not."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from assay.proof.engines import cpu_products
from assay.proof.engines.reference import exact_product
from assay.proof.generator import TAG_A, TAG_B, matrix
from assay.proof.kernels.byte_products import has_vnni
from assay.proof.kernels.product import blocked_product
from assay.proof.projection import HalvesProjection, LimbProjection, P, projection_vector
from assay.proof.threads import Threads
from assay.protocol.profile import Profile

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


@pytest.mark.parametrize("fits", [True, False])
def test_products_of_the_cpu_engine__both_ways__the_same_numbers(monkeypatch: pytest.MonkeyPatch, fits: bool) -> None:
    monkeypatch.setattr(cpu_products, "available_memory", lambda: 1 << 40 if fits else 0)
    profile = Profile(1, 32, 64, 2112, 1, 32, 1, 0).validate()
    beta, seed = bytes([1]) * 32, bytes([2]) * 32
    rows = [3, 31, 3, 0, 7]
    expected = exact_product(matrix(seed, TAG_A, 32, 2112), matrix(beta, TAG_B, 64, 2112))[rows]
    kinds = [cpu_products.BlasProduct, *([cpu_products.TiledProduct] if has_vnni() else [])]
    for kind in kinds:
        out = np.empty((len(rows), 64), np.int32)
        kind(profile, beta, Threads(2)).multiply(seed, rows, out)
        assert np.array_equal(out, expected)


def test_projections__both_ways__the_same_numbers() -> None:
    r = projection_vector(bytes(32), 96)
    kinds = [HalvesProjection, *([LimbProjection] if has_vnni() else [])]
    found = [kind(bytes(32), r, 192, Threads(2)).v for kind in kinds]
    b = matrix(bytes(32), TAG_B, 96, 192)
    expected = [sum(int(b[j, k]) * int(r[j]) for j in range(96)) % P for k in range(192)]
    for v in found:
        assert v.tolist() == expected

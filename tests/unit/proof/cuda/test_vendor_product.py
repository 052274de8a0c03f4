"""What is asked of cuBLASLt, answered by a library in NumPy that takes layouts, types and addresses at their word."""

from __future__ import annotations

import ctypes
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from assay.proof.cuda import vendor_product
from assay.proof.cuda.vendor_product import Bfloat16Product, VendorProduct, library
from assay.proof.engines.reference import exact_product
from assay.proof.errors import EngineUnavailable

REAL, COMPUTES, TYPES = library()


def wide(bits: NDArray[np.uint16]) -> NDArray[np.float32]:
    """bfloat16 to float32."""
    return (bits.astype(np.uint32) << 16).view(np.float32)


class Library:
    """The calls that are made of cublasLt; matrices in column order."""

    cuBLASLtError = REAL.cuBLASLtError
    MatmulDescAttribute = REAL.MatmulDescAttribute
    MatmulPreferenceAttribute = REAL.MatmulPreferenceAttribute
    matmul_heuristic_result_dtype = REAL.matmul_heuristic_result_dtype

    def __init__(self, ways: int = 1) -> None:
        self.ways, self.things, self.calls = ways, dict[int, Any](), list[dict[str, Any]]()

    def _new(self, thing: Any) -> int:
        self.things[len(self.things) + 1] = thing
        return len(self.things)

    def create(self) -> int:
        return self._new("handle")

    def matmul_desc_create(self, compute: int, scale: int) -> int:
        return self._new({"compute": compute, "scale": scale})

    def matmul_desc_set_attribute(self, thing: int, attribute: int, at: int, size: int) -> None:
        assert (attribute, size) == (int(REAL.MatmulDescAttribute.TRANSA), 4)
        self.things[thing]["transposed"] = ctypes.c_int32.from_address(at).value

    def matrix_layout_create(self, kind: int, rows: int, columns: int, pitch: int) -> int:
        return self._new((kind, rows, columns, pitch))

    def matmul_preference_create(self) -> int:
        return self._new({})

    def matmul_preference_set_attribute(self, thing: int, attribute: int, at: int, size: int) -> None:
        assert (attribute, size) == (int(REAL.MatmulPreferenceAttribute.MAX_WORKSPACE_BYTES), 8)

    def matmul_preference_destroy(self, thing: int) -> None:
        del self.things[thing]

    def matmul_algo_get_heuristic(self, *arguments: int) -> None:
        ctypes.c_int32.from_address(arguments[-1]).value = self.ways

    def _matrix(self, layout: int, at: int) -> NDArray[Any]:
        kind, rows, columns, pitch = self.things[layout]
        of: Any = {
            int(TYPES.CUDA_R_8I): np.int8,
            int(TYPES.CUDA_R_16BF): np.uint16,
            int(TYPES.CUDA_R_32I): np.int32,
            int(TYPES.CUDA_R_32F): np.float32,
        }[kind]
        size = ((columns - 1) * pitch + rows) * np.dtype(of).itemsize
        flat = np.frombuffer((ctypes.c_uint8 * size).from_address(at), of)
        return np.lib.stride_tricks.as_strided(flat, (rows, columns), (flat.itemsize, pitch * flat.itemsize))

    def matmul(
        self, handle: int, operation: int, one: int, x: int, of_x: int, y: int, of_y: int, zero: int,
        c: int, of_c: int, d: int, of_d: int, plan: int, workspace: int, size: int, stream: int,
    ) -> None:  # fmt: skip
        asked = self.things[operation]
        assert asked["transposed"] == 1
        left, right, out = self._matrix(of_x, x), self._matrix(of_y, y), self._matrix(of_d, d)
        if asked["compute"] == int(COMPUTES.COMPUTE_32I):
            assert (ctypes.c_int32.from_address(one).value, ctypes.c_int32.from_address(zero).value) == (1, 0)
            out[:] = left.T.astype(np.int64) @ right.astype(np.int64)
        else:
            assert (ctypes.c_float.from_address(one).value, ctypes.c_float.from_address(zero).value) == (1, 0)
            out[:] = wide(left.T) @ wide(right)
        assert (c, of_c) == (d, of_d)
        self.calls.append({"stream": stream, "workspace": workspace})


class OnCard(np.ndarray):  # type: ignore[type-arg]
    @property
    def __cuda_array_interface__(self) -> dict[str, Any]:
        return {"data": (self.ctypes.data, False)}


def on_card(values: Any) -> Any:
    return np.ascontiguousarray(values).view(OnCard)


def widen(words: Any, out: Any) -> None:
    entries = np.asarray(words).view(np.int8).astype(np.float32)
    out[:] = (entries.view(np.uint32) >> 16).astype(np.uint16).view(np.uint64)


def add_exact(partial: Any, product: Any, first: bool) -> None:
    product[:] = np.asarray(partial).astype(np.int32) + (0 if first else product)


class Kernel:
    def __init__(self, work: Any) -> None:
        self.work = work

    def __getitem__(self, configuration: Any) -> Any:
        return self.work


@pytest.fixture
def lt(monkeypatch: pytest.MonkeyPatch) -> Library:
    made = Library()
    monkeypatch.setattr(vendor_product, "library", lambda: (made, COMPUTES, TYPES))
    monkeypatch.setattr(
        vendor_product, "cuda", SimpleNamespace(device_array=lambda shape, kind: on_card(np.zeros(shape, kind)))
    )
    monkeypatch.setattr(
        vendor_product, "plain_kernels", SimpleNamespace(widen=Kernel(widen), add_exact=Kernel(add_exact))
    )
    return made


def multiplied(product: Any, a: NDArray[np.int8], b: NDArray[np.int8]) -> NDArray[np.int32]:
    out = on_card(np.full((len(a), len(b)), -1, np.int32))
    product(on_card(a.view(np.uint32)), on_card(b.view(np.uint32)), out, 0)
    return np.asarray(out)


@pytest.mark.parametrize("made", [VendorProduct, Bfloat16Product])
@pytest.mark.parametrize("length", [64, 1_088, 4_096])
def test_product__random_entries__the_exact_product_row_by_row(lt: Library, made: Any, length: int) -> None:
    rng = np.random.default_rng(length)
    product = made()
    for rows, columns in ((16, 32), (8, 64)):
        a, b = (rng.integers(-128, 128, (n, length)).astype(np.int8) for n in (rows, columns))
        assert np.array_equal(multiplied(product, a, b), exact_product(a, b))


@pytest.mark.parametrize("made", [VendorProduct, Bfloat16Product])
@pytest.mark.parametrize("length", [1_088, 65_536])
def test_product__lowest_entries_and_one_higher__no_sum_is_rounded(lt: Library, made: Any, length: int) -> None:
    a, b = np.full((4, length), -128, np.int8), np.full((4, length), -128, np.int8)
    a[1, 1_025] = b[2, 1_025] = -127
    assert np.array_equal(multiplied(made(), a, b), exact_product(a, b))


def test_product__the_same_shape_again__one_plan_and_the_caller_s_stream(lt: Library) -> None:
    product = VendorProduct()
    a = np.ones((4, 64), np.int8)
    multiplied(product, a, a)
    things = len(lt.things)
    stream = SimpleNamespace(handle=77)
    product(on_card(a.view(np.uint32)), on_card(a.view(np.uint32)), on_card(np.zeros((4, 4), np.int32)), stream)
    assert len(lt.things) == things
    assert [call["stream"] for call in lt.calls] == [0, 77]


def test_product__the_library_knows_no_way__says_so(lt: Library) -> None:
    lt.ways = 0
    with pytest.raises(EngineUnavailable, match="knows no way"):
        multiplied(VendorProduct(), np.ones((4, 64), np.int8), np.ones((4, 64), np.int8))


def test_library__the_names_that_are_used__are_the_binding_s() -> None:
    used = [name for name in vars(Library) if name.startswith("m") or name == "create"]
    assert all(hasattr(REAL, name) for name in used)
    for kind in (vendor_product.INT8, vendor_product.BFLOAT16):
        assert kind.compute in COMPUTES.__members__
        assert {kind.scale, kind.factors, kind.sums} <= set(TYPES.__members__)


def test_entries__all_of_int8__the_same_in_bfloat16() -> None:
    entries = np.arange(-128, 128, dtype=np.int8)
    out = np.zeros(64, np.uint64)
    widen(entries.view(np.uint32), out)
    assert np.array_equal(wide(out.view(np.uint16)), entries.astype(np.float32))

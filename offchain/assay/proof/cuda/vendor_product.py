"""Products through cuBLASLt, NVIDIA's own library: int8 with int32 sums, or bfloat16 with float32 sums that stay exact.

The library computes D = op(X)·op(Y) of matrices in column order. A row-major [M, K] is a column-major K × M, so with
X = B transposed and Y = A, D is N × M in columns: the product row by row. This is also the one form in which the
library multiplies int8.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from assay.proof.cuda import plain_kernels
from assay.proof.cuda.memory import WORKSPACE
from assay.proof.cuda.products import THREADS, blocks
from assay.proof.cuda.runtime import cuda, handle_of
from assay.proof.errors import EngineUnavailable

EXACT_LENGTH = 1_024  # products of int8 whose sums a float32 holds exactly: 1,024 · 2^14 = 2^24


@dataclass(frozen=True)
class Kind:
    """Types of one use of the library, by their names in CUDA: computation, scale, factors, sums."""

    compute: str
    scale: str
    factors: str
    sums: str
    one: Any


INT8 = Kind("COMPUTE_32I", "CUDA_R_32I", "CUDA_R_8I", "CUDA_R_32I", np.int32)
BFLOAT16 = Kind("COMPUTE_32F", "CUDA_R_32F", "CUDA_R_16BF", "CUDA_R_32F", np.float32)


def library() -> tuple[Any, Any, Any]:
    """(cublasLt, compute types, data types) of nvmath-python. Raises EngineUnavailable."""
    try:
        import nvmath
        from nvmath.bindings import cublas, cublasLt
    except ImportError as error:
        raise EngineUnavailable(f"nvmath-python is not installed: install assay[gpu] ({error})") from None
    return cublasLt, cublas.ComputeType, nvmath.CudaDataType


def address(array: Any, at: int = 0) -> int:
    """Of byte `at` of an array on the card."""
    return int(array.__cuda_array_interface__["data"][0]) + at


class LibraryMatmul:
    """One shape: a[M, length]·b[N, length]ᵀ, rows `pitch` entries apart, as the library's best plan has it."""

    def __init__(
        self, parts: tuple[Any, Any, Any], handle: int, kind: Kind, shape: tuple[int, int, int], pitch: int
    ) -> None:
        """Raises EngineUnavailable where the library knows no way."""
        self._lt, computes, types = parts
        self._handle = handle
        lt, (rows, columns, length) = self._lt, shape
        factors, sums = int(types[kind.factors]), int(types[kind.sums])
        self._operation = lt.matmul_desc_create(int(computes[kind.compute]), int(types[kind.scale]))
        transposed = np.array(1, np.int32)
        lt.matmul_desc_set_attribute(
            self._operation, int(lt.MatmulDescAttribute.TRANSA), transposed.ctypes.data, transposed.nbytes
        )
        self._x = lt.matrix_layout_create(factors, length, columns, pitch)
        self._y = lt.matrix_layout_create(factors, length, rows, pitch)
        self._d = lt.matrix_layout_create(sums, columns, rows, columns)
        self._one, self._zero = np.array(1, kind.one), np.array(0, kind.one)
        self._plan = self._best()

    def _best(self) -> Any:
        lt = self._lt
        preference = lt.matmul_preference_create()
        size = np.array(WORKSPACE, np.uint64)
        lt.matmul_preference_set_attribute(
            preference, int(lt.MatmulPreferenceAttribute.MAX_WORKSPACE_BYTES), size.ctypes.data, size.nbytes
        )
        found, count = np.zeros(1, lt.matmul_heuristic_result_dtype), np.array(0, np.int32)
        try:
            lt.matmul_algo_get_heuristic(
                self._handle, self._operation, self._x, self._y, self._d, self._d, preference, 1,
                found.ctypes.data, count.ctypes.data,
            )  # fmt: skip
        except lt.cuBLASLtError as error:
            raise EngineUnavailable(f"cuBLASLt cannot multiply this shape on this card: {error}") from None
        finally:
            lt.matmul_preference_destroy(preference)
        if count < 1:
            raise EngineUnavailable("cuBLASLt knows no way to multiply this shape on this card")
        return found

    def __call__(self, a: int, b: int, d: int, workspace: int, stream: int) -> None:
        """Queues the product; all but `stream` are addresses on the card."""
        self._lt.matmul(
            self._handle, self._operation, self._one.ctypes.data, b, self._x, a, self._y, self._zero.ctypes.data,
            d, self._d, d, self._d, self._plan.ctypes.data, workspace, WORKSPACE, stream,
        )  # fmt: skip


class VendorProduct:
    """Launches the library's int8 product."""

    def __init__(self) -> None:
        self._parts = library()
        self._handle: int | None = None
        self._workspace: Any = None
        self._plans: dict[tuple[int, int, int], LibraryMatmul] = {}

    def __call__(self, a: Any, b: Any, product: Any, stream: Any) -> None:
        left, right = a.view(np.int8), b.view(np.int8)
        shape = (len(left), len(right), left.shape[1])
        plan = self._plan(INT8, shape, shape[2])
        plan(address(left), address(right), address(product), address(self._workspace), handle_of(stream))

    def _plan(self, kind: Kind, shape: tuple[int, int, int], pitch: int) -> LibraryMatmul:
        if self._handle is None:
            self._handle = self._parts[0].create()
            self._workspace = cuda.device_array(WORKSPACE, np.uint8)
        if shape not in self._plans:
            self._plans[shape] = LibraryMatmul(self._parts, self._handle, kind, shape, pitch)
        return self._plans[shape]


class Bfloat16Product(VendorProduct):
    """The same integers from bfloat16 tensor cores, for cards on which int8 fades.

    bfloat16 holds every int8, and a float32 every sum of 1,024 of their products; such sums are added as integers.
    A and B are widened into buffers of this object, B once for as long as it is the same array.
    """

    def __init__(self) -> None:
        super().__init__()
        self._widened_b: tuple[Any, Any] = (None, None)
        self._wide_a: Any = None
        self._partial: Any = None

    def __call__(self, a: Any, b: Any, product: Any, stream: Any) -> None:
        rows, columns, length = len(a), len(b), 4 * a.shape[1]
        if self._widened_b[0] is not b:
            self._widened_b = (b, self._widen(b, cuda.device_array((columns, length), np.uint16), stream))
        if self._wide_a is None or self._wide_a.shape != (rows, length):
            self._wide_a = cuda.device_array((rows, length), np.uint16)
            self._partial = cuda.device_array((rows, columns), np.float32)
        wide_a, wide_b = self._widen(a, self._wide_a, stream), self._widened_b[1]
        sums, partials = product.reshape(rows * columns), self._partial.reshape(rows * columns)
        for at in range(0, length, EXACT_LENGTH):
            plan = self._plan(BFLOAT16, (rows, columns, min(EXACT_LENGTH, length - at)), length)
            plan(
                address(wide_a, 2 * at),
                address(wide_b, 2 * at),
                address(self._partial),
                address(self._workspace),
                handle_of(stream),
            )
            plain_kernels.add_exact[blocks(len(sums)), THREADS, stream](partials, sums, at == 0)

    @staticmethod
    def _widen(words: Any, out: Any, stream: Any) -> Any:
        flat = words.reshape(words.size)
        plain_kernels.widen[blocks(len(flat)), THREADS, stream](flat, out.reshape(out.size).view(np.uint64))
        return out

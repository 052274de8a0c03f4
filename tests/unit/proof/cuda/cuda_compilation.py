"""Compiles the kernels to PTX without a GPU, and reads machine code."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from numba import int64, types, uint32, uint64

from assay.proof.cuda import plain_kernels, tensor_product
from assay.proof.cuda.runtime import cuda

_IMMA = 0x237


def _array(kind: Any, dimensions: int) -> Any:
    return types.Array(kind, dimensions, "C")


def signatures() -> Mapping[str, tuple[Any, tuple[Any, ...]]]:
    """Every kernel of the two engines with the argument types it is launched with."""
    keys, words, hashes, rows = _array(uint32, 3), _array(uint32, 2), _array(uint64, 2), _array(uint64, 3)
    p = plain_kernels
    tensor = (_array(types.int8, 2), _array(types.int8, 2), _array(types.int32, 2))
    return {
        "lane_keys": (p.lane_keys, (hashes, int64, int64, _array(uint32, 1), keys)),
        "generate": (p.generate, (keys, words)),
        "multiply": (p.multiply, (words, words, _array(types.int32, 2))),
        "hash_chunks": (p.hash_chunks, (_array(uint64, 1), int64, hashes)),
        "reduce_rows": (p.reduce_rows, (hashes, int64, rows, int64)),
        "reduce_round": (p.reduce_round, (rows, int64, rows, hashes)),
        "reduce_level": (p.reduce_level, (hashes, int64, int64)),
        "widen": (p.widen, (_array(uint32, 1), _array(uint64, 1))),
        "add_exact": (p.add_exact, (_array(types.float32, 1), _array(types.int32, 1), types.boolean)),
        "chain_seed": (p.chain_seed, (hashes, hashes, int64)),
        "keep_window": (p.keep_window, (_array(uint64, 1), _array(uint64, 1), int64)),
        "walk_lanes": (p.walk_lanes, (_array(uint64, 1), _array(uint64, 1), int64, int64, _array(uint64, 1))),
        "tensor_4_stages": (tensor_product.tensor_kernel(4), tensor),
        "tensor_2_stages": (tensor_product.tensor_kernel(2), tensor),
        "tensor_4_stages_adding": (tensor_product.tensor_kernel(4, adds=True), tensor),
    }


def sections(cubin: bytes, beginning: bytes) -> list[bytes]:
    """Contents of the sections of a cubin whose names begin so (ELF64, little-endian)."""
    table = int.from_bytes(cubin[40:48], "little")
    size, count, names_at = (int.from_bytes(cubin[n : n + 2], "little") for n in (58, 60, 62))
    headers = [cubin[table + n * size : table + (n + 1) * size] for n in range(count)]

    def field(header: bytes, at: int, width: int = 8) -> int:
        return int.from_bytes(header[at : at + width], "little")

    names = field(headers[names_at], 24)
    return [
        cubin[field(header, 24) : field(header, 24) + field(header, 32)]
        for header in headers
        if cubin[names + field(header, 0, 4) :].startswith(beginning)
    ]


def machine_code(cubin: bytes) -> bytes:
    """The instructions of a cubin."""
    return b"".join(sections(cubin, b".text."))


def count_imma(code: bytes) -> int:
    """Integer tensor-core instructions: since Volta 16 bytes each, with the opcode in the lowest 12 bits."""
    return sum(int.from_bytes(code[n : n + 2], "little") & 0xFFF == _IMMA for n in range(0, len(code), 16))


@cache
def kernel_ptx(name: str, capability: tuple[int, int]) -> str:
    """PTX of a kernel for a compute capability: what a driver gets to see."""
    kernel, arguments = signatures()[name]
    ptx, _ = cuda.compile_ptx(kernel.py_func, arguments, cc=capability)
    return str(ptx)

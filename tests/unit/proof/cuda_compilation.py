"""Compiles the kernels to PTX and machine code without a GPU, and reads what the assembler says about them."""

from __future__ import annotations

import re
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from numba import int64, types, uint32, uint64

from assay.proof.cuda import plain_kernels, tensor_product
from assay.proof.cuda.runtime import cuda

ARCHITECTURES = ((8, 0), (8, 9), (9, 0), (10, 0), (12, 0))
_TOOL_LIMIT_S = 120
_IMMA = 0x237


@dataclass(frozen=True, slots=True)
class Compiled:
    """One kernel for one architecture; bytes are a thread's. `tensor_instructions` counts IMMA in the machine code."""

    kernel: str
    architecture: str
    ptx: str
    registers: int
    spill_bytes: int
    stack_bytes: int
    tensor_instructions: int


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


def machine_code(cubin: bytes) -> bytes:
    """The instructions of a cubin: its sections called .text.* (ELF64, little-endian)."""
    table = int.from_bytes(cubin[40:48], "little")
    size, count, names_at = (int.from_bytes(cubin[n : n + 2], "little") for n in (58, 60, 62))
    headers = [cubin[table + n * size : table + (n + 1) * size] for n in range(count)]

    def field(header: bytes, at: int, width: int = 8) -> int:
        return int.from_bytes(header[at : at + width], "little")

    names = field(headers[names_at], 24)
    code = b""
    for header in headers:
        at = names + field(header, 0, 4)
        if cubin[at : at + 6] == b".text.":
            code += cubin[field(header, 24) : field(header, 24) + field(header, 32)]
    return code


def count_imma(code: bytes) -> int:
    """Integer tensor-core instructions: since Volta 16 bytes each, with the opcode in the lowest 12 bits."""
    return sum(int.from_bytes(code[n : n + 2], "little") & 0xFFF == _IMMA for n in range(0, len(code), 16))


def assembler() -> Path:
    """ptxas of NVIDIA's wheels. Raises FileNotFoundError."""
    import nvidia  # type: ignore[import-untyped]

    for folder in nvidia.__path__:
        for found in Path(folder).glob("*/bin/ptxas"):
            return found
    raise FileNotFoundError("ptxas: install the wheel nvidia-cuda-nvcc-cu12")


@cache
def kernel_ptx(name: str, capability: tuple[int, int]) -> str:
    """PTX of a kernel for a compute capability: what a driver gets to see."""
    kernel, arguments = signatures()[name]
    ptx, _ = cuda.compile_ptx(kernel.py_func, arguments, cc=capability)
    return str(ptx)


def compile_kernel(name: str, capability: tuple[int, int], ptx_of: tuple[int, int] | None = None) -> Compiled:
    """PTX and what ptxas says about it.

    Args:
        name: of `signatures()`.
        capability: to assemble for.
        ptx_of: capability that the PTX is written for, at most `capability`; default the same.

    Raises:
        RuntimeError: with the assembler's words where it refuses.
    """
    ptx = kernel_ptx(name, ptx_of or capability)
    architecture = f"sm_{capability[0]}{capability[1]}"
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "kernel.ptx"
        source.write_text(ptx)
        done = subprocess.run(
            [assembler(), "-v", f"-arch={architecture}", "-o", Path(folder) / "kernel.cubin", source],
            capture_output=True,
            text=True,
            timeout=_TOOL_LIMIT_S,
            check=False,
        )
        cubin = Path(folder) / "kernel.cubin"
        code = machine_code(cubin.read_bytes()) if cubin.exists() else b""
    said = done.stderr + done.stdout
    if done.returncode:
        raise RuntimeError(f"{name} for {architecture}: ptxas refuses: {said[:2000]}")

    def number(pattern: str) -> int:
        found = re.search(pattern, said)
        return int(found.group(1)) if found else 0

    spills = number(r"(\d+) bytes spill stores") + number(r"(\d+) bytes spill loads")
    stack = number(r"(\d+) bytes stack frame")
    return Compiled(name, architecture, ptx, number(r"Used (\d+) registers"), spills, stack, count_imma(code))

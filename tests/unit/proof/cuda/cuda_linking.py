"""Machine code as cards get it: PTX through nvJitLink, which needs no driver, and what stands in it about registers."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from cuda.bindings import nvjitlink

from .cuda_compilation import count_imma, kernel_ptx, machine_code, sections

# What numba-cuda targets on cards of each generation, and the capability that it writes PTX for there.
TARGETS = {"sm_80": (8, 0), "sm_89": (8, 9), "sm_90a": (9, 0), "sm_100a": (10, 0), "sm_120a": (12, 0)}
_REGISTERS, _FRAME = 0x2F, 0x11  # attributes of the section .nv.info
_SIZED = 4


@dataclass(frozen=True, slots=True)
class Linked:
    """One kernel for one target: registers of a thread, bytes of its stack (what is spilled lies there)."""

    registers: int
    frame_bytes: int
    tensor_instructions: int
    instructions: int


def link(ptx: str, target: str) -> bytes:
    """The cubin. Raises what nvJitLink raises."""
    handle = nvjitlink.create(2, [f"-arch={target}", "-O3"])
    try:
        text = ptx.encode() + b"\0"
        nvjitlink.add_data(handle, nvjitlink.InputType.PTX, text, len(text), "kernel")
        nvjitlink.complete(handle)
        cubin = bytearray(nvjitlink.get_linked_cubin_size(handle))
        nvjitlink.get_linked_cubin(handle, cubin)
        return bytes(cubin)
    finally:
        nvjitlink.destroy(handle)


def attributes(cubin: bytes) -> dict[int, list[int]]:
    """Values by attribute of every function of a cubin."""
    found: dict[int, list[int]] = {}
    for data in sections(cubin, b".nv.info\0"):
        at = 0
        while at < len(data):
            form, attribute, size = data[at], data[at + 1], int.from_bytes(data[at + 2 : at + 4], "little")
            at += 4
            if form == _SIZED:
                found.setdefault(attribute, []).append(int.from_bytes(data[at + 4 : at + 8], "little"))
                at += size
    return found


@cache
def linked(name: str, target: str) -> Linked:
    """A kernel of `signatures()` for a target."""
    cubin = link(kernel_ptx(name, TARGETS[target]), target)
    known, code = attributes(cubin), machine_code(cubin)
    return Linked(max(known[_REGISTERS]), max(known[_FRAME]), count_imma(code), len(code) // 16)

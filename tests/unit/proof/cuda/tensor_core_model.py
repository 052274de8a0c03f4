"""A block of 256 threads in NumPy that executes what `tensor_product.TileProduct` emits, instruction by instruction.

`Machine` stands in for LLVM's builder: it carries out each instruction at once, on arrays of one value a thread, and
holds the program to the rules of asynchronous copies: data land as late as PTX allows, nobody may read them before a
wait of the copying thread and a barrier, and nobody may copy over what was read since the last barrier.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from llvmlite import ir
from numpy.typing import NDArray

THREADS = 256
_LANE = np.arange(THREADS) % 32
_WARP = np.arange(THREADS) // 32
_GROUP, _IN_GROUP = _LANE // 4, _LANE % 4
_BYTES = np.arange(16)


@dataclass
class Register:
    """One value a thread, modulo 2^width."""

    values: NDArray[np.uint64]
    type: ir.IntType

    @classmethod
    def of(cls, values: Any, width: int) -> Register:
        full = np.broadcast_to(np.asarray(values, dtype=np.uint64), (THREADS,))
        return cls(full & np.uint64((1 << width) - 1), ir.IntType(width))

    @property
    def words(self) -> NDArray[np.uint32]:
        return self.values.astype(np.uint32)


def ldmatrix(rows: NDArray[np.uint8]) -> list[NDArray[np.uint32]]:
    """PTX ldmatrix.x4.b16 of 8 warps: row 8q + n that a lane named is row n of matrix q; lane l gets word l % 4 of
    row l / 4 of each. uint8 (8, 32, 16) to four registers."""
    words = np.ascontiguousarray(rows).view(np.uint32)
    return [words[_WARP, 8 * q + _GROUP, _IN_GROUP] for q in range(4)]


def mma(a: list[NDArray[np.uint32]], b: list[NDArray[np.uint32]]) -> list[NDArray[np.int32]]:
    """PTX mma.m16n8k32 of signed bytes, by the ISA's layout of fragments, for 8 warps."""
    left, right = np.zeros((8, 16, 32), np.int32), np.zeros((8, 32, 8), np.int32)
    for byte in range(4):
        for register, words in enumerate(a):
            column = 4 * _IN_GROUP + byte + 16 * (register >> 1)
            left[_WARP, _GROUP + 8 * (register & 1), column] = words.view(np.int8).reshape(-1, 4)[:, byte]
        for register, words in enumerate(b):
            right[_WARP, 4 * _IN_GROUP + byte + 16 * register, _GROUP] = words.view(np.int8).reshape(-1, 4)[:, byte]
    product = left @ right
    return [product[_WARP, _GROUP + 8 * (r >> 1), 2 * _IN_GROUP + (r & 1)] for r in range(4)]


@dataclass
class Machine:
    """Instructions and memory of one block. `arrays` are global memory: (address, bytes)."""

    arrays: list[tuple[int, NDArray[np.uint8]]]
    shared: NDArray[np.uint8]
    conflicts: int = 0  # of loads that need more than the four passes of a load of 512 bytes
    _enabled: bool = True
    _open: list[tuple[NDArray[np.int64], NDArray[np.uint8]]] = field(default_factory=list)
    _groups: list[list[tuple[NDArray[np.int64], NDArray[np.uint8]]]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.visible = np.zeros(len(self.shared), bool)
        self._landed = np.zeros(len(self.shared), bool)
        self._read = np.zeros(len(self.shared), bool)

    # Arithmetic.

    def _values(self, value: Any) -> NDArray[np.uint64]:
        if isinstance(value, bool):
            return np.full(THREADS, value, np.uint64)
        return value.values if isinstance(value, Register) else np.full(THREADS, value.constant, np.uint64)

    def _both(self, a: Any, b: Any, operation: Any) -> Register:
        assert a.type.width == b.type.width
        return Register.of(operation(self._values(a), self._values(b)), a.type.width)

    def add(self, a: Any, b: Any) -> Register:
        return self._both(a, b, np.add)

    def mul(self, a: Any, b: Any) -> Register:
        return self._both(a, b, np.multiply)

    def and_(self, a: Any, b: Any) -> Register:
        return self._both(a, b, np.bitwise_and)

    def xor(self, a: Any, b: Any) -> Register:
        return self._both(a, b, np.bitwise_xor)

    def shl(self, a: Any, b: Any) -> Register:
        return self._both(a, b, np.left_shift)

    def lshr(self, a: Any, b: Any) -> Register:
        return self._both(a, b, np.right_shift)

    def urem(self, a: Any, b: Any) -> Register:
        return self._both(a, b, np.remainder)

    def zext(self, value: Any, kind: ir.IntType) -> Register:
        return Register.of(self._values(value), kind.width)

    trunc = zext

    def ptrtoint(self, pointer: Register, kind: ir.IntType) -> Register:
        return pointer

    def inttoptr(self, address: Register, kind: Any) -> Register:
        return address

    def icmp_unsigned(self, operator: str, a: Any, b: Any) -> bool:
        assert operator == "<"
        found = set((self._values(a) < self._values(b)).tolist())
        assert len(found) == 1, "threads part ways"
        return found.pop()

    @contextmanager
    def if_then(self, condition: bool) -> Iterator[None]:
        before, self._enabled = self._enabled, condition
        yield
        self._enabled = before

    # Variables, and stores of pairs.

    def load(self, slot: list[Register]) -> Register:
        return slot[0]

    def insert_element(self, vector: Any, value: Register, index: Any) -> list[Register]:
        return [*(vector if isinstance(vector, list) else []), value]

    def store(self, value: Any, target: Any, align: int = 0) -> None:
        if isinstance(target, list):
            target[0] = value
            return
        pairs = np.stack([part.words for part in value], axis=1).view(np.uint8)
        assert (target.values % np.uint64(align) == 0).all()
        array, at = self._place(target.values, pairs.shape[1])
        array[at] = pairs

    def _place(self, addresses: NDArray[np.uint64], size: int) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
        """The array that all addresses lie in, and (threads, size) places; fails outside."""
        for base, array in self.arrays:
            at = addresses.astype(np.int64) - base
            if ((at >= 0) & (at + size <= len(array))).all():
                return array, at[:, None] + np.arange(size)
        raise AssertionError("an address outside of its array")

    # Inline PTX.

    def extract_value(self, values: list[Register], index: int) -> Register:
        return values[index]

    def call(self, code: ir.InlineAsm, operands: list[Any]) -> Any:
        name, *rest = code.asm.replace(";", "").split()
        if name == "cp.async.cg.shared.global":
            assert rest[-1] == "16"
            self._copy(*operands)
        elif name == "cp.async.commit_group":
            self._groups.append(self._open)
            self._open = []
        elif name in ("cp.async.wait_group", "cp.async.wait_all"):
            self._wait(int(rest[0]) if rest else 0)
        elif name == "bar.sync":
            self.visible |= self._landed
            self._landed[:] = False
            self._read[:] = False
        elif name.startswith("ldmatrix"):
            return [Register.of(words, 32) for words in ldmatrix(self._rows(operands[0]))]
        elif name == "red.global.add.u32":
            self._add(*operands)
        elif name == "mma.sync.aligned.m16n8k32.row.col.s32.s8.s8.s32":
            words = [operand.words for operand in operands]
            sums = mma(words[:4], words[4:6])
            return [
                Register.of((total + of.view(np.int32)).view(np.uint32), 32)
                for total, of in zip(sums, words[6:], strict=True)
            ]
        else:
            raise AssertionError(f"unknown instruction {code.asm}")
        return None

    def _copy(self, target: Register, source: Register) -> None:
        if not self._enabled:
            return
        array, at = self._place(source.values, 16)
        places = target.values.astype(np.int64)
        assert (places % 16 == 0).all() and (source.values % np.uint64(16) == 0).all()
        where = places[:, None] + _BYTES
        assert not self._read[where].any(), "copied over what others may still read"
        assert np.bincount(where.reshape(-1)).max() == 1, "two threads copy to one place"
        self.visible[where] = False
        self._open.append((where, array[at].copy()))

    def _add(self, target: Register, value: Register) -> None:
        array, at = self._place(target.values, 4)
        assert (target.values % np.uint64(4) == 0).all()
        assert np.bincount((at[:, 0] - at.min()) // 4).max() == 1, "two threads of a block add to one place"
        array[at] = (array[at].view(np.uint32)[:, 0] + value.words)[:, None].view(np.uint8)

    def _wait(self, left: int) -> None:
        while len(self._groups) > left:
            for where, data in self._groups.pop(0):
                self.shared[where] = data
                self._landed[where] = True

    def _rows(self, address: Register) -> NDArray[np.uint8]:
        places = address.values.astype(np.int64)
        assert (places % 16 == 0).all()
        where = places[:, None] + _BYTES
        assert self.visible[where].all(), "read before it is there for all"
        self._read[where] = True
        for eight in places.reshape(-1, 8):
            self.conflicts += len(set((eight // 16 % 8).tolist())) < 8
        return self.shared[where].reshape(8, 32, 16)

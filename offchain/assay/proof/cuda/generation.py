"""The generator of A and B on a card: 32-bit arithmetic throughout, four words at a time.

Numba widens 32-bit arithmetic to 64 bits, which costs twice the instructions, so the loop along a row is LLVM IR.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils

from assay.proof.cuda.emission import Value, constant
from assay.proof.cuda.runtime import cuda, intrinsic, jit

_I32, _I64 = ir.IntType(32), ir.IntType(64)
_QUAD = ir.VectorType(_I32, 4)
QUAD = 4  # words of one load or store
PLACES = 16  # words that two steps of the counter give
_GOLDEN = 0x9E3779B9
_M1, _M2 = 0x21F0AAAD, 0x735A2D97
_SIGN = 0x80808080


def mixed(x: Any, k2: Any) -> Any:
    """Four entries from a key with its counter, and the other key, modulo 2^32 (the formula is in
    `assay.proof.generator`): on Values, or on arrays of uint32.
    """
    x = x ^ (x >> 16)
    x = x * _M1
    x = x ^ k2
    x = x ^ (x >> 15)
    x = x * _M2
    x = x ^ (x >> 15)
    return x ^ _SIGN


class RowWords:
    """Emits a thread's words of one row. `keys` and `words` are addresses of that row; quad n is words 4n to 4n + 3.

    A thread strides by whole pairs of the generator's words, so that its places, and with them its keys, stay.
    """

    def __init__(self, builder: ir.IRBuilder, keys: Any, words: Any, first: Value, stride: Value) -> None:
        self.builder, self.keys, self.words = builder, keys, words
        self.first, self.stride = first, stride
        self.k2: list[Value] = []
        self.slots: list[Any] = []

    def slot(self, value: Value) -> Any:
        """A variable that holds a value from one step to the next."""
        slot = cgutils.alloca_once(self.builder, _I32)
        self.builder.store(value.ir, slot)
        return slot

    def load_quad(self, address: Any) -> list[Value]:
        """Four words from an address that 16 divides."""
        builder = self.builder
        quad = builder.load(builder.inttoptr(address, _QUAD.as_pointer()), align=16)
        return [Value(builder, builder.extract_element(quad, _I32(n))) for n in range(QUAD)]

    def store_quad(self, address: Any, values: list[Value]) -> None:
        """Four words to an address that 16 divides."""
        builder = self.builder
        quad = ir.Constant(_QUAD, ir.Undefined)
        for n, value in enumerate(values):
            quad = builder.insert_element(quad, value.ir, _I32(n))
        builder.store(quad, builder.inttoptr(address, _QUAD.as_pointer()), align=16)

    def _at(self, base: Any, word: Value) -> Any:
        """Address of a word, in 64 bits."""
        builder = self.builder
        return builder.add(base, builder.mul(builder.zext(word.ir, _I64), _I64(4)))

    def begin(self) -> None:
        """The keys of this thread's places, the first with the counter of its first quad."""
        builder = self.builder
        place = (self.first & (PLACES // QUAD - 1)) * QUAD
        counter = (self.first >> 2) * 2 * _GOLDEN
        self.slots = [self.slot(key + counter) for key in self.load_quad(self._at(self.keys, place))]
        self.k2 = self.load_quad(self._at(self.keys, place + constant(builder, PLACES)))

    def advance(self, quad: Value) -> None:
        """One quad."""
        builder = self.builder
        found = []
        for slot, k2 in zip(self.slots, self.k2, strict=True):
            x = Value(builder, builder.load(slot))
            found.append(mixed(x, k2))
            builder.store((x + (self.stride >> 2) * 2 * _GOLDEN).ir, slot)
        self.store_quad(self._at(self.words, quad * QUAD), found)


@intrinsic
def fill_row(_: Any, keys: Any, words: Any, row: Any, first: Any, stride: Any) -> Any:
    """A thread's quads of one row: keys uint32[n, 2, 16], words uint32[n, K/4], first and stride in quads."""

    def generate(context: Any, builder: ir.IRBuilder, signature: Any, arguments: Any) -> Any:
        keys_array, words_array = (
            context.make_array(kind)(context, builder, value)
            for kind, value in zip(signature.args[:2], arguments[:2], strict=True)
        )
        row, first, stride = arguments[2:]
        width = builder.extract_value(words_array.shape, 1)

        def row_of(array: Any, per_row: Any) -> Any:
            offset = builder.mul(builder.mul(row, per_row), _I64(4))
            return builder.add(builder.ptrtoint(array.data, _I64), offset)

        narrow = [builder.trunc(value, _I32) for value in (first, stride, builder.lshr(width, _I64(2)))]
        emitted = RowWords(
            builder,
            row_of(keys_array, _I64(2 * PLACES)),
            row_of(words_array, width),
            *(Value(builder, v) for v in narrow[:2]),
        )
        emitted.begin()
        with cgutils.for_range_slice(builder, narrow[0], narrow[2], narrow[1], _I32) as (quad, _count):
            emitted.advance(Value(builder, quad))
        return context.get_dummy_value()

    return types.void(keys, words, *[types.int64] * 3), generate


@jit
def generate(keys: Any, words: Any) -> None:
    """Entries of vectors: keys uint32[n, 2, 16] to uint32[n, K/4]; blocks of a multiple of 4 threads along a row."""
    first = cuda.blockIdx.x * cuda.blockDim.x + cuda.threadIdx.x
    stride = cuda.gridDim.x * cuda.blockDim.x
    for row in range(cuda.blockIdx.y, words.shape[0], cuda.gridDim.y):
        fill_row(keys, words, row, first, stride)

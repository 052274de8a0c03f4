"""The generator's mixer on sixteen words at a time, written as LLVM IR for Numba."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from assay.proof.kernels.vectors import I32, I64, SIXTEEN, address, loaded, splat, stored

_GOLDEN = 0x9E3779B9
_MULTIPLIERS = (0x21F0AAAD, 0x735A2D97)
_BYTES = ir.VectorType(ir.IntType(8), 64)
_HALVES = ir.VectorType(ir.IntType(16), 32)


def _constant(value: int) -> Any:
    return ir.Constant(SIXTEEN, [value] * 16)


def _mixed(builder: ir.IRBuilder, counter: Any, k2: Any) -> Any:
    x = builder.xor(counter, builder.lshr(counter, _constant(16)))
    x = builder.xor(builder.mul(x, _constant(_MULTIPLIERS[0])), k2)
    x = builder.xor(x, builder.lshr(x, _constant(15)))
    x = builder.mul(x, _constant(_MULTIPLIERS[1]))
    return builder.xor(x, builder.lshr(x, _constant(15)))


@intrinsic  # type: ignore[untyped-decorator]
def fill_words(_: Any, keys: Any, keys_at: Any, first_word: Any, out: Any, out_at: Any, pairs: Any, sign: Any) -> Any:
    """Words of one vector.

    Args:
        keys: uint32[...], k1 and k2 of two words' lanes, 32 values from keys_at.
        first_word: int64, even.
        out: uint32[...], written from out_at; 16 a pair.
        pairs: int64, pairs of words.
        sign: uint32, 0x80808080 for int8 entries, 0 for entries + 128.
    """

    def generate(context: Any, builder: ir.IRBuilder, signature: Any, arguments: Any) -> Any:
        key_data = address(context, builder, signature.args[0], arguments[0], I32)
        data = builder.gep(address(context, builder, signature.args[3], arguments[3], I32), [arguments[4]])
        k1 = loaded(builder, key_data, arguments[1])
        k2 = loaded(builder, key_data, builder.add(arguments[1], I64(16)))
        flip = splat(builder, arguments[6])
        first = builder.mul(builder.trunc(arguments[2], I32), I32(_GOLDEN))
        counter = cgutils.alloca_once(builder, SIXTEEN)
        builder.store(builder.add(k1, splat(builder, first)), counter)
        with cgutils.for_range(builder, arguments[5]) as loop:
            value = builder.load(counter)
            words = builder.xor(_mixed(builder, value, k2), flip)
            stored(builder, words, data, builder.mul(loop.index, I64(16)))
            builder.store(builder.add(value, _constant(2 * _GOLDEN & 0xFFFFFFFF)), counter)
        return context.get_dummy_value()

    i64 = types.int64
    return types.void(keys, i64, i64, out, i64, i64, types.uint32), generate


@intrinsic  # type: ignore[untyped-decorator]
def fill_groups(_: Any, keys: Any, keys_at: Any, first_word: Any, out: Any, stride: Any, groups: Any) -> Any:
    """One pair of words of many vectors, with the bytes of four vectors side by side.

    Args:
        keys: uint32[...], 32 values a vector from keys_at.
        first_word: int64, even: entries 32·first_word to 32·first_word + 63.
        out: uint32[...], written: byte s of word p, for four vectors of group g, at stride·s + 16·g + p;
            the entries
            are unsigned (+ 128).
        stride: int64.
        groups: int64, of four vectors.
    """

    def generate(context: Any, builder: ir.IRBuilder, signature: Any, arguments: Any) -> Any:
        key_data = builder.gep(address(context, builder, signature.args[0], arguments[0], I32), [arguments[1]])
        data = address(context, builder, signature.args[3], arguments[3], I32)
        step = splat(builder, builder.mul(builder.trunc(arguments[2], I32), I32(_GOLDEN)))
        with cgutils.for_range(builder, arguments[5]) as loop:
            rows = []
            for r in range(4):
                at = builder.add(builder.mul(loop.index, I64(128)), I64(32 * r))
                k1, k2 = loaded(builder, key_data, at), loaded(builder, key_data, builder.add(at, I64(16)))
                rows.append(builder.bitcast(_mixed(builder, builder.add(k1, step), k2), _BYTES))
            pairs = [_interleaved(builder, rows[0], rows[1]), _interleaved(builder, rows[2], rows[3])]
            for s in range(4):
                low, high = (builder.bitcast(pair[s // 2], _HALVES) for pair in pairs)
                lanes = [lane for p in range(16) for lane in (2 * p + s % 2, 32 + 2 * p + s % 2)]
                mask = ir.Constant(ir.VectorType(I32, 32), lanes)
                column = builder.bitcast(builder.shuffle_vector(low, high, mask), SIXTEEN)
                at = builder.add(builder.mul(arguments[4], I64(s)), builder.mul(loop.index, I64(16)))
                stored(builder, column, data, at)
        return context.get_dummy_value()

    i64 = types.int64
    return types.void(keys, i64, i64, out, i64, i64), generate


def _interleaved(builder: ir.IRBuilder, a: Any, b: Any) -> list[Any]:
    """Bytes 0 and 1 of each word of a and b as a0 b0 a1 b1; then bytes 2 and 3."""
    out = []
    for half in (0, 2):
        lanes = [lane for p in range(16) for s in (half, half + 1) for lane in (4 * p + s, 64 + 4 * p + s)]
        out.append(builder.shuffle_vector(a, b, ir.Constant(ir.VectorType(I32, 64), lanes)))
    return out

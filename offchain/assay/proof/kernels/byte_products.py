"""Sums of byte products on 512-bit vectors (AVX-512 VNNI), written as LLVM IR for Numba.

One instruction adds 64 products of an unsigned and a signed byte to sixteen 32-bit sums, modulo 2^32. The
sums here
stay within int32, so they are exact: 65,536 · 255 · 128 < 2^31.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import binding, ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

TILE_ROWS = 8
TILE_COLUMNS = 32
LIMBS = 8

_I32 = ir.IntType(32)
_I64 = ir.IntType(64)
_SIXTEEN = ir.VectorType(_I32, 16)
_ZERO_LANES = ir.Constant(ir.VectorType(_I32, 16), [0] * 16)


def has_vnni() -> bool:
    """Whether this processor has the instruction."""
    return bool(binding.get_host_cpu_features().get("avx512vnni", False))


def _splat(builder: ir.IRBuilder, value: Any) -> Any:
    undefined = ir.Constant(_SIXTEEN, ir.Undefined)
    return builder.shuffle_vector(builder.insert_element(undefined, value, _I32(0)), undefined, _ZERO_LANES)


def _add_products(builder: ir.IRBuilder, total: Any, unsigned: Any, signed: Any) -> Any:
    kind = ir.FunctionType(_SIXTEEN, [_SIXTEEN, _SIXTEEN, _SIXTEEN])
    function = cgutils.get_or_insert_function(builder.module, kind, "llvm.x86.avx512.vpdpbusd.512")
    return builder.call(function, [total, unsigned, signed])


def _data(context: Any, builder: ir.IRBuilder, kind: Any, value: Any, pointer: Any) -> Any:
    return builder.bitcast(context.make_array(kind)(context, builder, value).data, pointer.as_pointer())


def _accumulate(builder: ir.IRBuilder, count: int, start: Callable[[int], Any]) -> list[Any]:
    slots = [cgutils.alloca_once(builder, _SIXTEEN) for _ in range(count)]
    for n, slot in enumerate(slots):
        builder.store(start(n), slot)
    return slots


@intrinsic  # type: ignore[untyped-decorator]
def multiply_tile(
    _: Any, a: Any, a_at: Any, a_stride: Any, b: Any, b_at: Any, c: Any, c_at: Any, c_stride: Any, steps: Any
) -> Any:
    """c[8, 32] += a[8, 4·steps] · b[4·steps, 32].

    Args:
        a: uint32[...], four unsigned bytes each; row r starts at a_at + r·a_stride.
        b: uint32[...], four signed bytes each; step s of the 32 columns starts at b_at + 32·s.
        c: int32[...]; row r starts at c_at + r·c_stride.
        steps: int64.
    """

    def generate(context: Any, builder: ir.IRBuilder, signature: Any, arguments: Any) -> Any:
        kinds = signature.args
        a_data = _data(context, builder, kinds[0], arguments[0], _I32)
        b_data = _data(context, builder, kinds[3], arguments[3], _I32)
        c_data = _data(context, builder, kinds[5], arguments[5], _I32)
        a_at, a_stride, b_at, c_at, c_stride, count = (arguments[n] for n in (1, 2, 4, 6, 7, 8))
        rows = [
            builder.gep(a_data, [builder.add(a_at, builder.mul(a_stride, _I64(r)))]) for r in range(TILE_ROWS)
        ]
        places = [
            builder.bitcast(
                builder.gep(
                    c_data, [builder.add(builder.add(c_at, builder.mul(c_stride, _I64(r))), _I64(16 * h))]
                ),
                _SIXTEEN.as_pointer(),
            )
            for r in range(TILE_ROWS)
            for h in range(2)
        ]
        sums = _accumulate(builder, 2 * TILE_ROWS, lambda n: builder.load(places[n], align=4))
        columns = builder.gep(b_data, [b_at])
        with cgutils.for_range(builder, count) as loop:
            at = builder.gep(columns, [builder.mul(loop.index, _I64(TILE_COLUMNS))])
            halves = [
                builder.load(builder.bitcast(builder.gep(at, [_I64(16 * h)]), _SIXTEEN.as_pointer()), align=4)
                for h in range(2)
            ]
            for r in range(TILE_ROWS):
                entry = _splat(builder, builder.load(builder.gep(rows[r], [loop.index]), align=4))
                for h in range(2):
                    slot = sums[2 * r + h]
                    builder.store(_add_products(builder, builder.load(slot), entry, halves[h]), slot)
        for slot, place in zip(sums, places, strict=True):
            builder.store(builder.load(slot), place, align=4)
        return context.get_dummy_value()

    i64 = types.int64
    return types.void(a, i64, i64, b, i64, c, i64, i64, i64), generate

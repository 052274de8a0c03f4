"""Sums of byte products on 512-bit vectors (AVX-512 VNNI), written as LLVM IR for Numba.

One instruction adds 64 products of an unsigned and a signed byte to sixteen 32-bit sums, modulo 2^32. The
sums here
stay within int32, so they are exact: 65,536 · 255 · 128 < 2^31.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from llvmlite import binding, ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from assay.proof.kernels.vectors import I32, I64, SIXTEEN, address, loaded, splat

ENVIRONMENT = "ASSAY_PROOF_VNNI"
TILE_ROWS = 8
TILE_COLUMNS = 32
LIMBS = 8


def has_vnni() -> bool:
    """Whether this processor has the instruction, and ASSAY_PROOF_VNNI is not 0."""
    return os.environ.get(ENVIRONMENT) != "0" and bool(binding.get_host_cpu_features().get("avx512vnni", False))


def _add_products(builder: ir.IRBuilder, total: Any, unsigned: Any, signed: Any) -> Any:
    kind = ir.FunctionType(SIXTEEN, [SIXTEEN, SIXTEEN, SIXTEEN])
    function = cgutils.get_or_insert_function(builder.module, kind, "llvm.x86.avx512.vpdpbusd.512")
    return builder.call(function, [total, unsigned, signed])


def _accumulate(builder: ir.IRBuilder, count: int, start: Callable[[int], Any]) -> list[Any]:
    slots = [cgutils.alloca_once(builder, SIXTEEN) for _ in range(count)]
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
        a_data = address(context, builder, kinds[0], arguments[0], I32)
        b_data = address(context, builder, kinds[3], arguments[3], I32)
        c_data = address(context, builder, kinds[5], arguments[5], I32)
        a_at, a_stride, b_at, c_at, c_stride, count = (arguments[n] for n in (1, 2, 4, 6, 7, 8))
        rows = [builder.gep(a_data, [builder.add(a_at, builder.mul(a_stride, I64(r)))]) for r in range(TILE_ROWS)]
        places = [
            builder.bitcast(
                builder.gep(c_data, [builder.add(builder.add(c_at, builder.mul(c_stride, I64(r))), I64(16 * h))]),
                SIXTEEN.as_pointer(),
            )
            for r in range(TILE_ROWS)
            for h in range(2)
        ]
        sums = _accumulate(builder, 2 * TILE_ROWS, lambda n: builder.load(places[n], align=4))
        columns = builder.gep(b_data, [b_at])
        with cgutils.for_range(builder, count) as loop:
            at = builder.gep(columns, [builder.mul(loop.index, I64(TILE_COLUMNS))])
            halves = [
                builder.load(builder.bitcast(builder.gep(at, [I64(16 * h)]), SIXTEEN.as_pointer()), align=4)
                for h in range(2)
            ]
            for r in range(TILE_ROWS):
                entry = splat(builder, builder.load(builder.gep(rows[r], [loop.index]), align=4))
                for h in range(2):
                    slot = sums[2 * r + h]
                    builder.store(_add_products(builder, builder.load(slot), entry, halves[h]), slot)
        for slot, place in zip(sums, places, strict=True):
            builder.store(builder.load(slot), place, align=4)
        return context.get_dummy_value()

    i64 = types.int64
    return types.void(a, i64, i64, b, i64, c, i64, i64, i64), generate


@intrinsic  # type: ignore[untyped-decorator]
def project_planes(_: Any, planes: Any, stride: Any, entries: Any, steps: Any, sums: Any) -> Any:
    """Eight dot products of one vector of signed bytes with planes of unsigned ones.

    Args:
        planes: uint8[...]; plane l starts at l·stride.
        stride: int64, bytes from plane to plane.
        entries: int8[64·steps].
        steps: int64.
        sums: int32[8·16], written; the sum of sixteen is the dot product.
    """

    def generate(context: Any, builder: ir.IRBuilder, signature: Any, arguments: Any) -> Any:
        byte = ir.IntType(8)
        plane_data = address(context, builder, signature.args[0], arguments[0], byte)
        entry_data = address(context, builder, signature.args[2], arguments[2], byte)
        out = address(context, builder, signature.args[4], arguments[4], I32)
        planes_at = [builder.gep(plane_data, [builder.mul(arguments[1], I64(n))]) for n in range(LIMBS)]
        slots = _accumulate(builder, LIMBS, lambda n: ir.Constant(SIXTEEN, [0] * 16))
        with cgutils.for_range(builder, arguments[3]) as loop:
            at = builder.mul(loop.index, I64(64))
            entry = loaded(builder, entry_data, at)
            for plane, slot in zip(planes_at, slots, strict=True):
                total = _add_products(builder, builder.load(slot), loaded(builder, plane, at), entry)
                builder.store(total, slot)
        for n, slot in enumerate(slots):
            place = builder.bitcast(builder.gep(out, [I64(16 * n)]), SIXTEEN.as_pointer())
            builder.store(builder.load(slot), place, align=4)
        return context.get_dummy_value()

    return types.void(planes, types.int64, entries, types.int64, sums), generate


@intrinsic  # type: ignore[untyped-decorator]
def project_groups(_: Any, groups: Any, at: Any, count: Any, limbs: Any, limbs_at: Any, sums: Any, sums_at: Any) -> Any:
    """Adds products of groups of four rows with the limbs of their factors.

    Args:
        groups: uint32[...]; group g at at + 16·g, each word the same column of four rows as unsigned bytes.
        count: int64, groups.
        limbs: uint32[...]; limb l of group g at limbs_at + 8·g + l, four signed bytes.
        sums: int32[...]; limb l at sums_at + 16·l, added to.
    """

    def generate(context: Any, builder: ir.IRBuilder, signature: Any, arguments: Any) -> Any:
        kinds = signature.args
        group_data = builder.gep(address(context, builder, kinds[0], arguments[0], I32), [arguments[1]])
        limb_data = builder.gep(address(context, builder, kinds[3], arguments[3], I32), [arguments[4]])
        out = builder.gep(address(context, builder, kinds[5], arguments[5], I32), [arguments[6]])
        places = [builder.bitcast(builder.gep(out, [I64(16 * n)]), SIXTEEN.as_pointer()) for n in range(LIMBS)]
        slots = _accumulate(builder, LIMBS, lambda n: builder.load(places[n], align=4))
        with cgutils.for_range(builder, arguments[2]) as loop:
            columns = loaded(builder, group_data, builder.mul(loop.index, I64(16)))
            for n, slot in enumerate(slots):
                at_limb = builder.add(builder.mul(loop.index, I64(LIMBS)), I64(n))
                limb = splat(builder, builder.load(builder.gep(limb_data, [at_limb]), align=4))
                builder.store(_add_products(builder, builder.load(slot), columns, limb), slot)
        for slot, place in zip(slots, places, strict=True):
            builder.store(builder.load(slot), place, align=4)
        return context.get_dummy_value()

    i64 = types.int64
    return types.void(groups, i64, i64, limbs, i64, sums, i64), generate

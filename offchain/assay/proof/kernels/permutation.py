"""keccak-f on eight states at once, and on one.

Written as LLVM IR on vectors of 512 bits. LLVM splits them for narrower machines, so the results are the
same everywhere; only the speed differs.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

LANES = 8
_U64 = ir.IntType(64)
_I32 = ir.IntType(32)

_ROTATIONS = (0, 1, 62, 28, 27, 36, 44, 6, 55, 20, 3, 10, 43, 25, 39, 41, 45, 15, 21, 8, 18, 2, 61, 56, 14)
ROUND_CONSTANTS = (
    0x0000000000000001, 0x0000000000008082, 0x800000000000808A, 0x8000000080008000,
    0x000000000000808B, 0x0000000080000001, 0x8000000080008081, 0x8000000000008009,
    0x000000000000008A, 0x0000000000000088, 0x0000000080008009, 0x000000008000000A,
    0x000000008000808B, 0x800000000000008B, 0x8000000000008089, 0x8000000000008003,
    0x8000000000008002, 0x8000000000000080, 0x000000000000800A, 0x800000008000000A,
    0x8000000080008081, 0x8000000000008080, 0x0000000080000001, 0x8000000080008008,
)  # fmt: skip


def keccak_round(builder: ir.IRBuilder, a: list[Any], constant: Any, rotate: Any) -> list[Any]:
    """One round of keccak-f[1600] on 25 values, lane (x, y) at x + 5·y."""
    parity = []
    for x in range(5):
        column = a[x]
        for y in range(1, 5):
            column = builder.xor(column, a[x + 5 * y])
        parity.append(column)
    theta = [builder.xor(parity[(x + 4) % 5], rotate(parity[(x + 1) % 5], 1)) for x in range(5)]
    moved: list[Any] = [None] * 25
    for x in range(5):
        for y in range(5):
            mixed = builder.xor(a[x + 5 * y], theta[x])
            moved[y + 5 * ((2 * x + 3 * y) % 5)] = rotate(mixed, _ROTATIONS[x + 5 * y])
    out = []
    for y in range(5):
        row = moved[5 * y : 5 * y + 5]
        for x in range(5):
            out.append(builder.xor(row[x], builder.and_(builder.not_(row[(x + 1) % 5]), row[(x + 2) % 5])))
    out[0] = builder.xor(out[0], constant)
    return out


def _permutation(lanes: int) -> Any:
    vector = _U64 if lanes == 1 else ir.VectorType(_U64, lanes)

    @intrinsic  # type: ignore[untyped-decorator]
    def permute(_: Any, state: Any) -> Any:
        def generate(context: Any, builder: ir.IRBuilder, signature: Any, arguments: Any) -> Any:
            data = context.make_array(signature.args[0])(context, builder, arguments[0]).data
            base = builder.bitcast(data, vector.as_pointer())
            name = "llvm.fshl.i64" if lanes == 1 else f"llvm.fshl.v{lanes}i64"
            funnel = cgutils.get_or_insert_function(
                builder.module, ir.FunctionType(vector, [vector, vector, vector]), name
            )

            def splat(value: Any) -> Any:
                if lanes == 1:
                    return value
                first = builder.insert_element(ir.Constant(vector, ir.Undefined), value, _I32(0))
                return builder.shuffle_vector(
                    first,
                    ir.Constant(vector, ir.Undefined),
                    ir.Constant(ir.VectorType(_I32, lanes), [0] * lanes),
                )

            def rotate(value: Any, amount: int) -> Any:
                return value if amount == 0 else builder.call(funnel, [value, value, splat(_U64(amount))])

            places = [builder.gep(base, [_I32(n)]) for n in range(25)]
            slots = [cgutils.alloca_once(builder, vector) for _ in range(25)]
            for slot, place in zip(slots, places, strict=True):
                builder.store(builder.load(place, align=8), slot)
            table = cgutils.global_constant(
                builder, "keccak_rounds", ir.Constant(ir.ArrayType(_U64, 24), list(ROUND_CONSTANTS))
            )
            with cgutils.for_range(builder, ir.Constant(ir.IntType(64), 24)) as loop:
                constant = splat(builder.load(builder.gep(table, [_I32(0), loop.index])))
                after = keccak_round(builder, [builder.load(s) for s in slots], constant, rotate)
                for slot, value in zip(slots, after, strict=True):
                    builder.store(value, slot)
            for slot, place in zip(slots, places, strict=True):
                builder.store(builder.load(slot), place, align=8)
            return context.get_dummy_value()

        return types.void(state), generate

    return permute


# keccak-f on uint64[200]: word w of state s at 8·w + s; and on a single uint64[25].
permute8 = _permutation(LANES)
permute1 = _permutation(1)

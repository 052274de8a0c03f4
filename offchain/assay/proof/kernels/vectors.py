"""LLVM values that the hand-written kernels share: vectors of sixteen 32-bit integers."""

from __future__ import annotations

from typing import Any

from llvmlite import ir

I32 = ir.IntType(32)
I64 = ir.IntType(64)
SIXTEEN = ir.VectorType(I32, 16)
_FIRST = ir.Constant(SIXTEEN, [0] * 16)


def splat(builder: ir.IRBuilder, value: Any) -> Any:
    """A 32-bit value sixteen times."""
    undefined = ir.Constant(SIXTEEN, ir.Undefined)
    return builder.shuffle_vector(builder.insert_element(undefined, value, I32(0)), undefined, _FIRST)


def address(context: Any, builder: ir.IRBuilder, kind: Any, value: Any, element: Any) -> Any:
    """Where a contiguous array's data lie, as a pointer to `element`."""
    return builder.bitcast(context.make_array(kind)(context, builder, value).data, element.as_pointer())


def loaded(builder: ir.IRBuilder, base: Any, index: Any) -> Any:
    """Sixteen words, unaligned, from an element of an array."""
    return builder.load(builder.bitcast(builder.gep(base, [index]), SIXTEEN.as_pointer()), align=1)


def stored(builder: ir.IRBuilder, value: Any, base: Any, index: Any) -> None:
    """Writes sixteen words, unaligned."""
    builder.store(value, builder.bitcast(builder.gep(base, [index]), SIXTEEN.as_pointer()), align=1)

"""Instructions of kernels that are written as LLVM IR: 32-bit arithmetic and inline PTX."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from llvmlite import ir
from numba import types

from assay.proof.cuda.runtime import intrinsic

_I32 = ir.IntType(32)


class Value:
    """An unsigned 32-bit LLVM value; operators emit instructions. Division is by constants and powers of two."""

    __slots__ = ("builder", "ir")

    def __init__(self, builder: ir.IRBuilder, value: Any) -> None:
        self.builder, self.ir = builder, value

    def _of(self, other: Value | int) -> Any:
        return other.ir if isinstance(other, Value) else _I32(other)

    def _new(self, value: Any) -> Value:
        return Value(self.builder, value)

    def __add__(self, other: Value | int) -> Value:
        return self._new(self.builder.add(self.ir, self._of(other)))

    def __mul__(self, other: Value | int) -> Value:
        return self._new(self.builder.mul(self.ir, self._of(other)))

    def __and__(self, other: Value | int) -> Value:
        return self._new(self.builder.and_(self.ir, self._of(other)))

    def __xor__(self, other: Value | int) -> Value:
        return self._new(self.builder.xor(self.ir, self._of(other)))

    def __lshift__(self, other: Value | int) -> Value:
        return self._new(self.builder.shl(self.ir, self._of(other)))

    def __rshift__(self, other: Value | int) -> Value:
        return self._new(self.builder.lshr(self.ir, self._of(other)))

    def __mod__(self, other: int) -> Value:
        return self._new(self.builder.urem(self.ir, self._of(other)))

    __radd__ = __add__
    __rmul__ = __mul__


def constant(builder: ir.IRBuilder, value: int) -> Value:
    """A number as a value."""
    return Value(builder, _I32(value))


def assembly(builder: ir.IRBuilder, text: str, operands: Sequence[Any], results: int = 0) -> list[Any]:
    """Emits inline PTX with 32- and 64-bit register operands; returns its 32-bit results."""
    letters = ["l" if operand.type.width == 64 else "r" for operand in operands]
    if results == 1:
        kind: Any = _I32
        constraints = ",".join(["=r", *letters])
    elif results:
        kind = ir.LiteralStructType([_I32] * results)
        constraints = ",".join(["=r"] * results + letters)
    else:
        kind = ir.VoidType()
        constraints = ",".join([*letters, "~{memory}"])
    function = ir.FunctionType(kind, [operand.type for operand in operands])
    # Loads from shared memory may not move across the barriers, so all of this has side effects.
    value = builder.call(ir.InlineAsm(function, text, constraints, side_effect=True), list(operands))
    return [value] if results == 1 else [builder.extract_value(value, n) for n in range(results)]


@intrinsic
def bits_of(_: Any, value: Any) -> Any:
    """The 32 bits of a float32, as uint32."""

    def generate(context: Any, builder: ir.IRBuilder, signature: Any, arguments: Any) -> Any:
        return builder.bitcast(arguments[0], _I32)

    return types.uint32(types.float32), generate


@intrinsic
def dot4(_: Any, left: Any, right: Any, total: Any) -> Any:
    """total + Σ of four products of signed bytes: two uint32 of four bytes, and an int32."""

    def generate(context: Any, builder: ir.IRBuilder, signature: Any, arguments: Any) -> Any:
        return assembly(builder, "dp4a.s32.s32 $0, $1, $2, $3;", list(arguments), results=1)[0]

    return types.int32(types.uint32, types.uint32, types.int32), generate

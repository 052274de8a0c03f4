"""keccak-f as an intrinsic: the same rounds as on the processor, compiled in a moment and kept in registers."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils

from assay.proof.cuda.runtime import intrinsic
from assay.proof.kernels.permutation import ROUND_CONSTANTS, keccak_round

_U64 = ir.IntType(64)
_CONSTANT_MEMORY = 4
_TABLE = "assay_keccak_rounds"


def _rotate(builder: ir.IRBuilder, value: Any, amount: int) -> Any:
    if amount == 0:
        return value
    return builder.or_(builder.shl(value, _U64(amount)), builder.lshr(value, _U64(64 - amount)))


def _table(module: ir.Module) -> Any:
    found = module.globals.get(_TABLE)
    if found is None:
        kind = ir.ArrayType(_U64, 24)
        found = ir.GlobalVariable(module, kind, _TABLE, addrspace=_CONSTANT_MEMORY)
        found.initializer = ir.Constant(kind, list(ROUND_CONSTANTS))
        found.global_constant = True
        found.linkage = "internal"
    return found


@intrinsic
def permuted(_: Any, state: Any) -> Any:
    """keccak-f on a tuple of 25 uint64."""

    def generate(context: Any, builder: ir.IRBuilder, signature: Any, arguments: Any) -> Any:
        slots = [cgutils.alloca_once(builder, _U64) for _ in range(25)]
        for n, slot in enumerate(slots):
            builder.store(builder.extract_value(arguments[0], n), slot)
        table = _table(builder.module)
        with cgutils.for_range(builder, _U64(24)) as loop:
            constant = builder.load(builder.gep(table, [ir.IntType(32)(0), loop.index]))
            after = keccak_round(
                builder, [builder.load(slot) for slot in slots], constant, lambda v, n: _rotate(builder, v, n)
            )
            for slot, value in zip(slots, after, strict=True):
                builder.store(value, slot)
        return context.make_tuple(builder, signature.return_type, [builder.load(slot) for slot in slots])

    return types.UniTuple(types.uint64, 25)(state), generate

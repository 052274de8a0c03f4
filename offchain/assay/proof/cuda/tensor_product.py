"""The product on int8 tensor cores: cp.async in stages, ldmatrix, mma.sync, written as LLVM IR with inline PTX.

One block of 256 threads computes 128 × 256 elements; each of its eight warps 64 × 64 in 128 registers a thread. All
index arithmetic is `fragments`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils

from assay.proof.cuda import fragments as f
from assay.proof.cuda.runtime import cuda, intrinsic, jit

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
    if results:
        kind: Any = ir.LiteralStructType([_I32] * results)
        constraints = ",".join(["=r"] * results + letters)
    else:
        kind = ir.VoidType()
        constraints = ",".join([*letters, "~{memory}"])
    function = ir.FunctionType(kind, [operand.type for operand in operands])
    # Loads from shared memory may not move across the barriers, so all of this has side effects.
    value = builder.call(ir.InlineAsm(function, text, constraints, side_effect=True), list(operands))
    return [builder.extract_value(value, n) for n in range(results)]


STAGES = 4  # 96 KiB of shared memory; two stages fit the 48 KiB that every launch may use
_I32, _I64 = ir.IntType(32), ir.IntType(64)
M_TILES, N_TILES = f.WARP_M // f.MMA_M, f.WARP_N // f.MMA_N


def shared_bytes(stages: int) -> int:
    """Dynamic shared memory of a launch."""
    return stages * f.STAGE_BYTES


def _shared_base(builder: ir.IRBuilder) -> Value:
    module = builder.module
    name = "assay_tiles"
    tiles = module.globals.get(name)
    if tiles is None:
        tiles = ir.GlobalVariable(module, ir.ArrayType(ir.IntType(8), 0), name, addrspace=3)
        tiles.linkage = "external"
        tiles.align = 128
    return Value(builder, builder.trunc(builder.ptrtoint(tiles, _I64), _I32))


class TileProduct:
    """Emits the product of one block."""

    def __init__(
        self, builder: ir.IRBuilder, stages: int, base: Value, pointers: tuple[Any, Any, Any], sizes: Any
    ) -> None:
        self.builder, self.stages, self.base = builder, stages, base
        self.a, self.b, self.c = pointers
        self.thread, self.block_m, self.block_n, self.columns, self.length = (
            Value(builder, builder.trunc(size, _I32)) for size in sizes
        )
        self.lane, self.warp = self.thread & 31, self.thread >> 5
        self.steps = self.length >> 6

    def constant(self, value: int) -> Value:
        return constant(self.builder, value)

    def _address(self, pointer: Any, row: Value, at: Value, pitch: Value) -> Any:
        """Global address of byte `at` of a row, in 64 bits."""
        builder = self.builder
        wide = [builder.zext(value.ir, _I64) for value in (row, at, pitch)]
        offset = builder.add(builder.mul(wide[0], wide[2]), wide[1])
        return builder.add(builder.ptrtoint(pointer, _I64), offset)

    def copy_stage(self, step: Value) -> None:
        """Starts the copies of one stage, if there is such a step, and closes the group in any case."""
        builder = self.builder
        stage = self.base + (step % self.stages) * f.STAGE_BYTES
        with builder.if_then(builder.icmp_unsigned("<", step.ir, self.steps.ir)):
            for pointer, first, rows, offset in (
                (self.a, self.block_m * f.TILE_M, f.TILE_M, 0),
                (self.b, self.block_n * f.TILE_N, f.TILE_N, f.A_BYTES),
            ):
                for turn in range(rows * (f.DEPTH // f.PIECE) // f.THREADS):
                    row, piece = f.copied(self.thread, turn)
                    source = self._address(pointer, first + row, step * f.DEPTH + piece * f.PIECE, self.length)
                    target = stage + f.swizzled(row, piece) + offset
                    assembly(builder, "cp.async.cg.shared.global [$0], [$1], 16;", [target.ir, source])
        assembly(builder, "cp.async.commit_group;", [])

    def load(self, address: Value) -> list[Any]:
        """Four 8 × 16-byte matrices: four registers."""
        text = "ldmatrix.sync.aligned.m8n8.x4.shared.b16 {$0, $1, $2, $3}, [$4];"
        return assembly(self.builder, text, [address.ir], results=4)

    def multiply_stage(self, step: Value, sums: list[list[list[Any]]]) -> None:
        """Adds one stage to the accumulators, slots of [m][n][register]."""
        builder = self.builder
        stage = self.base + (step % self.stages) * f.STAGE_BYTES
        first_row, first_column = f.warp_origin(self.warp)
        for half in range(f.DEPTH // f.MMA_K):
            left = []
            for m in range(M_TILES):
                row, piece = f.a_matrix(self.lane, m, half)
                left.append(self.load(stage + f.swizzled(first_row + row, piece)))
            right: list[list[Any]] = []
            for pair in range(N_TILES // 2):
                row, piece = f.b_matrix(self.lane, pair, half)
                four = self.load(stage + f.A_BYTES + f.swizzled(first_column + row, piece))
                right += [four[:2], four[2:]]
            for m in range(M_TILES):
                for n in range(N_TILES):
                    slots = sums[m][n]
                    text = (
                        "mma.sync.aligned.m16n8k32.row.col.s32.s8.s8.s32 "
                        "{$0, $1, $2, $3}, {$4, $5, $6, $7}, {$8, $9}, {$10, $11, $12, $13};"
                    )
                    operands = [*left[m], *right[n], *(builder.load(slot) for slot in slots)]
                    for slot, value in zip(slots, assembly(builder, text, operands, results=4), strict=True):
                        builder.store(value, slot)

    def store(self, sums: list[list[list[Any]]]) -> None:
        """Waits for copies that nobody reads, and writes the accumulators: two neighbours of a row at a time."""
        builder = self.builder
        assembly(builder, "cp.async.wait_all;", [])
        pair = ir.VectorType(_I32, 2)
        row_0, column_0 = f.warp_origin(self.warp)
        for m in range(M_TILES):
            for n in range(N_TILES):
                for register in (0, 2):
                    row, column = f.result_place(self.lane, m, n, register)
                    row = self.block_m * f.TILE_M + row_0 + row
                    column = self.block_n * f.TILE_N + column_0 + column
                    address = self._address(self.c, row, column * 4, self.columns * 4)
                    value = ir.Constant(pair, ir.Undefined)
                    for n_register in range(2):
                        word = builder.load(sums[m][n][register + n_register])
                        value = builder.insert_element(value, word, _I32(n_register))
                    builder.store(value, builder.inttoptr(address, pair.as_pointer()), align=8)

    def begin(self) -> None:
        """Starts the copies of all stages but one."""
        for stage in range(self.stages - 1):
            self.copy_stage(self.constant(stage))

    def advance(self, step: Value, sums: list[list[list[Any]]]) -> None:
        """One step along K."""
        assembly(self.builder, f"cp.async.wait_group {self.stages - 2};", [])
        # Everybody's copies have landed, and nobody reads the stage that is filled next.
        assembly(self.builder, "bar.sync 0;", [])
        self.copy_stage(step + (self.stages - 1))
        self.multiply_stage(step, sums)

    def emit(self) -> None:
        """Prologue, loop over K, epilogue."""
        builder = self.builder
        sums = [
            [[cgutils.alloca_once_value(builder, _I32(0)) for _ in range(4)] for _ in range(N_TILES)]
            for _ in range(M_TILES)
        ]
        self.begin()
        with cgutils.for_range(builder, self.steps.ir) as loop:
            self.advance(Value(builder, loop.index), sums)
        self.store(sums)


def _block_intrinsic(stages: int) -> Any:
    @intrinsic
    def multiply_block(
        _: Any, a: Any, b: Any, c: Any, thread: Any, block_m: Any, block_n: Any, columns: Any, length: Any
    ) -> Any:
        def generate(context: Any, builder: ir.IRBuilder, signature: Any, arguments: Any) -> Any:
            pointers = tuple(
                context.make_array(kind)(context, builder, value).data
                for kind, value in zip(signature.args[:3], arguments[:3], strict=True)
            )
            TileProduct(builder, stages, _shared_base(builder), pointers, arguments[3:]).emit()
            return context.get_dummy_value()

        return types.void(a, b, c, *[types.int64] * 5), generate

    return multiply_block


def tensor_kernel(stages: int = STAGES) -> Any:
    """The kernel product[M, N] = a[M, K]·b[N, K]ᵀ for a grid of (N/256, M/128) blocks of 256 threads.

    a and b int8, product int32, all contiguous; M, N and K multiples of 128, 256 and 64; dynamic
    shared memory of `shared_bytes(stages)`.
    """
    multiply_block = _block_intrinsic(stages)

    @jit
    def multiply(a: Any, b: Any, product: Any) -> None:
        multiply_block(a, b, product, cuda.threadIdx.x, cuda.blockIdx.y, cuda.blockIdx.x, product.shape[1], a.shape[1])

    return multiply

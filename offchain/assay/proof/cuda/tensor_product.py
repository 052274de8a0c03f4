"""The product on int8 tensor cores: cp.async in stages, ldmatrix, mma.sync, written as LLVM IR with inline PTX.

One block of 256 threads computes 128 × 256 elements; each of its eight warps 64 × 64 in 128 registers a thread. The
fragments of one half of a stage are read from shared memory while the other half is multiplied, across the barrier
between stages too. Where a grid would leave many multiprocessors idle, several blocks share a tile, each a part of K,
and add to it. All index arithmetic is `fragments`.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils

from assay.proof.cuda import fragments as f
from assay.proof.cuda.emission import Value, assembly, constant
from assay.proof.cuda.runtime import cuda, intrinsic, jit_alone

MAX_PARTS, MIN_STEPS = 8, 64  # of K: how many, and steps in each at least
STAGES = 4  # 96 KiB of shared memory; two stages fit the 48 KiB that every launch may use
_I32, _I64 = ir.IntType(32), ir.IntType(64)
M_TILES, N_TILES = f.WARP_M // f.MMA_M, f.WARP_N // f.MMA_N
Sums = list[list[list[Any]]]  # [m][n][register]: variables


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
    """Emits the product of one block over the steps `first` to `end` of K; `adds` where it shares its tile."""

    def __init__(
        self,
        builder: ir.IRBuilder,
        stages: int,
        base: Value,
        pointers: tuple[Any, Any, Any],
        sizes: Any,
        adds: bool = False,
    ) -> None:
        self.builder, self.stages, self.base, self.adds = builder, stages, base, adds
        self.a, self.b, self.c = pointers
        self.thread, self.block_m, self.block_n, self.columns, self.length, self.first, self.end = (
            Value(builder, builder.trunc(size, _I32)) for size in sizes
        )
        self.lane, self.warp = self.thread & 31, self.thread >> 5
        self.carried: list[Any] = []

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
        with builder.if_then(builder.icmp_unsigned("<", step.ir, self.end.ir)):
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

    def fragments_of(self, step: Value, half: int) -> list[Any]:
        """The registers of 32 bytes of K of a stage: those of B, two a fragment, then those of A, four a fragment."""
        stage = self.base + (step % self.stages) * f.STAGE_BYTES
        first_row, first_column = f.warp_origin(self.warp)
        found: list[Any] = []
        for pair in range(N_TILES // 2):
            row, piece = f.b_matrix(self.lane, pair, half)
            found += self.load(stage + f.A_BYTES + f.swizzled(first_column + row, piece))
        for m in range(M_TILES):
            row, piece = f.a_matrix(self.lane, m, half)
            found += self.load(stage + f.swizzled(first_row + row, piece))
        return found

    def multiply(self, found: list[Any], sums: Sums) -> None:
        """Adds the products of `fragments_of` to the accumulators, slots of [m][n][register]."""
        builder = self.builder
        right, left = found[: 2 * N_TILES], found[2 * N_TILES :]
        text = (
            "mma.sync.aligned.m16n8k32.row.col.s32.s8.s8.s32 "
            "{$0, $1, $2, $3}, {$4, $5, $6, $7}, {$8, $9}, {$10, $11, $12, $13};"
        )
        for m in range(M_TILES):
            for n in range(N_TILES):
                slots = sums[m][n]
                held = [builder.load(slot) for slot in slots]
                operands = [*left[4 * m : 4 * m + 4], *right[2 * n : 2 * n + 2], *held]
                for slot, value in zip(slots, assembly(builder, text, operands, results=4), strict=True):
                    builder.store(value, slot)

    def wait(self) -> None:
        """Until everybody's copies of the next stage have landed, and nobody reads the stage that is filled next."""
        assembly(self.builder, f"cp.async.wait_group {self.stages - 2};", [])
        assembly(self.builder, "bar.sync 0;", [])

    def store(self, sums: Sums) -> None:
        """Waits for copies that nobody reads, and writes the accumulators, two neighbours of a row at a time, or adds
        them to what is there.
        """
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
                    if self.adds:
                        for n_register in range(2):
                            operands = [
                                builder.add(address, _I64(4 * n_register)),
                                builder.load(sums[m][n][register + n_register]),
                            ]
                            assembly(builder, "red.global.add.u32 [$0], $1;", operands)
                        continue
                    value = ir.Constant(pair, ir.Undefined)
                    for n_register in range(2):
                        word = builder.load(sums[m][n][register + n_register])
                        value = builder.insert_element(value, word, _I32(n_register))
                    builder.store(value, builder.inttoptr(address, pair.as_pointer()), align=8)

    def begin(self) -> None:
        """Starts the copies of all stages but one, and reads the first half of the first."""
        for stage in range(self.stages - 1):
            self.copy_stage(self.first + stage)
        self.wait()
        self.carried = [self.slot(value) for value in self.fragments_of(self.first, 0)]

    def slot(self, value: Any) -> Any:
        """A variable that holds a value from one step to the next."""
        slot = cgutils.alloca_once(self.builder, _I32)
        self.builder.store(value, slot)
        return slot

    def advance(self, step: Value, sums: Sums) -> None:
        """One step along K. Each half is read while the other is multiplied, across the barrier too."""
        builder = self.builder
        first = [builder.load(slot) for slot in self.carried]
        second = self.fragments_of(step, 1)
        self.copy_stage(step + (self.stages - 1))
        self.multiply(first, sums)
        self.wait()
        # Behind the last step there is nothing: its own half is read again, and not used.
        is_followed = builder.icmp_unsigned("<", (step + 1).ir, self.end.ir)
        following = Value(builder, builder.add(step.ir, builder.zext(is_followed, _I32)))
        for slot, value in zip(self.carried, self.fragments_of(following, 0), strict=True):
            builder.store(value, slot)
        self.multiply(second, sums)

    def emit(self) -> None:
        """Prologue, loop over K, epilogue."""
        builder = self.builder
        sums = [
            [[cgutils.alloca_once_value(builder, _I32(0)) for _ in range(4)] for _ in range(N_TILES)]
            for _ in range(M_TILES)
        ]
        self.begin()
        with cgutils.for_range(builder, builder.sub(self.end.ir, self.first.ir)) as loop:
            self.advance(self.first + Value(builder, loop.index), sums)
        self.store(sums)


def _block_intrinsic(stages: int, adds: bool) -> Any:
    @intrinsic
    def multiply_block(
        _: Any,
        a: Any,
        b: Any,
        c: Any,
        thread: Any,
        block_m: Any,
        block_n: Any,
        columns: Any,
        length: Any,
        first: Any,
        end: Any,
    ) -> Any:
        def generate(context: Any, builder: ir.IRBuilder, signature: Any, arguments: Any) -> Any:
            pointers = tuple(
                context.make_array(kind)(context, builder, value).data
                for kind, value in zip(signature.args[:3], arguments[:3], strict=True)
            )
            TileProduct(builder, stages, _shared_base(builder), pointers, arguments[3:], adds).emit()
            return context.get_dummy_value()

        return types.void(a, b, c, *[types.int64] * 7), generate

    return multiply_block


def tensor_kernel(stages: int = STAGES, adds: bool = False) -> Any:
    """The kernel product[M, N] = a[M, K]·b[N, K]ᵀ for a grid of (N/256, M/128, parts of K) blocks of 256 threads.

    a and b int8, product int32, all contiguous; M, N and K multiples of 128, 256 and 64; dynamic
    shared memory of `shared_bytes(stages)`. With `adds` it adds to what is in product, modulo 2^32; without it the grid
    has one part of K.
    """
    multiply_block = _block_intrinsic(stages, adds)

    @jit_alone(f.THREADS)
    def multiply(a: Any, b: Any, product: Any) -> None:
        steps = a.shape[1] // f.DEPTH
        first = steps * cuda.blockIdx.z // cuda.gridDim.z
        end = steps * (cuda.blockIdx.z + 1) // cuda.gridDim.z
        multiply_block(
            a,
            b,
            product,
            cuda.threadIdx.x,
            cuda.blockIdx.y,
            cuda.blockIdx.x,
            product.shape[1],
            a.shape[1],
            first,
            end,
        )

    return multiply


@cache
def parts_of_length(rows: int, columns: int, length: int, multiprocessors: int) -> int:
    """Into how many parts K is cut so that few multiprocessors are idle at the end: 1 to 8.

    Of the numbers that keep them within three hundredths as busy as the best does, the smallest: each part adds its
    tile to memory.
    """
    tiles = (rows // f.TILE_M) * (columns // f.TILE_N)

    def busy(parts: int) -> float:
        blocks = tiles * parts
        return blocks / (-(-blocks // multiprocessors) * multiprocessors)

    numbers = [parts for parts in range(1, MAX_PARTS + 1) if parts * MIN_STEPS <= length // f.DEPTH] or [1]
    best = max(map(busy, numbers))
    return next(parts for parts in numbers if busy(parts) >= best - 0.03)

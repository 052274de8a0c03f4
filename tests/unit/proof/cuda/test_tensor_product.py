"""The tensor-core kernel's own code, carried out in NumPy on whole tiles: addresses, stages, barriers, sums, stores."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from assay.proof.cuda import fragments as f
from assay.proof.cuda.tensor_product import M_TILES, N_TILES, STAGES, TileProduct, Value, constant, parts_of_length

from .tensor_core_model import THREADS, Machine, Register

A_AT, B_AT, C_AT = 1 << 40, 1 << 41, 1 << 42  # beyond 32 bits
SHARED_AT = 256


class InModel(TileProduct):
    """Variables are lists of one in the model."""

    def slot(self, value: Any) -> Any:
        return [value]


def run_block(
    a: NDArray[np.int8],
    b: NDArray[np.int8],
    product: NDArray[np.int32],
    block: tuple[int, int],
    stages: int,
    steps: tuple[int, int] | None = None,
) -> Machine:
    """What the kernel does for one block of its grid; with `steps` over a part of K, added to what is there."""
    first, end = steps or (0, a.shape[1] // f.DEPTH)
    arrays = [(A_AT, a.reshape(-1).view(np.uint8)), (B_AT, b.reshape(-1).view(np.uint8))]
    arrays += [(C_AT, product.reshape(-1).view(np.uint8))]
    machine = Machine(arrays, np.zeros(SHARED_AT + stages * f.STAGE_BYTES, np.uint8))
    builder: object = machine
    pointers = tuple(Register.of(at, 64) for at in (A_AT, B_AT, C_AT))
    sizes = [Register.of(size, 64) for size in (np.arange(THREADS), *block, product.shape[1], a.shape[1], first, end)]
    base = Value(builder, Register.of(SHARED_AT, 32))  # type: ignore[arg-type]
    emitted = InModel(builder, stages, base, pointers, sizes, steps is not None)  # type: ignore[arg-type]
    sums = [[[[Register.of(0, 32)] for _ in range(4)] for _ in range(N_TILES)] for _ in range(M_TILES)]
    emitted.begin()
    for step in range(first, end):
        emitted.advance(constant(builder, step), sums)  # type: ignore[arg-type]
    emitted.store(sums)  # type: ignore[arg-type]
    return machine


def matrices(length: int) -> tuple[NDArray[np.int8], NDArray[np.int8]]:
    rng = np.random.default_rng(length)
    return tuple(rng.integers(-128, 128, (2 * n, length)).astype(np.int8) for n in (f.TILE_M, f.TILE_N))  # type: ignore[return-value]


@pytest.mark.parametrize("stages", [STAGES, 2])
@pytest.mark.parametrize("length", [64, 128, 448, 1_088])
def test_block__any_number_of_steps__the_exact_product_in_its_own_place(stages: int, length: int) -> None:
    a, b = matrices(length)
    untouched = -(2**31)
    product = np.full((2 * f.TILE_M, 2 * f.TILE_N), untouched, np.int32)
    machine = run_block(a, b, product, (1, 1), stages)

    expected = a[f.TILE_M :].astype(np.int64) @ b[f.TILE_N :].astype(np.int64).T
    assert np.array_equal(product[f.TILE_M :, f.TILE_N :], expected)
    product[f.TILE_M :, f.TILE_N :] = untouched
    assert (product == untouched).all()
    assert machine.conflicts == 0


@pytest.mark.parametrize("stages", [STAGES, 2])
def test_block__parts_of_k_in_any_order__add_up_to_the_exact_product(stages: int) -> None:
    a, b = matrices(448)
    product = np.full((2 * f.TILE_M, 2 * f.TILE_N), 7, np.int32)
    for steps in ((5, 7), (0, 2), (2, 5)):
        run_block(a, b, product, (1, 0), stages, steps)
    expected = 7 + a[f.TILE_M :].astype(np.int64) @ b[: f.TILE_N].astype(np.int64).T
    assert np.array_equal(product[f.TILE_M :, : f.TILE_N], expected)
    assert (product[: f.TILE_M] == 7).all()


@pytest.mark.parametrize(
    ("rows", "columns", "length", "multiprocessors", "parts"),
    [
        (4_096, 4_096, 65_536, 132, 1),
        (2_048, 4_096, 32_768, 170, 5),
        (2_048, 4_096, 32_768, 128, 1),
        (128, 256, 64, 170, 1),
    ],
)
def test_parts_of_length__tiles_and_multiprocessors__the_fewest_that_keep_them_busy(
    rows: int, columns: int, length: int, multiprocessors: int, parts: int
) -> None:
    assert parts_of_length(rows, columns, length, multiprocessors) == parts


def test_block__lowest_entries__no_sum_saturates() -> None:
    a, b = (np.full((2 * n, 192), -128, np.int8) for n in (f.TILE_M, f.TILE_N))
    a[5, 70] = b[9, 70] = -127
    product = np.zeros((2 * f.TILE_M, 2 * f.TILE_N), np.int32)
    run_block(a, b, product, (0, 0), STAGES)
    assert (product[0, 0], product[5, 0], product[5, 9]) == (16_384 * 192, 16_384 * 192 - 128, 16_384 * 191 + 16_129)


def test_machine__a_missing_wait_or_barrier__is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The model would find the mistakes that it is there for."""
    from assay.proof.cuda import tensor_product

    right = tensor_product.assembly
    a, b = matrices(448)
    product = np.zeros((2 * f.TILE_M, 2 * f.TILE_N), np.int32)
    for text, other in (("bar.sync", ""), ("cp.async.wait_group 2", "cp.async.wait_group 3"), ("cp.async.wait", "")):

        def changed(builder, said, operands, results=0, text=text, other=other):  # type: ignore[no-untyped-def]
            if said.startswith(text):
                return right(builder, other + said[len(text) :], operands, results) if other else []
            return right(builder, said, operands, results)

        monkeypatch.setattr(tensor_product, "assembly", changed)
        with pytest.raises(AssertionError, match="read"):
            run_block(a, b, product, (0, 0), STAGES)


def test_addresses__the_largest_matrices__beyond_32_bits() -> None:
    """Row 2^20 of 65,536 bytes, and of 2^16 columns of four: no product of sizes is cut at 32 bits."""
    machine: object = Machine([], np.zeros(SHARED_AT, np.uint8))
    pointers = tuple(Register.of(at, 64) for at in (A_AT, B_AT, C_AT))
    sizes = [Register.of(size, 64) for size in (np.arange(THREADS), 1 << 13, 255, 1 << 16, 65_536, 0, 1_024)]
    block = TileProduct(machine, STAGES, Value(machine, Register.of(0, 32)), pointers, sizes)  # type: ignore[arg-type]
    row, last = block.block_m * f.TILE_M, block.constant(65_535)
    assert block._address(block.a, row, last, block.length).values[0] == A_AT + (1 << 20) * 65_536 + 65_535
    columns = block._address(block.c, row, last * 4, block.columns * 4)
    assert columns.values[0] == C_AT + (1 << 20) * (1 << 18) + 4 * 65_535

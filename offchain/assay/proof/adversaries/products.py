"""Attacks on the product: rows left out, elements changed, lower precision, a structured shortcut."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from assay.proof.adversaries.arena import PROFILE, Arena
from assay.proof.adversaries.attack import Attack
from assay.proof.kernels.generator import TAG_A, TAG_B, fill_rows
from assay.proof.kernels.words import seed_words


def _entries(seed: bytes, tag: int, rows: int) -> NDArray[np.int8]:
    """The first vectors of A or B: int8 (rows, K)."""
    words = np.empty((rows, PROFILE.K // 4), np.uint32)
    fill_rows(seed_words(seed), tag, 0, words, True)
    return words.view(np.int8)


def skipped(fraction: float, k: int) -> Attack:
    """A share of every round's rows is left out, and zeros are committed to."""

    def trial(seed: int) -> bool:
        arena = Arena(seed).with_samples(k)

        def leave_out(product: NDArray[np.int32], random: np.random.Generator) -> None:
            product[random.permutation(len(product))[: round(fraction * len(product))]] = 0

        return arena.caught(arena.tampered(leave_out))

    left_out = round(fraction * PROFILE.M) / PROFILE.M
    return Attack(
        f"skipped-rows-{100 * fraction:g}-k{k}",
        f"{100 * left_out:.2g} % of the rows left out, k = {k}",
        trial,
        1 - (1 - left_out) ** k,
    )


def _off_in_every_row(product: NDArray[np.int32], random: np.random.Generator) -> None:
    columns = random.integers(0, product.shape[1], len(product))
    product[np.arange(len(product)), columns] += 1


def _off_everywhere(seed: int) -> bool:
    arena = Arena(seed)
    return arena.caught(arena.tampered(_off_in_every_row))


def _off_once(seed: int) -> bool:
    arena = Arena(seed)
    at = int(arena.random.integers(0, PROFILE.T))
    rounds = iter(range(PROFILE.T))

    def change(product: NDArray[np.int32], random: np.random.Generator) -> None:
        if next(rounds) == at:
            product[random.integers(0, PROFILE.M), random.integers(0, PROFILE.N)] += 1

    return arena.caught(arena.tampered(change))


def rounded_to_bf16(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """The nearest bfloat16 (8 bits of precision), ties to even, as float32."""
    bits = values.astype(np.float32).view(np.uint32)
    bits = bits + np.uint32(0x7FFF) + ((bits >> np.uint32(16)) & np.uint32(1))
    return (bits & np.uint32(0xFFFF0000)).view(np.float32)


def rounded_to_fp8(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """The nearest value of four significant bits (e4m3), as float32."""
    with np.errstate(divide="ignore"):
        exponent = np.where(values == 0, 0, np.floor(np.log2(np.abs(values))))
    unit = np.exp2(exponent - 3).astype(np.float32)
    rounded: NDArray[np.float32] = (np.round(values / unit) * unit).astype(np.float32)
    return rounded


def _with_inputs(round_inputs: object, round_sums: object = None) -> object:
    def trial(seed: int) -> bool:
        arena = Arena(seed)
        b = _entries(arena.beta, TAG_B, PROFILE.N).astype(np.float32)

        def multiply(_: int, round_seed: bytes) -> NDArray[np.int32]:
            a = _entries(round_seed, TAG_A, PROFILE.M).astype(np.float32)
            product = round_inputs(a) @ round_inputs(b).T  # type: ignore[operator]
            if round_sums is not None:
                product = round_sums(product)  # type: ignore[operator]
            return product.astype(np.int32)  # type: ignore[no-any-return]

        return arena.caught(arena.committed(multiply))

    return trial


def hankel_product(a: NDArray[np.int64], b: NDArray[np.int64], rows: int, columns: int) -> NDArray[np.int64]:
    """A·Bᵀ in O(n²) for A[i][k] = a[i + k] and B[j][k] = b[j + k]: each diagonal follows from its first element.

    The shortcut that breaks verifiers whose generators fill matrices by index sums.
    """
    length = len(a) - rows + 1
    product = np.empty((rows, columns), np.int64)
    product[0] = [a[:length] @ b[j : j + length] for j in range(columns)]
    product[:, 0] = [a[i : i + length] @ b[:length] for i in range(rows)]
    for i in range(1, rows):
        before, after = a[i - 1] * b[: columns - 1], a[i - 1 + length] * b[length : length + columns - 1]
        product[i, 1:] = product[i - 1, :-1] - before + after
    return product


def _hankel(seed: int) -> bool:
    arena = Arena(seed)
    p = PROFILE
    b_rows = _entries(arena.beta, TAG_B, p.N)
    b = np.concatenate([b_rows[0], b_rows[1:, -1]]).astype(np.int64)

    def multiply(_: int, round_seed: bytes) -> NDArray[np.int32]:
        # First row and last column are the real ones; the rest is taken to slide.
        a_rows = _entries(round_seed, TAG_A, p.M)
        a = np.concatenate([a_rows[0], a_rows[1:, -1]]).astype(np.int64)
        return hankel_product(a, b, p.M, p.N).astype(np.int32)

    return arena.caught(arena.committed(multiply))


def _garbage(seed: int) -> bool:
    arena = Arena(seed)
    random, shape = arena.random, (PROFILE.M, PROFILE.N)
    return arena.caught(arena.committed(lambda *_: random.integers(-(2**20), 2**20, shape).astype(np.int32)))


ATTACKS = [
    *(skipped(fraction, k) for k in (64, 256) for fraction in (0.01, 0.05, 0.1, 0.3)),
    Attack("one-element-off", "one element of every row is off by one", _off_everywhere),
    Attack(
        "one-element-once",
        "one element of the whole proof is off by one; caught where its row is drawn",
        _off_once,
        1 - (1 - 1 / (PROFILE.T * PROFILE.M)) ** PROFILE.k,
    ),
    Attack("fp8-inputs", "inputs rounded to 8-bit floats", _with_inputs(rounded_to_fp8)),  # type: ignore[arg-type]
    Attack(
        "bf16-sums",
        "sums rounded to bfloat16",
        _with_inputs(lambda values: values, rounded_to_bf16),  # type: ignore[arg-type]
    ),
    Attack(
        "bf16-inputs",
        "inputs rounded to bfloat16, which holds every int8: the product is right, so it passes as it must",
        _with_inputs(rounded_to_bf16),  # type: ignore[arg-type]
        0.0,
        honest=True,
    ),
    Attack("hankel", "the O(n²) shortcut for matrices filled by index sums", _hankel),
    Attack("garbage", "random numbers in place of products", _garbage),
]

"""Launches of generation and of the two products."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assay.proof.cuda import fragments, plain_kernels
from assay.proof.cuda.runtime import (
    SIMULATOR,
    allow_shared_memory,
    clear,
    cuda,
    multiprocessors,
    prefer_shared_memory,
)

THREADS = 16 if SIMULATOR else 128  # of a block of the kernels that work item by item

Product = Callable[[Any, Any, Any, Any], None]  # (a, b, product, stream)


def blocks(items: int, threads: int = THREADS) -> int:
    """Blocks that hold so many threads."""
    return -(-items // threads)


def generate(seeds: Any, t: int, tag: int, indices: Any, keys: Any, words: Any, stream: Any) -> None:
    """Vectors of seed t of uint64[T, 4], by indices uint32[n]; writes keys uint32[n, 2, 16], words uint32[n, K/4]."""
    plain_kernels.lane_keys[blocks(2 * len(indices)), THREADS, stream](seeds, t, tag, indices, keys)
    plain_kernels.generate[plain_kernels.generation_grid(words, THREADS), THREADS, stream](keys, words)


def generated(seed: NDArray[np.uint64], tag: int, rows: Sequence[int], length: int) -> Any:
    """Some vectors of one seed, in memory of their own: uint32[n, K/4]."""
    words = cuda.device_array((len(rows), length // 4), np.uint32)
    keys = cuda.device_array((len(rows), 2, 16), np.uint32)
    indices = cuda.to_device(np.array(rows, dtype=np.uint32))
    generate(cuda.to_device(seed.reshape(1, 4)), 0, tag, indices, keys, words, 0)
    return words


def plain_product(a: Any, b: Any, product: Any, stream: Any) -> None:
    """Launches the plain kernel; a and b uint32 of four int8 each."""
    side = plain_kernels.SIDE
    grid = (blocks(product.shape[1], side), blocks(product.shape[0], side))
    plain_kernels.multiply[grid, (side, side), stream](a, b, product)


class TensorProduct:
    """Launches the tensor-core kernel, with as many stages as the card allows, and several blocks a tile where the
    card has more multiprocessors than there are tiles for.
    """

    def __init__(self) -> None:
        self._kernels: dict[bool, tuple[Any, int]] = {}

    def __call__(self, a: Any, b: Any, product: Any, stream: Any) -> None:
        from assay.proof.cuda.tensor_product import parts_of_length, shared_bytes

        left, right = a.view(np.int8), b.view(np.int8)
        parts = parts_of_length(len(left), len(right), left.shape[1], multiprocessors())
        kernel, stages = self.compiled(left, right, product, adds=parts > 1)
        if parts > 1:
            clear(product, stream)
        grid = (product.shape[1] // fragments.TILE_N, product.shape[0] // fragments.TILE_M, parts)
        kernel[grid, fragments.THREADS, stream, shared_bytes(stages)](left, right, product)

    def compiled(self, a: Any, b: Any, product: Any, adds: bool) -> tuple[Any, int]:
        """The kernel for this card and its number of stages; compiled on the first call."""
        from assay.proof.cuda.tensor_product import STAGES, shared_bytes, tensor_kernel

        if adds in self._kernels:
            return self._kernels[adds]
        for stages in (STAGES, 2):
            # Specialized, so that no launch compiles another version, without the permission.
            kernel = tensor_kernel(stages, adds).specialize(a, b, product)
            if stages == 2 or allow_shared_memory(kernel, shared_bytes(stages)):
                prefer_shared_memory([kernel])
                self._kernels[adds] = kernel, stages
                break
        return self._kernels[adds]

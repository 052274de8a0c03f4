"""Checks of every kernel and both engines on a card: each alone, so that one run says all that is wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assay.proof import generator
from assay.proof.cuda import plain_kernels as k
from assay.proof.cuda.products import THREADS, TensorProduct, blocks, generated, plain_product
from assay.proof.cuda.runtime import SIMULATOR, allow_shared_memory, clear, cuda
from assay.proof.engines.gpu import GpuEngine
from assay.proof.engines.reference import ReferenceEngine, exact_product
from assay.proof.engines.registry import GPU_NAMES
from assay.proof.kernels import keccak
from assay.proof.kernels.row_trees import tree_levels
from assay.proof.kernels.words import as_bytes, seed_words
from assay.proof.probe.result import walk_in_python
from assay.protocol.profile import Profile
from assay.protocol.seeds import next_seed

Check = Callable[[], None]  # raises AssertionError


def _equal(found: Any, expected: Any) -> None:
    found, expected = np.asarray(found), np.asarray(expected)
    if not np.array_equal(found, expected):
        wrong = np.argwhere(found != expected)
        place = tuple(int(i) for i in wrong[0])
        raise AssertionError(
            f"{len(wrong)} of {found.size} differ, first at {place}: {found[place]}, {expected[place]}"
        )


def _vectors() -> None:
    """Keys and entries of both matrices, at a length that no block divides."""
    seed, length = bytes(range(32)), 1_088 if not SIMULATOR else 64
    rows = [0, 1, 300, 65_537] if not SIMULATOR else [300]
    for tag, name in ((65, generator.TAG_A), (66, generator.TAG_B)):
        words = generated(seed_words(seed), tag, rows, length).copy_to_host()
        _equal(words.view(np.int8), [generator.vector(seed, name, row, length) for row in rows])


def _hashes() -> None:
    """Leaves of several lengths, rows' trees, a round's root and the next seed."""
    rows, per_row = (2, 2) if SIMULATOR else (512, 4)
    random = np.random.default_rng(1)
    for chunk_words in (16,) if SIMULATOR else (16, 128):
        words = random.integers(0, 2**63, rows * per_row * chunk_words, dtype=np.uint64)
        leaves = cuda.device_array((rows * per_row, 4), np.uint64)
        k.hash_chunks[blocks(len(leaves)), THREADS](cuda.to_device(words), chunk_words, leaves)
        expected = np.empty((rows * per_row, 4), np.uint64)
        keccak.hash_rows(words.reshape(-1, chunk_words), expected)
        _equal(leaves.copy_to_host(), expected)
    row_roots, scratch = cuda.device_array((2, rows, 4), np.uint64), cuda.device_array((2, rows, 4), np.uint64)
    roots, seeds = cuda.to_device(random.integers(0, 2**63, (3, 4)).astype(np.uint64)), np.zeros((3, 4), np.uint64)
    k.reduce_rows[blocks(rows), THREADS](leaves, per_row, row_roots, 1)
    k.reduce_round[1, k.TREE_THREADS](row_roots, 1, scratch, roots)
    own = expected.reshape(rows, per_row, 4)
    tops = np.stack([tree_levels(leaf.view(np.uint8))[-1].view(np.uint64)[0] for leaf in own])
    _equal(row_roots.copy_to_host()[1], tops)
    found = roots.copy_to_host()
    _equal(found[1], tree_levels(tops.view(np.uint8))[-1].view(np.uint64)[0])
    seeds[1] = found[0]
    on_card = cuda.to_device(seeds)
    k.chain_seed[1, 1](on_card, roots, 2)
    _equal(on_card.copy_to_host()[2], seed_words(next_seed(as_bytes(seeds[1]), as_bytes(found[0]))))


def _probe() -> None:
    """The window of one round, and lanes over it."""
    values = np.random.default_rng(2).integers(-(2**30), 2**30, 4_096 if not SIMULATOR else 256).astype(np.int32)
    window = cuda.to_device(np.zeros(len(values) // 2, np.uint64))
    first = len(values) // 4
    k.keep_window[blocks(len(values) // 4), THREADS](cuda.to_device(values).view(np.uint64), window, first)
    kept = window.copy_to_host()
    _equal(kept[:first], np.zeros(first))
    _equal(kept[first:].view(np.uint16), values.astype(np.uint16))
    lanes, pi = 16 if SIMULATOR else 257, bytes([7]) * 32
    states = cuda.device_array(lanes, np.uint64)
    k.walk_lanes[blocks(lanes), THREADS](window, cuda.to_device(seed_words(pi)), 0, 64, states)
    _equal(states.copy_to_host(), walk_in_python(kept.reshape(-1, 4), pi, lanes))


def _widening() -> None:
    """int8 as bfloat16, and whole float32 added to int32."""
    entries = np.arange(-128, 128).astype(np.int8)
    out = cuda.device_array(64, np.uint64)
    k.widen[blocks(64), THREADS](cuda.to_device(entries.view(np.uint32)), out)
    _equal(out.copy_to_host().view(np.uint16), entries.astype(np.float32).view(np.uint32) >> 16)
    partial = np.array([2**24, -(2**24), 0, 5], np.float32)
    sums = cuda.to_device(np.array([1, 2, 3, -(2**30)], np.int32))
    k.add_exact[1, THREADS](cuda.to_device(partial), sums, False)
    _equal(sums.copy_to_host(), [2**24 + 1, 2 - 2**24, 3, 5 - 2**30])
    k.add_exact[1, THREADS](cuda.to_device(partial), sums, True)
    _equal(sums.copy_to_host(), partial.astype(np.int32))


def _multiplied(product: Any, a: NDArray[np.int8], b: NDArray[np.int8]) -> NDArray[np.int32]:
    out = cuda.to_device(np.full((len(a), len(b)), -1, np.int32))
    product(cuda.to_device(a.view(np.uint32)), cuda.to_device(b.view(np.uint32)), out, 0)
    found: NDArray[np.int32] = out.copy_to_host()
    return found


def _tensor(stages: int, parts: int = 1) -> Any:
    from assay.proof.cuda import fragments
    from assay.proof.cuda.tensor_product import shared_bytes, tensor_kernel

    def product(a: Any, b: Any, out: Any, stream: Any) -> None:
        left, right = a.view(np.int8), b.view(np.int8)
        kernel = tensor_kernel(stages, adds=parts > 1).specialize(left, right, out)
        if not allow_shared_memory(kernel, shared_bytes(stages)):
            raise AssertionError(f"the card refuses {shared_bytes(stages)} bytes of shared memory")
        # A part without a step would read what nobody copied.
        shares = min(parts, left.shape[1] // fragments.DEPTH)
        if parts > 1:
            clear(out, stream)
        grid = (out.shape[1] // fragments.TILE_N, out.shape[0] // fragments.TILE_M, shares)
        kernel[grid, fragments.THREADS, stream, shared_bytes(stages)](left, right, out)

    return product


def products() -> dict[str, Any]:
    """The products by name."""
    if SIMULATOR:
        return {"simt": plain_product}
    from assay.proof.cuda.vendor_product import Bfloat16Product, VendorProduct

    return {
        "simt": plain_product,
        "mma, 4 stages": _tensor(4),
        "mma, 2 stages": _tensor(2),
        "mma, 3 parts": _tensor(4, parts=3),
        "mma": TensorProduct(),
        "cublas": VendorProduct(),
        "bf16": Bfloat16Product(),
    }


def _random_entries(product: Any) -> None:
    random = np.random.default_rng(3)
    for rows, columns, length in (
        ((128, 256, 64), (256, 512, 1_088), (384, 768, 4_096)) if not SIMULATOR else ((4, 8, 64),)
    ):
        a, b = (random.integers(-128, 128, (n, length)).astype(np.int8) for n in (rows, columns))
        _equal(_multiplied(product, a, b), exact_product(a, b))


def _lowest_entries(product: Any) -> None:
    """-128 everywhere but for one -127 in both matrices, up to the longest K: float32 sums would be off."""
    for length in (1_088, 65_536):
        a, b = np.full((128, length), -128, np.int8), np.full((256, length), -128, np.int8)
        a[5, 70] = b[9, 70] = -127
        expected = np.full((128, 256), 16_384 * length)
        expected[5] -= 128
        expected[:, 9] -= 128
        expected[5, 9] = 16_384 * (length - 1) + 16_129
        _equal(_multiplied(product, a, b), expected)


def _engine(name: str, shapes: tuple[tuple[int, int, int, int, int], ...]) -> None:
    """Every byte of proofs, openings and lane roots against the reference, under random seeds."""
    random = np.random.default_rng()
    for m, n, inner, rounds, chunk in shapes:
        profile = Profile(1, m, n, inner, rounds, chunk, 8, min(rounds, 2)).validate()
        epoch_seed, device_seed, challenge = (random.bytes(32) for _ in range(3))
        rows = [(int(random.integers(rounds)), int(random.integers(m))) for _ in range(16)]
        proofs = []
        for engine in (GpuEngine(name), ReferenceEngine()):
            engine.prepare(profile, epoch_seed)
            proof = engine.prove(device_seed)
            result = engine.probe(proof, challenge)
            proofs.append((proof.result_root, proof.open(rows), result.lane_root, result.open([3])))
        for what, found, expected in zip(("root", "rows", "lane root", "lanes"), *proofs, strict=True):
            if found != expected:
                raise AssertionError(f"{what} of {profile} under seed 0x{device_seed.hex()}")


def checks(brief: bool = False) -> Iterator[tuple[str, Check]]:
    """(name, check) in the order in which one builds on the other; brief for runs under a memory checker."""
    yield "vectors", _vectors
    yield "hashes", _hashes
    yield "memory probe", _probe
    yield "widening", _widening
    for name, product in products().items():
        yield f"product {name}: random entries", lambda product=product: _random_entries(product)
        if not (brief or SIMULATOR):
            yield f"product {name}: lowest entries", lambda product=product: _lowest_entries(product)
    shapes = ((128, 256, 64, 3, 32), (128, 512, 1_088, 6, 256), (256, 256, 4_096, 4, 256))
    for name in ("simt",) if SIMULATOR else GPU_NAMES:
        small = ((2, 32, 64, 3, 32),) if SIMULATOR else shapes[:1] if brief else shapes
        yield f"engine {name}", lambda name=name, small=small: _engine(name, small)

"""The engines for NVIDIA GPUs: `simt` with a plain product, `mma` with int8 tensor cores.

Everything of a round runs on the card: keys, A, product, leaves, trees, the next seed. Two streams and two buffers
for C let round t be hashed while round t + 1 is multiplied; the host only queues.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import typeof
from numpy.typing import NDArray

from assay.proof.cuda import fragments, plain_kernels
from assay.proof.cuda.health import Health
from assay.proof.cuda.runtime import SIMULATOR, allow_shared_memory, cuda, free_memory, require_device
from assay.proof.engines.memory import require_memory
from assay.proof.errors import DeviceLost, EngineUnavailable, ProofError
from assay.proof.kernels.generator import TAG_A, TAG_B
from assay.proof.kernels.words import as_bytes, seed_words
from assay.proof.probe import layout
from assay.proof.probe.result import ProbeResult
from assay.proof.proof import Proof
from assay.protocol.profile import Profile

THREADS = 16 if SIMULATOR else 128
_CHECK_EVERY = 64  # rounds between looks at the card's health
_SPARE = 1 << 29  # bytes left free beside the window

Product = Callable[[Any, Any, Any, Any], None]  # (a, b, product, stream)


@dataclass(frozen=True)
class DeviceRows:
    """Rows multiplied again on the card, and the memory probe's window where it lies."""

    multiply: Callable[[bytes, Sequence[int]], NDArray[np.int32]]
    seeds: tuple[bytes, ...]
    window: Any  # uint64 on the card, or None

    def read(self, indices: Sequence[tuple[int, int]]) -> NDArray[np.int32]:
        found: dict[tuple[int, int], NDArray[np.int32]] = {}
        for t in sorted({t for t, _ in indices}):
            rows = sorted({i for of, i in indices if of == t})
            for i, row in zip(rows, self.multiply(self.seeds[t], rows), strict=True):
                found[t, i] = row
        return np.stack([found[index] for index in indices])


def _blocks(items: int, threads: int = THREADS) -> int:
    return -(-items // threads)


def plain_product(a: Any, b: Any, product: Any, stream: Any) -> None:
    """Launches the plain kernel; a and b uint32 of four int8 each."""
    side = plain_kernels.SIDE
    grid = (_blocks(product.shape[1], side), _blocks(product.shape[0], side))
    plain_kernels.multiply[grid, (side, side), stream](a, b, product)


class TensorProduct:
    """Launches the tensor-core kernel, with as many stages as the card allows."""

    def __init__(self) -> None:
        self._kernel: Any = None
        self._shared = 0

    def __call__(self, a: Any, b: Any, product: Any, stream: Any) -> None:
        left, right = a.view(np.int8), b.view(np.int8)
        if self._kernel is None:
            self._choose(left, right, product)
        grid = (product.shape[1] // fragments.TILE_N, product.shape[0] // fragments.TILE_M)
        self._kernel[grid, fragments.THREADS, stream, self._shared](left, right, product)

    def _choose(self, a: Any, b: Any, product: Any) -> None:
        from assay.proof.cuda.tensor_product import STAGES, shared_bytes, tensor_kernel

        for stages in (STAGES, 2):
            kernel = tensor_kernel(stages)
            kernel.compile(tuple(typeof(array) for array in (a, b, product)))
            if stages == 2 or allow_shared_memory(kernel, shared_bytes(stages)):
                self._kernel, self._shared = kernel, shared_bytes(stages)
                return


class GpuEngine:
    """Proves on one card.

    Args:
        name: simt or mma.
        health: looks at the card between rounds; default NVML.

    Raises:
        EngineUnavailable: no card, no driver, or one too old.
    """

    def __init__(self, name: str, health: Health | None = None) -> None:
        self.name = name
        self.device = require_device()
        if name == "mma" and SIMULATOR:
            raise EngineUnavailable("mma needs a card: the CUDA simulator runs simt only")
        self._product: Product = TensorProduct() if name == "mma" else plain_product
        self._health = health or Health.of_card(None if SIMULATOR else 0)
        self._job: tuple[Profile, bytes, Any] | None = None

    def prepare(self, profile: Profile, epoch_seed: bytes) -> None:
        profile.validate()
        if self._job is not None and self._job[:2] == (profile, epoch_seed):
            return
        self._job = None
        if self.name == "mma" and (profile.M < fragments.TILE_M or profile.N < fragments.TILE_N):
            raise EngineUnavailable(
                f"mma needs M >= {fragments.TILE_M} and N >= {fragments.TILE_N}, "
                f"profile {profile.id} has {profile.M} and {profile.N}: use --engine simt or cpu"
            )
        require_memory(profile, needed_memory(profile), free_memory(), self.device)
        with _device_errors():
            b = self._generate(seed_words(epoch_seed), TAG_B, range(profile.N), profile.K)
            cuda.synchronize()
        self._job = (profile, epoch_seed, b)

    def prove(self, device_seed: bytes) -> Proof:
        if self._job is None:
            raise RuntimeError("prepare(profile, epoch_seed) comes before prove")
        profile, epoch_seed, b = self._job
        started = time.perf_counter_ns()
        with _device_errors():
            run = _Run(profile, b, self._product, self._health)
            seeds, roots, row_roots = run.rounds(device_seed)
        elapsed_us = (time.perf_counter_ns() - started) // 1000
        rows = DeviceRows(self._multiplier(profile, b), seeds, run.window)
        return Proof(profile, epoch_seed, device_seed, seeds, roots, row_roots, rows, elapsed_us, self.name)

    def open(self, proof: Proof, indices: Sequence[tuple[int, int]]) -> bytes:
        return proof.open(indices)

    def probe(self, proof: Proof, challenge: bytes) -> ProbeResult:
        if not isinstance(proof.rows, DeviceRows) or proof.rows.window is None:
            raise ProofError(f"the last {proof.profile.W} rounds were not kept on the card")
        lanes = layout.lanes(proof.profile)
        with _device_errors():
            states = cuda.device_array(lanes, np.uint64)
            pi = cuda.to_device(seed_words(challenge))
            plain_kernels.walk_lanes[_blocks(lanes), THREADS](proof.rows.window, pi, 0, layout.STEPS, states)
            final = states.copy_to_host()
        window = proof.rows.window

        def read_sector(position: int) -> NDArray[np.uint64]:
            sector: NDArray[np.uint64] = window[4 * position : 4 * position + 4].copy_to_host()
            return sector

        return ProbeResult(proof, challenge, final, read_sector)

    def _multiplier(self, profile: Profile, b: Any) -> Callable[[bytes, Sequence[int]], NDArray[np.int32]]:
        def multiply(round_seed: bytes, wanted: Sequence[int]) -> NDArray[np.int32]:
            # Tiles have a height: the first row fills up.
            height = fragments.TILE_M if self.name == "mma" else 1
            rows = [*wanted, *[wanted[0]] * (-len(wanted) % height)]
            with _device_errors():
                a = self._generate(seed_words(round_seed), TAG_A, rows, profile.K)
                product = cuda.device_array((len(rows), profile.N), np.int32)
                self._product(a, b, product, 0)
                found: NDArray[np.int32] = product.copy_to_host()[: len(wanted)]
            return found

        return multiply

    @staticmethod
    def _generate(seed: NDArray[np.uint64], tag: int, rows: Sequence[int], length: int) -> Any:
        words = cuda.device_array((len(rows), length // 4), np.uint32)
        keys = cuda.device_array((len(rows), 2, 16), np.uint32)
        indices = cuda.to_device(np.array(rows, dtype=np.uint32))
        seeds = cuda.to_device(seed.reshape(1, 4))
        plain_kernels.lane_keys[_blocks(2 * len(rows)), THREADS](seeds, 0, tag, indices, keys)
        plain_kernels.generate[_blocks(len(rows) * length // 4), THREADS](keys, words)
        return words


class _Run:
    """Buffers and queues of one proof."""

    def __init__(self, profile: Profile, b: Any, product: Product, health: Health) -> None:
        self.profile, self._b, self._product, self._health = profile, b, product, health
        p = profile
        self._chunks = p.M * p.N // p.chunk
        self._indices = cuda.to_device(np.arange(p.M, dtype=np.uint32))
        self._keys = cuda.device_array((p.M, 2, 16), np.uint32)
        self._a = cuda.device_array((p.M, p.K // 4), np.uint32)
        self._products = [cuda.device_array((p.M, p.N), np.int32) for _ in range(2)]
        self._words = [array.reshape(p.M * p.N).view(np.uint64) for array in self._products]
        self._leaves = cuda.device_array((self._chunks, 4), np.uint64)
        self._scratch = cuda.device_array((2, p.M, 4), np.uint64)
        self._row_roots = cuda.device_array((p.T, p.M, 4), np.uint64)
        self._roots = cuda.to_device(np.zeros((p.T, 4), np.uint64))
        window = layout.claimed_bytes(p)
        fits = window > 0 and window + _SPARE <= free_memory()
        self.window = cuda.device_array(window // 8, np.uint64) if fits else None
        self._compute, self._hashing = cuda.stream(), cuda.stream()

    def rounds(self, device_seed: bytes) -> tuple[tuple[bytes, ...], tuple[bytes, ...], NDArray[np.uint8]]:
        """Seeds, roots and roots of rows of all rounds."""
        p = self.profile
        first = np.zeros((p.T, 4), np.uint64)
        first[0] = seed_words(device_seed)
        seeds = cuda.to_device(first)
        cuda.synchronize()
        multiplied = [cuda.event() for _ in range(2)]
        hashed = [cuda.event() for _ in range(2)]
        for t in range(p.T):
            if t >= 2:
                # The seed needs the root of round t - 2, and its buffer of C is filled anew.
                hashed[t % 2].wait(self._compute)
            self._multiply(t, seeds)
            multiplied[t % 2].record(self._compute)
            multiplied[t % 2].wait(self._hashing)
            self._hash(t)
            hashed[t % 2].record(self._hashing)
            if t % _CHECK_EVERY == _CHECK_EVERY - 1:
                self._compute.synchronize()
                self._health.check()
        cuda.synchronize()
        self._health.check()
        found_seeds, found_roots = seeds.copy_to_host(), self._roots.copy_to_host()
        row_roots = np.ascontiguousarray(self._row_roots.copy_to_host()).view(np.uint8)
        return tuple(map(as_bytes, found_seeds)), tuple(map(as_bytes, found_roots)), row_roots

    def _multiply(self, t: int, seeds: Any) -> None:
        p, stream = self.profile, self._compute
        k = plain_kernels
        if t:
            k.chain_seed[1, 1, stream](seeds, self._roots, t)
        k.lane_keys[_blocks(2 * p.M), THREADS, stream](seeds, t, TAG_A, self._indices, self._keys)
        k.generate[_blocks(p.M * p.K // 4), THREADS, stream](self._keys, self._a)
        self._product(self._a, self._b, self._products[t % 2], stream)

    def _hash(self, t: int) -> None:
        p, stream = self.profile, self._hashing
        k, words = plain_kernels, self._words[t % 2]
        k.hash_chunks[_blocks(self._chunks), THREADS, stream](words, p.chunk // 2, self._leaves)
        k.reduce_rows[_blocks(p.M), THREADS, stream](self._leaves, p.N // p.chunk, self._row_roots, t)
        k.reduce_round[1, k.TREE_THREADS, stream](self._row_roots, t, self._scratch, self._roots)
        w = t - (p.T - p.W)
        if self.window is not None and w >= 0:
            quarter = p.M * p.N // 4
            k.keep_window[_blocks(quarter), THREADS, stream](words, self.window, w * quarter)


def needed_memory(profile: Profile) -> int:
    """Bytes on the card: A, B, two products, leaves, roots of all rows."""
    p = profile
    roots = 32 * p.T * (p.M + 2) + 32 * p.M * p.N // p.chunk + 64 * p.M
    return (p.M + p.N) * (p.K + 128) + 8 * p.M * p.N + roots + (1 << 24)


class _device_errors:
    """Whatever the card fails with becomes DeviceLost: there is no commitment."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        if isinstance(error, Exception) and not isinstance(error, (ProofError, ValueError)):
            raise DeviceLost(f"the GPU failed, there is no commitment: {error}") from error

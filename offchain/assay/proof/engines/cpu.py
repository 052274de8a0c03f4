"""The engine for processors: generation, product and hashing in compiled code, two rounds in flight."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from assay.proof.commitment import hash_rows, round_root
from assay.proof.engines.cpu_products import Product, product_of
from assay.proof.engines.memory import (
    available_memory,
    may_keep_products,
    may_keep_window,
    needed_memory,
    require_memory,
)
from assay.proof.engines.pipeline import RoundPipeline
from assay.proof.probe.result import ProbeResult, run_probe, walk_on_threads
from assay.proof.proof import KeptRows, Proof, RecomputedRows, RowSource
from assay.proof.statement import JobStatement
from assay.proof.threads import Threads
from assay.protocol.profile import Profile
from assay.protocol.types import Seed

_MIN_ROWS = 32  # in one part of a round
_ONE = Threads(1)


class CpuEngine:
    """Proves on all threads of a processor.

    C is held whole only where it fits easily; elsewhere a round's products live until they are hashed, and
    opened
    rows are multiplied again.

    Args:
        threads: processor threads; default ASSAY_PROOF_THREADS or all.
        keep: hold C whole (True), nothing of it (False), or what memory allows (None): C, else its last W
            rounds
            modulo 2^16 for the memory probe.
    """

    name = "cpu"

    def __init__(self, threads: int | None = None, keep: bool | None = None) -> None:
        self._threads = Threads(threads)
        self._keep = keep
        self._job: tuple[Profile, Seed, Product] | None = None

    def prepare(self, profile: Profile, epoch_seed: Seed) -> None:
        profile.validate()
        if self._job is not None and self._job[:2] == (profile, epoch_seed):
            return
        self._job = None
        require_memory(profile, lambda p: needed_memory(p, self._threads.count), available_memory())
        self._job = (profile, epoch_seed, product_of(profile, epoch_seed, self._threads))

    def prove(self, device_seed: Seed) -> Proof:
        profile, epoch_seed, product = self._prepared()
        started = time.perf_counter_ns()
        keep = may_keep_products(profile, available_memory()) if self._keep is None else self._keep
        products = np.empty((profile.T, profile.M, profile.N), np.int32) if keep else None
        window = self._window(profile) if products is None else None
        row_roots = np.empty((profile.T, profile.M, 32), np.uint8)
        parts = max(1, min(self._threads.count // 2, profile.M // _MIN_ROWS))
        height = -(-profile.M // parts)
        scratch = threading.local()

        def compute(t: int, round_seed: bytes, part: int) -> None:
            first, end = part * height, min((part + 1) * height, profile.M)
            if products is not None:
                out = products[t, first:end]
            else:
                if not hasattr(scratch, "product"):
                    scratch.product = np.empty((height, profile.N), np.int32)
                out = scratch.product[: end - first]
            product.multiply(round_seed, range(first, end), out)
            if window is not None and t >= profile.T - profile.W:
                window[t - profile.T + profile.W, first:end] = out.astype(np.uint16)
            row_roots[t, first:end] = hash_rows(out, profile.chunk, _ONE)

        pipeline = RoundPipeline(profile.T, parts, self._threads.count, compute, lambda t: round_root(row_roots[t]))
        seeds, roots = pipeline.run(device_seed)
        elapsed_us = (time.perf_counter_ns() - started) // 1000
        rows: RowSource = KeptRows(products) if products is not None else self._recomputed(product, profile, seeds)
        return Proof(
            profile,
            epoch_seed,
            device_seed,
            tuple(seeds),
            tuple(roots),
            row_roots,
            rows,
            elapsed_us,
            self.name,
            window,
        )

    def open(self, proof: Proof, indices: Sequence[tuple[int, int]]) -> bytes:
        return proof.open(indices)

    def probe(self, proof: Proof, challenge: bytes) -> ProbeResult:
        return run_probe(proof, challenge, walk_on_threads(self._threads))

    def rows(self, round_seed: bytes, wanted: Sequence[int]) -> NDArray[np.int32]:
        """Some rows of the product of one round, multiplied anew: int32 (len(wanted), N)."""
        profile, _, product = self._prepared()
        return _multiply(product, profile, round_seed, wanted)

    def multiplier(self, statement: JobStatement) -> Callable[[bytes, list[int]], NDArray[np.int32]]:
        """What multiplies rows of a job again: (round seed, rows i) -> int32 (n, N)."""
        self.prepare(statement.profile, statement.epoch_seed)
        return self.rows

    def _window(self, profile: Profile) -> NDArray[np.uint16] | None:
        """Room for what the memory probe reads, where memory allows it and nobody forbade keeping."""
        if self._keep is False or profile.W == 0 or not may_keep_window(profile, available_memory()):
            return None
        return np.empty((profile.W, profile.M, profile.N), np.uint16)

    @staticmethod
    def _recomputed(product: Product, profile: Profile, seeds: Sequence[bytes]) -> RecomputedRows:
        # The product stays with the proof, so it can be opened after the engine was prepared for another
        # epoch.
        return RecomputedRows(lambda t, wanted: _multiply(product, profile, seeds[t], wanted))

    def _prepared(self) -> tuple[Profile, Seed, Product]:
        if self._job is None:
            raise RuntimeError("prepare(profile, epoch_seed) comes before prove")
        return self._job


def _multiply(product: Product, profile: Profile, round_seed: bytes, wanted: Sequence[int]) -> NDArray[np.int32]:
    out = np.empty((len(wanted), profile.N), np.int32)
    product.multiply(round_seed, wanted, out)
    return out

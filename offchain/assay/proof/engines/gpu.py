"""The engines for NVIDIA GPUs: `simt` with a plain product, `mma` with int8 tensor cores."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assay.proof.cuda import fragments, plain_kernels
from assay.proof.cuda.health import Health
from assay.proof.cuda.products import THREADS, Product, TensorProduct, blocks, generated, plain_product
from assay.proof.cuda.rounds import ProofRun, run_memory, vector_memory
from assay.proof.cuda.runtime import SIMULATOR, cuda, device_uuid, free_memory, require_device
from assay.proof.engines.memory import require_memory
from assay.proof.engines.reference import ReferenceEngine
from assay.proof.errors import DeviceLost, EngineUnavailable, ProofError
from assay.proof.kernels.generator import TAG_A, TAG_B
from assay.proof.kernels.words import seed_words
from assay.proof.probe import layout
from assay.proof.probe.result import ProbeResult
from assay.proof.proof import Proof, RecomputedRows
from assay.protocol.profile import Profile
from assay.protocol.types import Seed

# Small enough to be proven by the reference in a moment, large enough for one tile and every kernel.
_TRIAL = Profile(1, M=128, N=256, K=320, T=3, chunk=32, k=1, W=1)


@dataclass(frozen=True, slots=True)
class DeviceRows(RecomputedRows):
    """Rows multiplied again on the card, and the memory probe's window where it lies."""

    window: Any  # uint64 on the card, or None

    def without_window(self) -> DeviceRows:
        return self if self.window is None else replace(self, window=None)


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
        self._health = health or Health.of_card(device_uuid())
        self._job: tuple[Profile, Seed, Any] | None = None

    def prepare(self, profile: Profile, epoch_seed: Seed) -> None:
        profile.validate()
        if self._job is not None and self._job[:2] == (profile, epoch_seed):
            return
        self._job = None
        if self.name == "mma" and (profile.M < fragments.TILE_M or profile.N < fragments.TILE_N):
            raise EngineUnavailable(
                f"mma needs M >= {fragments.TILE_M} and N >= {fragments.TILE_N}, "
                f"profile {profile.id} has {profile.M} and {profile.N}: use --engine simt or cpu"
            )
        require_memory(profile, needed_memory, free_memory(), self.device)
        with _device_errors():
            b = generated(seed_words(epoch_seed), TAG_B, range(profile.N), profile.K)
            cuda.synchronize()
        self._job = (profile, epoch_seed, b)

    def prove(self, device_seed: Seed) -> Proof:
        if self._job is None:
            raise RuntimeError("prepare(profile, epoch_seed) comes before prove")
        profile, epoch_seed, b = self._job
        # The proof of another epoch may still hold its window.
        require_memory(profile, run_memory, free_memory(), self.device)
        started = time.perf_counter_ns()
        with _device_errors():
            run = ProofRun(profile, b, self._product, self._health)
            seeds, roots, row_roots = run.rounds(device_seed)
        elapsed_us = (time.perf_counter_ns() - started) // 1000
        multiply = self._multiplier(profile, b)
        rows = DeviceRows(lambda t, wanted: multiply(seeds[t], wanted), run.window)
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
            plain_kernels.walk_lanes[blocks(lanes), THREADS](proof.rows.window, pi, 0, layout.STEPS, states)
            final = states.copy_to_host()
        window = proof.rows.window

        def read_sector(position: int) -> NDArray[np.uint64]:
            sector: NDArray[np.uint64] = window[4 * position : 4 * position + 4].copy_to_host()
            return sector

        return ProbeResult(proof, challenge, final, read_sector)

    def check(self) -> None:
        """Compares a small proof with the reference, so that a card or driver that computes wrongly is never used.

        Raises:
            EngineUnavailable: anything differs, or the kernels do not compile or run here.
        """
        proofs = []
        try:
            for engine in (self, ReferenceEngine()):
                engine.prepare(_TRIAL, Seed(bytes(32)))
                proofs.append(engine.prove(Seed(bytes(32))))
        except DeviceLost as error:
            raise EngineUnavailable(f"{self.name} does not run on {self.device}: {error}") from None
        self._job = None
        rows = [(0, 0), (1, 77), (2, _TRIAL.M - 1)]
        if proofs[0].result_root != proofs[1].result_root or proofs[0].open(rows) != proofs[1].open(rows):
            raise EngineUnavailable(f"{self.name} on {self.device} computes wrongly: its proof is not the reference's")

    def _multiplier(self, profile: Profile, b: Any) -> Callable[[bytes, Sequence[int]], NDArray[np.int32]]:
        def multiply(round_seed: bytes, wanted: Sequence[int]) -> NDArray[np.int32]:
            # Tiles have a height: the first row fills up.
            height = fragments.TILE_M if self.name == "mma" else 1
            rows = [*wanted, *[wanted[0]] * (-len(wanted) % height)]
            with _device_errors():
                a = generated(seed_words(round_seed), TAG_A, rows, profile.K)
                product = cuda.device_array((len(rows), profile.N), np.int32)
                self._product(a, b, product, 0)
                found: NDArray[np.int32] = product.copy_to_host()[: len(wanted)]
            return found

        return multiply


def needed_memory(profile: Profile) -> int:
    """Bytes that proving takes on the card at least."""
    return vector_memory(profile, profile.N) + run_memory(profile)


class _device_errors:
    """Whatever the card fails with becomes DeviceLost: there is no commitment."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        if isinstance(error, Exception) and not isinstance(error, (ProofError, ValueError)):
            raise DeviceLost(f"the GPU failed, there is no commitment: {error}") from error

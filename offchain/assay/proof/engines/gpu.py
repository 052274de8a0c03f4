"""The engines for NVIDIA GPUs, alike but for the product: `simt` on plain cores, `mma` on int8 tensor cores, `cublas`
through NVIDIA's library on them, `bf16` through it on bfloat16 tensor cores.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assay.proof.cuda import fragments, plain_kernels
from assay.proof.cuda.health import Health
from assay.proof.cuda.lanes import walked
from assay.proof.cuda.memory import needed_memory
from assay.proof.cuda.products import Product, TensorProduct, generated, plain_product
from assay.proof.cuda.rounds import ProofRun
from assay.proof.cuda.runtime import (
    SIMULATOR,
    cuda,
    device_uuid,
    free_memory,
    prefer_shared_memory,
    require_device,
)
from assay.proof.cuda.vendor_product import Bfloat16Product, VendorProduct
from assay.proof.cuda.window import Window, WindowPlace
from assay.proof.engines.memory import require_memory
from assay.proof.engines.reference import ReferenceEngine
from assay.proof.errors import DeviceLost, EngineUnavailable, ProofError
from assay.proof.kernels.generator import TAG_A, TAG_B
from assay.proof.kernels.words import seed_words
from assay.proof.probe import layout
from assay.proof.probe.result import ProbeResult
from assay.proof.proof import Proof, RecomputedRows
from assay.protocol.profile import NAMED, Profile
from assay.protocol.types import NO_SEED, Seed

# Small enough to be proven by the reference in a moment, large enough for one tile and every kernel.
_TRIAL = Profile(1, M=128, N=256, K=320, T=3, chunk=32, k=1, W=1)
# Large enough to keep a card busy, small enough to take a moment on a slow one.
_PACE = Profile(1, M=2_048, N=4_096, K=8_192, T=6, chunk=256, k=1, W=0)
_PLACE = WindowPlace()  # a process works on one card


class RootsOnCard(Sequence[NDArray[np.uint8]]):
    """Roots of the rows of T rounds, each uint8 (M, 32): half a gigabyte that nobody needs before the commitment is
    sent. They come to the host when they are first asked for.
    """

    def __init__(self, on_card: Any) -> None:
        self._on_card = on_card
        self._length = len(on_card)
        self._fetched: NDArray[np.uint8] | None = None

    def fetch(self) -> NDArray[np.uint8]:
        """uint8 (T, M, 32); the card's memory is free afterwards."""
        if self._fetched is None:
            with _device_errors():
                self._fetched = np.ascontiguousarray(self._on_card.copy_to_host()).view(np.uint8)
            self._on_card = None
        return self._fetched

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, t: Any) -> Any:
        return self.fetch()[t]


@dataclass(frozen=True, slots=True)
class DeviceRows(RecomputedRows):
    """Rows multiplied again on the card, and the memory probe's window where it lies."""

    window: Window | None

    def without_window(self) -> DeviceRows:
        return self if self.window is None else replace(self, window=None)


class GpuEngine:
    """Proves on one card.

    Args:
        name: simt, mma, cublas or bf16.
        health: looks at the card between rounds; default NVML.

    Raises:
        EngineUnavailable: no card, no driver, or one too old.
    """

    def __init__(self, name: str, health: Health | None = None) -> None:
        self.name = name
        try:
            self.device = require_device()
        except EngineUnavailable as error:
            raise EngineUnavailable(f"{error}; or use --engine cpu") from error
        if name != "simt" and SIMULATOR:
            raise EngineUnavailable(f"{name} needs a card: the CUDA simulator runs simt only")
        self._product = _product(name)
        self._health = health or Health.of_card(device_uuid())
        self._job: tuple[Profile, Seed, Any, ProofRun] | None = None
        self._roots: RootsOnCard | None = None  # of the latest proof

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
        require_memory(profile, lambda p: needed_memory(p, self.name), free_memory(), self.device)
        with _device_errors():
            b = generated(seed_words(epoch_seed), TAG_B, range(profile.N), profile.K)
            if not SIMULATOR:
                prefer_shared_memory(plain_kernels.BESIDE_PRODUCT)  # compiled by `check`, or by the proof before
            run = ProofRun(profile, b, self._product, self._health)
            cuda.synchronize()
            _PLACE.reserve(layout.claimed_bytes(profile))
        self._job = (profile, epoch_seed, b, run)

    def prove(self, device_seed: Seed) -> Proof:
        if self._job is None:
            raise RuntimeError("prepare(profile, epoch_seed) comes before prove")
        profile, epoch_seed, b, run = self._job
        if self._roots is not None:
            self._roots.fetch()
        started = time.perf_counter_ns()
        with _device_errors():
            window = _PLACE.take(layout.claimed_bytes(profile))
            seeds, roots, row_roots = run.rounds(device_seed, None if window is None else window.array)
        elapsed_us = (time.perf_counter_ns() - started) // 1000
        multiply = self._multiplier(profile, b)
        rows = DeviceRows(lambda t, wanted: multiply(seeds[t], wanted), window)
        self._roots = RootsOnCard(row_roots)
        return Proof(profile, epoch_seed, device_seed, seeds, roots, self._roots, rows, elapsed_us, self.name)

    def open(self, proof: Proof, indices: Sequence[tuple[int, int]]) -> bytes:
        return proof.open(indices)

    def probe(self, proof: Proof, challenge: bytes) -> ProbeResult:
        if not isinstance(proof.rows, DeviceRows) or proof.rows.window is None:
            raise ProofError(f"the last {proof.profile.W} rounds were not kept on the card")
        window = proof.rows.window
        with _device_errors():
            lanes = walked(window.array, challenge, layout.lanes(proof.profile))

        def read_sector(position: int) -> NDArray[np.uint64]:
            sector: NDArray[np.uint64] = window.array[4 * position : 4 * position + 4].copy_to_host()
            return sector

        return ProbeResult(proof, challenge, lanes, read_sector)

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

    def pace(self, seconds: float = 0.0) -> float:
        """Tera-operations a second of short proofs, everything included: of the last after that many seconds of them,
        in which a card gets as warm as it will be. Raises ProofError.
        """
        profile = _PACE if not seconds else replace(NAMED["datacenter"], T=64, W=0)
        self.prepare(profile, NO_SEED)
        self.prove(NO_SEED)
        ends = time.monotonic() + seconds
        tops = self.prove(NO_SEED).gops / 1000
        while time.monotonic() < ends:
            tops = self.prove(NO_SEED).gops / 1000
        self._job = self._roots = None
        return tops

    def memory_mib(self) -> int:
        """What is free on the card, with nothing of this engine on it."""
        self._job = self._roots = None
        return free_memory() >> 20

    def _multiplier(self, profile: Profile, b: Any) -> Callable[[bytes, Sequence[int]], NDArray[np.int32]]:
        def multiply(round_seed: bytes, wanted: Sequence[int]) -> NDArray[np.int32]:
            # Tiles have a height: the first row fills up.
            height = 1 if self.name == "simt" else fragments.TILE_M
            rows = [*wanted, *[wanted[0]] * (-len(wanted) % height)]
            with _device_errors():
                a = generated(seed_words(round_seed), TAG_A, rows, profile.K)
                product = cuda.device_array((len(rows), profile.N), np.int32)
                self._product(a, b, product, 0)
                found: NDArray[np.int32] = product.copy_to_host()[: len(wanted)]
            return found

        return multiply


def _product(name: str) -> Product:
    if name in ("cublas", "bf16"):
        return VendorProduct() if name == "cublas" else Bfloat16Product()
    return TensorProduct() if name == "mma" else plain_product


class _device_errors:
    """Whatever the card fails with becomes DeviceLost: there is no commitment."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        if isinstance(error, Exception) and not isinstance(error, (ProofError, ValueError)):
            raise DeviceLost(f"the GPU failed, no commitment was made: {error}") from error

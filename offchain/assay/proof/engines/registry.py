"""The engines by name."""

from __future__ import annotations

import ctypes
import logging
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Protocol

from assay.proof.errors import EngineUnavailable, ProofError
from assay.protocol.profile import Profile
from assay.protocol.types import Seed

if TYPE_CHECKING:
    from assay.proof.engines.gpu import GpuEngine
    from assay.proof.probe.result import ProbeResult
    from assay.proof.proof import Proof


class Engine(Protocol):
    """One way of proving. `prepare` once an epoch, then `prove` once for each device or handover."""

    name: str

    def prepare(self, profile: Profile, epoch_seed: Seed) -> None:
        """Generates what all proofs under one epoch seed share: B."""
        ...

    def prove(self, device_seed: Seed) -> Proof:
        """Multiplies and hashes all rounds from s_0 = device_seed (32 bytes).

        Raises:
            RuntimeError: not prepared.
            DeviceLost: the device failed; no commitment was made.
        """
        ...

    def open(self, proof: Proof, indices: Sequence[tuple[int, int]]) -> bytes:
        """The opening of rows (t, i) in the order asked."""
        ...

    def probe(self, proof: Proof, challenge: bytes) -> ProbeResult:
        """The memory probe over a finished proof; challenge is π, 32 bytes.

        Raises:
            ProofError: the profile has no window, or its products were not kept.
        """
        ...


def _reference(threads: int | None) -> Engine:
    from assay.proof.engines.reference import ReferenceEngine

    return ReferenceEngine()


def _cpu(threads: int | None) -> Engine:
    from assay.proof.engines.cpu import CpuEngine

    return CpuEngine(threads)


def _gpu(name: str) -> GpuEngine:
    from assay.proof.engines.gpu import GpuEngine

    return GpuEngine(name)


def _has_driver() -> bool:
    """Whether the CUDA driver's library is there: cheaper than importing what would use it."""
    try:
        ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
    except OSError:
        return False
    return True


def _best(threads: int | None) -> Engine:
    """Of the engines that pass their check on this card the fastest; without a driver the processor's."""
    paces: dict[str, float] = {}
    found: dict[str, Engine] = {}
    for name in GPU_NAMES if _has_driver() else ():
        try:
            candidate = _gpu(name)
            candidate.check()
            paces[name], found[name] = candidate.pace(), candidate
        except ProofError as reason:
            _LOG.warning("not using %s: %s", name, reason)
    if not paces:
        return _cpu(threads)
    chosen = max(paces, key=lambda name: paces[name])
    rates = ", ".join(f"{name} {pace:.3g}" for name, pace in paces.items())
    _LOG.info("using %s, the fastest on %s (TOPS: %s)", chosen, _gpu_name(found[chosen]), rates)
    return found[chosen]


def _gpu_name(engine: Engine) -> str:
    return str(getattr(engine, "device", "this machine"))


AUTO = "auto"
GPU_NAMES = ("cublas", "mma", "bf16", "simt")
_LOG = logging.getLogger(__name__)
_MAKERS: dict[str, Callable[[int | None], Engine]] = {
    AUTO: _best,
    "reference": _reference,
    "cpu": _cpu,
    **{name: (lambda _, name=name: _gpu(name)) for name in GPU_NAMES},  # type: ignore[misc]
}
NAMES = tuple(_MAKERS)


def engine(name: str = AUTO, threads: int | None = None) -> Engine:
    """The engine of that name, `auto` for the best that works here; its `name` says which it is.

    Args:
        name: one of `NAMES`.
        threads: processor threads to use; default ASSAY_PROOF_THREADS or all.

    Raises:
        EngineUnavailable: no engine of that name, or it cannot run on this machine.
    """
    if name not in _MAKERS:
        raise EngineUnavailable(f"no engine called {name!r}: choose one of {', '.join(NAMES)}")
    return _MAKERS[name](threads)

"""One proof on this machine, from seed to verified opening: does the device work, and how fast."""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass
from itertools import pairwise

from assay.proof.engines import Engine
from assay.proof.engines.registry import GPU_NAMES
from assay.proof.sampling import samples
from assay.proof.verification import Verifier
from assay.protocol.profile import Profile
from assay.protocol.types import DeviceId, Rho, Seed
from assay.provider.measurement.classes import ClassFit, class_fits


@dataclass(frozen=True)
class SelfTest:
    """Milliseconds of each part; `reason` is empty when valid."""

    engine: str
    valid: bool
    reason: str
    prepare_ms: float
    prove_ms: float
    open_ms: float
    verify_ms: float
    gops: float
    in_time: bool


WARM_S = 10.0  # of proofs, before a card's rate counts


def class_advice(engine: Engine) -> list[ClassFit]:
    """How the card that an engine proves on does in each class; nothing for a processor. Raises ProofError."""
    if engine.name not in GPU_NAMES:
        return []
    # Not before: it needs numba-cuda.
    from assay.proof.engines.gpu import GpuEngine

    if not isinstance(engine, GpuEngine):
        return []
    memory = engine.memory_mib()
    return class_fits(engine.pace(WARM_S), memory, engine.name)


def self_test(engine: Engine, profile: Profile) -> SelfTest:
    """Proves under random seeds, opens the profile's k rows and verifies them. Raises ProofError."""
    epoch_seed, seed = Seed(secrets.token_bytes(32)), Seed(secrets.token_bytes(32))
    rho, device_id = Rho(secrets.token_bytes(32)), DeviceId(secrets.token_bytes(32))
    times = [time.perf_counter()]
    engine.prepare(profile, epoch_seed)
    times.append(time.perf_counter())
    engine.prove(seed)  # kernels are compiled and caches filled
    times.append(time.perf_counter())
    proof = engine.prove(seed)
    times.append(time.perf_counter())
    rows = samples(rho, device_id, profile)
    opening = engine.open(proof, rows)
    times.append(time.perf_counter())
    verdict = Verifier(profile, epoch_seed, rho).verify(seed, proof.result_root, opening, rows)
    times.append(time.perf_counter())
    spans = [1000 * (later - earlier) for earlier, later in pairwise(times)]
    prove_ms = spans[2]
    return SelfTest(
        engine=engine.name,
        valid=verdict.valid,
        reason=verdict.reason,
        prepare_ms=spans[0],
        prove_ms=prove_ms,
        open_ms=spans[3],
        verify_ms=spans[4],
        gops=profile.operations / (prove_ms * 1e6),
        in_time=prove_ms <= profile.deadline_ms or profile.deadline_ms == 0,
    )

"""Compiles every kernel once and leaves it in Numba's cache, so that daemons start in a second.

`python -m assay.proof.warm_up`; ten processes that compile at once take twice as long as one after another.
"""

from __future__ import annotations

import sys
import time

from assay.proof.engines.cpu import CpuEngine
from assay.proof.probe.verification import verify_lanes
from assay.proof.sampling import samples
from assay.proof.verification import Verifier
from assay.protocol.profile import Profile
from assay.protocol.seeds import device_seed
from assay.protocol.types import DeviceId, Rho, Seed

_TINY = Profile(1, M=32, N=64, K=128, T=3, chunk=32, k=4, W=2)


def warm_up() -> float:
    """Proves, opens and verifies a tiny job and its memory probe with every kernel; returns the seconds taken."""
    started = time.perf_counter()
    zero = bytes(32)
    beta, device_id, rho = Seed(zero), DeviceId(zero), Rho(zero)
    engine = CpuEngine(threads=1)
    engine.prepare(_TINY, beta)
    proof = engine.prove(device_seed(beta, device_id, _TINY.id, zero))
    probed = engine.probe(proof, zero)
    verdict = Verifier(_TINY, beta, rho, threads=1).verify_device(
        device_id, zero, proof.result_root, proof.open(samples(rho, device_id, _TINY))
    )
    walked = verify_lanes(_TINY, proof.round_roots, zero, probed.lane_root, probed.open([0]), [0])
    if not (verdict.valid and walked.valid):
        reason = verdict.reason or walked.reason
        raise RuntimeError(f"the kernels do not agree with each other on this processor: {reason}")
    return time.perf_counter() - started


def main() -> int:
    """Entry point of `python -m assay.proof.warm_up`."""
    seconds = warm_up()
    sys.stdout.write(f"proof kernels ready in {seconds:.1f} s\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())

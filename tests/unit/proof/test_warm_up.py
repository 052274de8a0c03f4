"""After the warm-up nothing is compiled any more, whatever the number of rows and lanes that come over the wire."""

from __future__ import annotations

import subprocess
import sys

_PROGRAM = """
import pkgutil
from importlib import import_module
import assay.proof.kernels
from assay.proof import warm_up
from assay.proof.engines.cpu import CpuEngine
from assay.proof.probe.verification import verify_lanes
from assay.proof.verification import Verifier
from assay.protocol.profile import Profile

def compiled():
    found = pkgutil.iter_modules(assay.proof.kernels.__path__, "assay.proof.kernels.")
    modules = [import_module(one.name) for one in found]
    return {
        (module.__name__, name, signature)
        for module in modules
        for name, kernel in vars(module).items() if hasattr(kernel, "nopython_signatures")
        for signature in map(str, kernel.nopython_signatures)
    }

warm_up.warm_up()
before = compiled()
profile, zero = Profile(2, M=64, N=64, K=128, T=4, chunk=32, k=4, W=3), bytes(32)
engine = CpuEngine(threads=1)
engine.prepare(profile, zero)
proof = engine.prove(zero)
verifier = Verifier(profile, zero, zero, threads=1)
for count in (1, 2, 9):
    rows = [(n % 4, n) for n in range(count)]
    assert verifier.verify(zero, proof.result_root, bytes(proof.open(rows)), rows).valid
probed = engine.probe(proof, zero)
for lanes in ([5], [1, 2, 7]):
    assert verify_lanes(profile, proof.round_roots, zero, probed.lane_root, bytes(probed.open(lanes)), lanes).valid
print(len(before), sorted(compiled() - before))
"""


def test_warm_up__rows_and_lanes_opened_afterwards__are_verified_without_compiling() -> None:
    done = subprocess.run([sys.executable, "-c", _PROGRAM], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    count, more = done.stdout.strip().split(" ", 1)
    assert int(count) > 10
    assert more == "[]"

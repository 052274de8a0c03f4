"""The plain GPU engine in the CUDA simulator, and what engines say where there is no GPU."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from assay.proof.cuda.health import Health
from assay.proof.engines import engine
from assay.proof.engines.registry import _has_driver
from assay.proof.errors import DeviceLost, EngineUnavailable, ProofError

_PROGRAM = """
import warnings
warnings.simplefilter("ignore", RuntimeWarning)
from assay.proof.cuda.health import Health
from assay.proof.engines.gpu import GpuEngine
from assay.proof.engines.reference import ReferenceEngine
from assay.proof.errors import DeviceLost, EngineUnavailable
from assay.protocol.profile import Profile

profile = Profile(1, 4, 32, 64, 3, 32, 4, 2).validate()
plain, reference = GpuEngine("simt"), ReferenceEngine()
proofs = []
for worker in (plain, reference):
    worker.prepare(profile, bytes([9]) * 32)
    proofs.append(worker.prove(bytes([1]) * 32))
rows = [(0, 1), (2, 3), (1, 0), (0, 1)]
assert proofs[0].round_seeds == proofs[1].round_seeds
assert proofs[0].round_roots == proofs[1].round_roots
assert proofs[0].open(rows) == proofs[1].open(rows)
probes = [worker.probe(proof, bytes([7]) * 32) for worker, proof in zip((plain, reference), proofs)]
assert probes[0].lane_root == probes[1].lane_root
assert probes[0].open([5]) == probes[1].open([5])
try:
    GpuEngine("mma")
except EngineUnavailable as error:
    assert "simt" in str(error)
else:
    raise AssertionError("mma in the simulator")
hot = GpuEngine("simt", Health(lambda: 99, 90))
hot.prepare(profile, bytes(32))
try:
    hot.prove(bytes(32))
except DeviceLost as error:
    assert "99" in str(error) and "no commitment" in str(error)
else:
    raise AssertionError("a commitment of a card that overheated")
print("agrees")
"""


def test_simt__in_the_simulator__every_byte_as_the_reference() -> None:
    environment = {**os.environ, "NUMBA_ENABLE_CUDASIM": "1"}
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM], env=environment, capture_output=True, text=True, timeout=120
    )
    assert done.stdout.strip() == "agrees", done.stderr


@pytest.mark.skipif(_has_driver(), reason="there is a CUDA driver here")
@pytest.mark.parametrize("name", ["simt", "mma"])
def test_engine__no_gpu__says_so_and_what_to_use(name: str) -> None:
    with pytest.raises(EngineUnavailable, match=r"GPU.*cpu"):
        engine(name)


@pytest.mark.skipif(_has_driver(), reason="there is a CUDA driver here")
def test_engine__auto_without_gpu__cpu_by_name() -> None:
    assert engine("auto").name == "cpu"


def test_health__too_hot_or_gone__an_error_and_no_commitment() -> None:
    Health(None, 0).check()
    Health(lambda: 89, 90).check()
    with pytest.raises(DeviceLost, match="90 °C"):
        Health(lambda: 90, 90).check()

    def gone() -> int:
        raise DeviceLost("the GPU does not answer any more")

    with pytest.raises(ProofError, match="does not answer"):
        Health(gone, 90).check()

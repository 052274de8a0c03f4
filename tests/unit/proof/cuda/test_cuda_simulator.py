"""The plain GPU engine in the CUDA simulator, and what engines say where there is no GPU."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from assay.proof.cuda.health import Health
from assay.proof.engines import engine
from assay.proof.engines.registry import _has_driver
from assay.proof.errors import DeviceLost, EngineUnavailable, ProofError

pytestmark = pytest.mark.slow

_PROGRAM = """
import warnings
warnings.simplefilter("ignore", RuntimeWarning)
from assay.proof.engines.gpu import GpuEngine
from assay.proof.errors import EngineUnavailable
from benchmarks.proof.gpu_checks import checks

for name, check in checks():
    check()
    print(name)
try:
    GpuEngine("mma")
except EngineUnavailable as error:
    assert "simt" in str(error)
    print("no mma")
"""


def test_simt__in_the_simulator__every_kernel_and_every_byte_of_a_proof_as_the_reference() -> None:
    root = str(Path(__file__).parents[4])
    environment = {**os.environ, "NUMBA_ENABLE_CUDASIM": "1", "PYTHONPATH": root}
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM], env=environment, capture_output=True, text=True, timeout=120
    )
    expected = [
        "vectors",
        "hashes",
        "memory probe",
        "widening",
        "product simt: random entries",
        "engine simt",
        "no mma",
    ]
    assert done.stdout.split("\n")[:-1] == expected, done.stderr


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
        raise DeviceLost("the GPU stopped answering")

    with pytest.raises(ProofError, match="stopped answering"):
        Health(gone, 90).check()

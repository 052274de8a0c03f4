"""Kernels compiled for every architecture without a GPU: assembled, no spills, tensor-core instructions where meant."""

from __future__ import annotations

import pytest

from assay.proof.cuda.runtime import OLDEST_DRIVER

from .cuda_compilation import ARCHITECTURES, Compiled, compile_kernel, kernel_ptx, signatures

pytestmark = pytest.mark.slow

PLAIN = [name for name in signatures() if not name.startswith("tensor")]
TENSOR = [name for name in signatures() if name.startswith("tensor")]
OLDEST = ARCHITECTURES[0]
each_architecture = pytest.mark.parametrize("capability", ARCHITECTURES, ids=lambda c: f"sm_{c[0]}{c[1]}")


def fits(compiled: Compiled, most_registers: int) -> bool:
    return (compiled.spill_bytes, compiled.stack_bytes) == (0, 0) and 0 < compiled.registers <= most_registers


@each_architecture
@pytest.mark.parametrize("name", TENSOR)
def test_tensor_kernel__each_architecture__integer_tensor_cores_and_no_spills(
    name: str, capability: tuple[int, int]
) -> None:
    compiled = compile_kernel(name, capability)
    assert fits(compiled, 255)  # 256 threads on one processor
    assert compiled.ptx.count("mma.sync.aligned.m16n8k32") >= 64
    assert compiled.ptx.count("cp.async.cg.shared.global") >= 6
    assert compiled.tensor_instructions >= 64


@each_architecture
@pytest.mark.parametrize("name", PLAIN)
def test_plain_kernel__each_architecture__assembles_without_spills(name: str, capability: tuple[int, int]) -> None:
    compiled = compile_kernel(name, capability, OLDEST)
    assert fits(compiled, 128)
    assert compiled.tensor_instructions == 0


@pytest.mark.deep
@each_architecture
@pytest.mark.parametrize("name", PLAIN)
def test_plain_kernel__ptx_of_its_own_architecture__assembles_without_spills(
    name: str, capability: tuple[int, int]
) -> None:
    assert fits(compile_kernel(name, capability), 128)


def test_oldest_driver__of_the_ptx_that_is_emitted() -> None:
    first_driver = {"8.7": (12, 8), "8.8": (12, 9), "9.0": (13, 0), "9.1": (13, 1)}
    (version,) = {
        line.split()[1]
        for name in signatures()
        for line in kernel_ptx(name, OLDEST).splitlines()
        if line.startswith(".version")
    }
    assert first_driver[version] == OLDEST_DRIVER

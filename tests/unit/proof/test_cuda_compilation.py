"""Kernels compiled for every architecture without a GPU: assembled, no spills, tensor-core instructions where meant."""

from __future__ import annotations

import pytest

from assay.proof.cuda.compilation import ARCHITECTURES, compile_kernel, signatures

NAMES = list(signatures())
LIMITS = {
    "tensor_4_stages": 255,
    "tensor_2_stages": 255,
}  # registers a thread: 256 threads must fit one processor


@pytest.mark.parametrize("capability", ARCHITECTURES, ids=lambda c: f"sm_{c[0]}{c[1]}")
@pytest.mark.parametrize("name", NAMES)
def test_kernel__each_architecture__assembles_without_spills(name: str, capability: tuple[int, int]) -> None:
    compiled = compile_kernel(name, capability)
    assert compiled.spill_bytes == 0
    assert compiled.stack_bytes == 0
    assert 0 < compiled.registers <= LIMITS.get(name, 128)
    if name.startswith("tensor"):
        assert compiled.ptx.count("mma.sync.aligned.m16n8k32") >= 64
        assert compiled.ptx.count("cp.async.cg.shared.global") >= 6
        assert compiled.tensor_instructions >= 64
    else:
        assert compiled.tensor_instructions == 0

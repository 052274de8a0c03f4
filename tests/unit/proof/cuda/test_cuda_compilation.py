"""Kernels compiled and linked for cards without one: no spills, tensor-core instructions where meant."""

from __future__ import annotations

import pytest

from assay.proof.requirements import oldest_driver
from tests.cases import deep_but

from .cuda_compilation import kernel_ptx, signatures
from .cuda_linking import TARGETS, link, linked

pytestmark = pytest.mark.slow

NEWEST, HOPPER = "sm_120a", "sm_90a"
OLDEST = (8, 0)
TENSOR = [name for name in signatures() if name.startswith("tensor")]
# Counted when these kernels were written, and a tenth more. Blackwell's takes several instructions for each of ours.
INSTRUCTIONS = {"generate": 326, "multiply": 229, "hash_chunks": 1_038, "walk_lanes": 907}
TENSOR_INSTRUCTIONS = {"sm_80": 1_206, "sm_89": 1_206, "sm_90a": 1_320, "sm_100a": 1_962, "sm_120a": 2_235}
OTHERS = [(name, target) for name in signatures() for target in TARGETS if target != HOPPER and name != TENSOR[0]]


def fits(name: str, target: str) -> bool:
    """No spills, no more instructions than there were, and registers for one block of 256 threads a multiprocessor, or
    for four of the others.
    """
    found = linked(name, target)
    most = TENSOR_INSTRUCTIONS[target] if name == TENSOR[0] else INSTRUCTIONS.get(name, found.instructions)
    within = found.instructions <= most
    return within and found.frame_bytes == 0 and 0 < found.registers <= (255 if name in TENSOR else 128)


@pytest.mark.parametrize("target", deep_but([HOPPER], TARGETS))
def test_tensor_kernel__each_target__integer_tensor_cores_and_no_spills(target: str) -> None:
    name = TENSOR[0]
    assert fits(name, target)
    assert linked(name, target).tensor_instructions >= 64
    ptx = kernel_ptx(name, TARGETS[target])
    assert ptx.count("mma.sync.aligned.m16n8k32") >= 64
    assert ptx.count("cp.async.cg.shared.global") >= 6


@pytest.mark.parametrize("name", deep_but(INSTRUCTIONS, (name for name in signatures() if name != TENSOR[0])))
def test_kernel__on_hopper__no_spills_and_tensor_cores_where_meant(name: str) -> None:
    assert fits(name, HOPPER)
    assert (linked(name, HOPPER).tensor_instructions >= 64) == (name in TENSOR)


@pytest.mark.deep
@pytest.mark.parametrize(("name", "target"), OTHERS)
def test_kernel__every_other_target__no_spills(name: str, target: str) -> None:
    assert fits(name, target)


@pytest.mark.deep
@pytest.mark.parametrize("name", [name for name in signatures() if name not in TENSOR])
def test_kernel__ptx_of_the_oldest_card_on_the_newest__links(name: str) -> None:
    assert link(kernel_ptx(name, OLDEST), NEWEST)


def test_generate__machine_code__few_instructions_a_word() -> None:
    """Its loop makes four words; the whole kernel, with what comes before and after, is not much longer."""
    assert all(linked("generate", target).instructions <= 40 * 8 for target in TARGETS)


def test_multiply__plain_cores__four_products_an_instruction() -> None:
    assert kernel_ptx("multiply", (9, 0)).count("dp4a.s32.s32") == 16


def test_generate__ptx__32_bit_arithmetic_and_wide_stores() -> None:
    ptx = kernel_ptx("generate", (9, 0))
    loop = ptx[: ptx.index("st.v4.u32")].rpartition("$L__")[2]
    instructions = [line for line in loop.splitlines() if line.startswith("\t") and line.strip().endswith(";")]
    assert len(instructions) <= 14 * 4
    assert ptx.count("st.v4.u32") == 1


def test_oldest_driver__of_the_ptx_that_is_emitted() -> None:
    first_driver = {"8.7": (12, 8), "8.8": (12, 9), "9.0": (13, 0), "9.1": (13, 1)}
    (version,) = {
        line.split()[1]
        for name in ("generate", "multiply")
        for line in kernel_ptx(name, (9, 0)).splitlines()
        if line.startswith(".version")
    }
    assert first_driver[version] == oldest_driver().cuda

"""What is said where a card, its driver or its memory will not do; with a card made up of what CUDA would answer."""

from __future__ import annotations

import logging
from dataclasses import replace
from importlib.metadata import PackageNotFoundError
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from cuda.bindings import driver

from assay.proof import requirements
from assay.proof.cuda import runtime
from assay.proof.cuda.memory import needed_memory
from assay.proof.engines import engine, gpu, registry
from assay.proof.engines.memory import needed_memory as needed_by_cpu
from assay.proof.errors import DeviceLost, EngineUnavailable, NotEnoughMemory, ProofError
from assay.protocol.profile import NAMED


def card(
    monkeypatch: pytest.MonkeyPatch, driver: tuple[int, int] = (13, 0), capability: tuple[int, int] = (9, 0)
) -> Any:
    device = SimpleNamespace(compute_capability=capability, name="Test Card", uuid="GPU-0")
    found = SimpleNamespace(is_available=lambda: True, get_current_device=lambda: device)
    monkeypatch.setattr(runtime, "cuda", found)
    monkeypatch.setattr(runtime, "driver_version", lambda: driver)
    return found


def test_require_device__a_card_that_will_do__its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    card(monkeypatch)
    assert runtime.require_device() == "Test Card"


@pytest.mark.parametrize(
    ("driver", "capability", "said"),
    [
        ((12, 8), (9, 0), r"driver knows CUDA 12\.8, 12\.9 is needed: update the driver"),
        ((13, 0), (7, 5), r"capability is 7\.5, 8\.0 is needed"),
    ],
)
def test_require_device__driver_or_card_too_old__what_is_there_and_what_is_needed(
    monkeypatch: pytest.MonkeyPatch, driver: tuple[int, int], capability: tuple[int, int], said: str
) -> None:
    card(monkeypatch, driver, capability)
    with pytest.raises(EngineUnavailable, match=said):
        runtime.require_device()


def test_require_device__no_card_or_a_driver_that_fails__says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    found = card(monkeypatch)
    found.is_available = lambda: False
    with pytest.raises(EngineUnavailable, match="no NVIDIA GPU"):
        runtime.require_device()

    def broken() -> bool:
        raise RuntimeError("CUDA_ERROR_SYSTEM_DRIVER_MISMATCH")

    found.is_available = broken
    with pytest.raises(EngineUnavailable, match="does not start: CUDA_ERROR_SYSTEM_DRIVER_MISMATCH"):
        runtime.require_device()


def test_engine__without_a_card__says_so_and_what_to_use(monkeypatch: pytest.MonkeyPatch) -> None:
    card(monkeypatch).is_available = lambda: False
    with pytest.raises(EngineUnavailable, match=r"no NVIDIA GPU.*; or use --engine cpu"):
        gpu.GpuEngine("simt")


def gpu_engine(monkeypatch: pytest.MonkeyPatch, free: int, name: str = "mma") -> gpu.GpuEngine:
    monkeypatch.setattr(gpu, "require_device", lambda: "Test Card")
    monkeypatch.setattr(gpu, "device_uuid", lambda: None)
    monkeypatch.setattr(gpu, "free_memory", lambda: free)
    return gpu.GpuEngine(name)


@pytest.mark.parametrize(
    ("free", "fits"), [(1 << 30, "the largest profile that fits is performance"), (1 << 20, "no profile fits")]
)
def test_prepare__too_little_memory__how_much_is_needed_and_what_fits(
    monkeypatch: pytest.MonkeyPatch, free: int, fits: str
) -> None:
    needed = -(-needed_memory(NAMED["datacenter"], "mma") // (1 << 20))
    with pytest.raises(NotEnoughMemory, match=f"needs {needed:,} MiB, Test Card has {free >> 20:,} MiB free: {fits}"):
        gpu_engine(monkeypatch, free).prepare(NAMED["datacenter"], bytes(32))


def test_needed_memory__of_the_named_profiles__holds_what_is_allocated() -> None:
    for profile in NAMED.values():
        p = profile
        buffers = (2 * p.M + p.N) * p.K + 2 * 4 * p.M * p.N + 32 * p.M * p.N // p.chunk + 32 * p.T * (p.M + 2)
        assert buffers < needed_memory(p, "mma") < 1.2 * buffers + (1 << 25)
        assert needed_by_cpu(p, 1) >= p.N * p.K + 2 * 4 * p.M * p.N


def test_prepare__a_profile_smaller_than_a_tile__says_which_engine_can(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(EngineUnavailable, match=r"M >= 128 and N >= 256.*simt or cpu"):
        gpu_engine(monkeypatch, 1 << 40).prepare(replace(NAMED["micro"], M=64), bytes(32))


@pytest.mark.parametrize("error", [RuntimeError("CUDA_ERROR_ILLEGAL_ADDRESS"), OSError("gone")])
def test_device_errors__whatever_the_card_fails_with__lost_and_no_commitment(error: Exception) -> None:
    with pytest.raises(DeviceLost, match=f"{error}|no commitment"), gpu._device_errors():
        raise error


def test_check__a_card_that_computes_wrongly__never_used(monkeypatch: pytest.MonkeyPatch) -> None:
    from assay.proof.engines.cpu import CpuEngine

    found = gpu_engine(monkeypatch, 1 << 40)
    honest = CpuEngine(threads=1)
    monkeypatch.setattr(found, "prepare", honest.prepare)
    monkeypatch.setattr(found, "prove", honest.prove)
    found.check()
    monkeypatch.setattr(found, "prove", lambda seed: honest.prove(bytes([1]) * 32))
    with pytest.raises(EngineUnavailable, match="computes wrongly"):
        found.check()

    def lost(_: bytes) -> None:
        raise DeviceLost("the GPU failed")

    monkeypatch.setattr(found, "prove", lost)
    with pytest.raises(EngineUnavailable, match="does not run on Test Card: the GPU failed"):
        found.check()


def test_auto__engines_that_pass__the_fastest_and_why_in_the_log(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(registry, "_has_driver", lambda: True)
    failing: dict[str, ProofError | None] = dict.fromkeys(registry.GPU_NAMES)
    failing["mma"] = EngineUnavailable("wrong bytes")
    paces = {"cublas": 900.0, "mma": 950.0, "bf16": 400.0, "simt": 9.0}

    def made(name: str) -> Any:
        def check() -> None:
            if (error := failing[name]) is not None:
                raise error

        return SimpleNamespace(name=name, check=check, pace=lambda: paces[name], device="Test Card")

    monkeypatch.setattr(registry, "_gpu", made)
    with caplog.at_level(logging.INFO):
        assert engine("auto").name == "cublas"
    assert "not using mma: wrong bytes" in caplog.text
    assert "using cublas, the fastest on Test Card (TOPS: cublas 900, bf16 400, simt 9)" in caplog.text
    failing["mma"] = None
    assert engine("auto").name == "mma"
    failing.update(dict.fromkeys(failing, NotEnoughMemory("full")))
    assert engine("auto").name == "cpu"


def test_read__rows_asked_for_twice__multiplied_once() -> None:
    asked: list[tuple[int, list[int]]] = []

    def multiply(t: int, rows: list[int]) -> Any:
        asked.append((t, rows))
        return np.array([[10 * t + i] for i in rows], np.int32)

    rows = gpu.DeviceRows(multiply, None).read([(1, 3), (0, 2), (1, 3), (1, 1)])
    assert rows[:, 0].tolist() == [13, 2, 13, 11]
    assert sorted(asked) == [(0, [2]), (1, [1, 3])]


@pytest.mark.parametrize(
    ("libraries", "needed"), [("12.9.10", ((12, 9), 575)), ("13.0.3", ((13, 0), 580)), (None, ((12, 9), 575))]
)
def test_oldest_driver__by_the_libraries_installed__takes_their_ptx(
    monkeypatch: pytest.MonkeyPatch, libraries: str | None, needed: tuple[tuple[int, int], int]
) -> None:
    def installed(name: str) -> str:
        if libraries is None:
            raise PackageNotFoundError(name)
        return libraries

    monkeypatch.setattr(requirements, "version", installed)
    found = requirements.oldest_driver.__wrapped__()
    assert (found.cuda, found.release) == needed


@pytest.mark.parametrize("in_library", [False, True])
def test_shared_memory__of_compiled_kernels__is_allowed_and_preferred_as_the_driver_takes_it(
    monkeypatch: pytest.MonkeyPatch, in_library: bool
) -> None:
    asked: list[tuple[str, int, int]] = []
    answer = [driver.CUresult.CUDA_SUCCESS]

    def of_function(function: Any, attribute: Any, value: int) -> tuple[Any]:
        asked.append((attribute.name, value, int(function)))
        return (answer[0],)

    def of_kernel(attribute: Any, value: int, kernel: Any, device: int) -> tuple[Any]:
        assert device == 3
        return of_function(kernel, attribute, value)

    monkeypatch.setattr(driver, "cuFuncSetAttribute", of_function)
    monkeypatch.setattr(driver, "cuKernelSetAttribute", of_kernel)

    def kernel(handle: int) -> Any:
        made = driver.CUkernel(handle) if in_library else handle
        function = SimpleNamespace(handle=made, device=SimpleNamespace(id=3))
        compiled = SimpleNamespace(_codelibrary=SimpleNamespace(get_cufunc=lambda: function))
        return SimpleNamespace(overloads={"signature": compiled})

    assert runtime.allow_shared_memory(kernel(7), 98_304)
    runtime.prefer_shared_memory([kernel(7), kernel(8), SimpleNamespace(overloads={})])
    size = "CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES"
    carveout = "CU_FUNC_ATTRIBUTE_PREFERRED_SHARED_MEMORY_CARVEOUT"
    assert asked == [(size, 98_304, 7), (carveout, 100, 7), (carveout, 100, 8)]
    answer[0] = driver.CUresult.CUDA_ERROR_INVALID_VALUE
    assert not runtime.allow_shared_memory(kernel(7), 1 << 20)
    runtime.prefer_shared_memory([kernel(7)])  # a hint that is not taken

"""The one place that imports `numba.cuda`: everything else takes it from here."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from typing import Any

from assay.proof.errors import EngineUnavailable
from assay.proof.requirements import OLDEST_CARD, oldest_driver

try:
    from numba import cuda as cuda
except ImportError as error:  # numba-cuda is optional: `pip install assay[gpu]`
    raise EngineUnavailable("numba-cuda is not installed: install assay[gpu]") from error

SIMULATOR = os.environ.get("NUMBA_ENABLE_CUDASIM") == "1"


def jit(function: Any) -> Any:
    """A kernel."""
    return cuda.jit(function)


def jit_alone(threads: int) -> Callable[[Any], Any]:
    """A kernel whose blocks, of at most so many threads, have a multiprocessor's registers to themselves."""
    decorate: Callable[[Any], Any] = cuda.jit(launch_bounds=(threads, 1))
    return decorate


def device(function: Any) -> Any:
    """A function that kernels call."""
    return cuda.jit(device=True, inline=True)(function) if not SIMULATOR else cuda.jit(device=True)(function)


def intrinsic(function: Any) -> Any:
    """A function written as LLVM IR; not for the simulator."""
    from numba.cuda.extending import intrinsic as decorate

    return decorate(function)


def require_device() -> str:
    """The card's name.

    Raises:
        EngineUnavailable: no card, no driver, or one too old; says what was found and what is needed.
    """
    if SIMULATOR:
        return "CUDA simulator"
    try:
        found = cuda.is_available()
    except Exception as error:
        raise EngineUnavailable(f"the CUDA driver does not start: {error}") from None
    if not found:
        raise EngineUnavailable("no NVIDIA GPU, or no driver for it, on this machine")
    version = driver_version()
    card = cuda.get_current_device()
    capability = tuple(card.compute_capability)
    needed = oldest_driver().cuda
    if version < needed:
        raise EngineUnavailable(
            f"the driver knows CUDA {_dotted(version)}, {_dotted(needed)} is needed: update the driver"
        )
    if capability < OLDEST_CARD:
        raise EngineUnavailable(
            f"the GPU's compute capability is {_dotted(capability)}, {_dotted(OLDEST_CARD)} is needed"
        )
    name = card.name
    return name.decode() if isinstance(name, bytes) else str(name)


def _dotted(version: tuple[int, ...]) -> str:
    return ".".join(str(part) for part in version)


def driver_version() -> tuple[int, ...]:
    """The newest CUDA version that the installed driver knows; not the version of the toolkit beside it."""
    from numba.cuda.cudadrv.driver import driver

    return tuple(driver.get_version())


def device_uuid() -> str | None:
    """The card's own name, by which NVML knows it too. Of a MIG slice that is the name by which it was made visible:
    CUDA gives the slice's digits behind the prefix of a whole card.
    """
    if SIMULATOR:
        return None
    visible = os.environ.get("CUDA_VISIBLE_DEVICES", "")
    return visible if visible.startswith("MIG-") and "," not in visible else str(cuda.get_current_device().uuid)


def free_memory() -> int:
    """Bytes free on the card, after what was dropped has been given back."""
    if SIMULATOR:
        return 1 << 40
    context = cuda.current_context()
    context.deallocations.clear()
    return int(context.get_memory_info().free)


def multiprocessors() -> int:
    """How many the card has."""
    return int(cuda.get_current_device().MULTIPROCESSOR_COUNT)


def clear(array: Any, stream: Any) -> None:
    """Queues zeros for a contiguous array on the card."""
    from numba.cuda.cudadrv.driver import device_memset

    device_memset(array, 0, array.nbytes, stream)


def handle_of(stream: Any) -> int:
    """The driver's handle of a stream, 0 for the default one."""
    return int(getattr(stream, "handle", None) or 0)


def allow_shared_memory(kernel: Any, size: int) -> bool:
    """Lets the compiled versions of a kernel use more than 48 KiB of shared memory; False where the card has less."""
    return _set_attribute(kernel, "CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES", size)


def prefer_shared_memory(kernels: Iterable[Any]) -> None:
    """Has the compiled versions of kernels leave as much of a multiprocessor to shared memory as goes: a block that
    would have it cut otherwise waits until the multiprocessor is idle. A hint, which a card may pass over.
    """
    for kernel in kernels:
        _set_attribute(kernel, "CU_FUNC_ATTRIBUTE_PREFERRED_SHARED_MEMORY_CARVEOUT", 100)  # percent


def _set_attribute(kernel: Any, name: str, value: int) -> bool:
    from cuda.bindings import driver  # type: ignore[import-untyped]

    attribute = getattr(driver.CUfunction_attribute, name)
    for compiled in kernel.overloads.values():
        function = compiled._codelibrary.get_cufunc()
        handle = function.handle
        # A kernel of a library is set for a device, a function of a module for its context.
        if isinstance(handle, driver.CUkernel):
            (result,) = driver.cuKernelSetAttribute(attribute, value, handle, function.device.id)
        else:
            (result,) = driver.cuFuncSetAttribute(driver.CUfunction(int(handle)), attribute, value)
        if result != driver.CUresult.CUDA_SUCCESS:
            return False
    return True

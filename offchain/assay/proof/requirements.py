"""What cards and drivers the engines for GPUs need, known without CUDA."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version

OLDEST_CARD = (8, 0)  # compute capability


@dataclass(frozen=True, slots=True)
class OldestDriver:
    """The first driver that takes the PTX that the kernels compile to: by its CUDA version, and its own."""

    cuda: tuple[int, int]
    release: int


# Each extra keeps to libraries of one CUDA version, which fixes that of the PTX: 8.8, and 9.0.
_BY_EXTRA = {"gpu": OldestDriver((12, 9), 575), "gpu-cuda13": OldestDriver((13, 0), 580)}


@cache
def oldest_driver() -> OldestDriver:
    """For the libraries that are installed here; where there are none, for those of CUDA 12."""
    try:
        found = version("cuda-bindings")
    except PackageNotFoundError:
        found = ""
    return _BY_EXTRA["gpu-cuda13" if found.startswith("13.") else "gpu"]

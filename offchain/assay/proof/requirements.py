"""What cards and drivers the engines for GPUs need, known without CUDA."""

from __future__ import annotations

OLDEST_DRIVER = (12, 9)  # CUDA version of the first driver that takes the PTX 8.8 that the kernels compile to
OLDEST_CARD = (8, 0)  # compute capability

"""Bytes as the little-endian words that the kernels take."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def seed_words(seed: bytes) -> NDArray[np.uint64]:
    """32 bytes as uint64[4]."""
    return np.frombuffer(seed, dtype="<u8").astype(np.uint64)


def as_bytes(words: NDArray[np.uint64]) -> bytes:
    """uint64 words as the bytes they came from."""
    return words.astype("<u8").tobytes()

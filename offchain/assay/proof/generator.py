"""The generator of A and B in NumPy: PROTOCOL section 2, `vector(seed, tag, index, K)`.

A keyed mixer in which review found no structure or shortcut; not a cipher.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from assay.protocol.keccak import keccak

TAG_A = b"A"
TAG_B = b"B"
GOLDEN = 0x9E3779B9


def lane_keys(seed: bytes, tag: bytes, index: int) -> NDArray[np.uint32]:
    """The 2 × 8 lane keys (k1, k2) of one vector: lane l is bits 32·l and up of h_0 and h_1.

    Returns:
        uint32 array of shape (2, 8).
    """
    digests = [keccak(seed + tag + index.to_bytes(4, "big") + bytes([b])) for b in (0, 1)]
    words = np.frombuffer(b"".join(digests), dtype=">u4").reshape(2, 8)
    return words[:, ::-1].astype(np.uint32)


def vector(seed: bytes, tag: bytes, index: int, length: int) -> NDArray[np.int8]:
    """One row of A or of B.

    Args:
        seed: 32 bytes, s_t for A and β for B.
        tag: `TAG_A` or `TAG_B`; B stores its lanes in reverse order.
        index: row number, below 2^32.
        length: K, a multiple of 32.

    Returns:
        int8 array of shape (length,).
    """
    k1, k2 = lane_keys(seed, tag, index)
    w = np.arange(length // 32, dtype=np.uint32)
    with np.errstate(over="ignore"):
        x = k1[None, :] + (w * np.uint32(GOLDEN))[:, None]
        x ^= x >> np.uint32(16)
        x *= np.uint32(0x21F0AAAD)
        x ^= k2[None, :]
        x ^= x >> np.uint32(15)
        x *= np.uint32(0x735A2D97)
        x ^= x >> np.uint32(15)
    if tag == TAG_B:
        x = x[:, ::-1]
    octets = np.ascontiguousarray(x).astype("<u4").view(np.uint8).reshape(length)
    return (octets ^ np.uint8(0x80)).view(np.int8)


def matrix(seed: bytes, tag: bytes, rows: int, length: int) -> NDArray[np.int8]:
    """The first `rows` vectors, int8 of shape (rows, length)."""
    return np.stack([vector(seed, tag, i, length) for i in range(rows)])

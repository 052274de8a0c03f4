"""H of the protocol: keccak256."""

from __future__ import annotations

from Crypto.Hash import keccak as _backend

HASH_LENGTH = 32
ZERO_HASH = bytes(HASH_LENGTH)


def keccak(data: bytes) -> bytes:
    """keccak256 of `data`: 32 bytes."""
    return _backend.new(data=data, digest_bits=256).digest()

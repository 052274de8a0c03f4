"""Seeds: from the beacon to each round of each device."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from assay.protocol.encoding import u256, word
from assay.protocol.keccak import ZERO_HASH, keccak
from assay.protocol.types import DeviceId, Rho, Root, Seed

FIRST_PREVIOUS_ROOT = ZERO_HASH  # root_{−1}


def epoch_seed(chain_id: int, oracle: str, epoch: int, beacon: bytes) -> Seed:
    """β = H("assay.B" ‖ u256(chainId) ‖ u256(oracle address) ‖ u256(epoch) ‖ beacon)."""
    return Seed(keccak(b"assay.B" + u256(chain_id) + u256(oracle) + u256(epoch) + word("bytes32", beacon, "beacon")))


def nonce_root(nonces: Sequence[tuple[str, bytes]]) -> bytes:
    """nonceRoot = H(concatenation of u256(validator) ‖ nonce), validators (seat accounts) strictly ascending.

    Raises ValueError when there is none, or two stand in the wrong order or are equal.
    """
    if not nonces:
        raise ValueError("no nonces: a commitment needs at least one challenge")
    parts = [(u256(validator), word("bytes32", nonce, "nonce")) for validator, nonce in nonces]
    for (left, _), (right, _) in pairwise(parts):
        if left >= right:
            raise ValueError(f"validators not strictly ascending: 0x{left[12:].hex()} before 0x{right[12:].hex()}")
    return keccak(b"".join(validator + nonce for validator, nonce in parts))


def device_seed(epoch_seed: Seed, device_id: DeviceId, profile_id: int, nonce_root: bytes) -> Seed:
    """s_0 = H("assay.A" ‖ β ‖ deviceId ‖ u256(profile id) ‖ nonceRoot)."""
    return Seed(keccak(b"assay.A" + epoch_seed + device_id + u256(profile_id) + nonce_root))


def handover_seed(epoch_seed: Seed, device_id: DeviceId, profile_id: int, nonce: bytes, lease_id: int) -> Seed:
    """s_0 = H("assay.H" ‖ β ‖ deviceId ‖ u256(profile id) ‖ nonce ‖ u256(leaseId)), where nonce = H(x)."""
    return Seed(keccak(b"assay.H" + epoch_seed + device_id + u256(profile_id) + nonce + u256(lease_id)))


def handover_rho(x: bytes, result_root: Root) -> Rho:
    """ρ of a handover = H("assay.hr" ‖ x ‖ resultRoot)."""
    return Rho(keccak(b"assay.hr" + x + result_root))


def next_seed(seed: bytes, previous_root: bytes) -> Seed:
    """s_{t+1} = H(s_t ‖ root_{t−1}); root_{−1} is FIRST_PREVIOUS_ROOT."""
    return Seed(keccak(seed + previous_root))

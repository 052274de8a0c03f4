"""Sizes and places of the memory probe: what is claimed, in sectors, lanes and steps."""

from __future__ import annotations

from assay.proof import openings
from assay.protocol.keccak import keccak
from assay.protocol.merkle import depth_of
from assay.protocol.profile import Profile
from assay.protocol.types import DeviceId, Rho

SECTOR_VALUES = 16  # of 16 bits: 32 bytes
STEPS = 64
LANES_PER_LEAF = 32
OPENED_LANES = 16
_LANE_SHARE = 16  # sectors a lane: 2^27 lanes for the 2^31 sectors of `datacenter`


def sectors(profile: Profile) -> int:
    """S = W·M·N/16."""
    return profile.W * profile.M * profile.N // SECTOR_VALUES


def claimed_bytes(profile: Profile) -> int:
    """W·M·N·2."""
    return 2 * profile.W * profile.M * profile.N


def claimed_mib(profile: Profile) -> int:
    """`memoryMiB` of a device that passes: whole mebibytes claimed."""
    return claimed_bytes(profile) >> 20


def lanes(profile: Profile) -> int:
    """L: one lane for 16 sectors, in whole leaves of 32, at least one leaf; none without a window."""
    if profile.W == 0:
        return 0
    return max(LANES_PER_LEAF, sectors(profile) // _LANE_SHARE // LANES_PER_LEAF * LANES_PER_LEAF)


def lane_depth(profile: Profile) -> int:
    """Length of a leaf's path to laneRoot."""
    return depth_of(lanes(profile) // LANES_PER_LEAF)


def chunk_depth(profile: Profile) -> int:
    """Length of a chunk's path to its round's root."""
    return openings.path_length(profile) + depth_of(profile.N // profile.chunk)


def lane_start(challenge: bytes, lane: int, count: int) -> tuple[int, int]:
    """(st, pos) from which a lane starts: h = H(π ‖ "m" ‖ u32(ℓ)), st = h mod 2^64, pos = (h >> 64) mod S.

    Args:
        challenge: π, 32 bytes: the hash of the validators' fresh nonces.
        lane: ℓ.
        count: S.
    """
    h = int.from_bytes(keccak(challenge + b"m" + lane.to_bytes(4, "big")), "big")
    return h % (1 << 64), (h >> 64) % count


def lane_samples(rho: Rho, device_id: DeviceId, profile: Profile, count: int = OPENED_LANES) -> list[int]:
    """Lanes to open after ρ: H(ρ ‖ "l" ‖ deviceId ‖ u32(q)) mod L, duplicates kept."""
    total = lanes(profile)
    prefix = rho + b"l" + device_id
    return [int.from_bytes(keccak(prefix + q.to_bytes(4, "big")), "big") % total for q in range(count if total else 0)]


def place(profile: Profile, position: int) -> tuple[int, int, int]:
    """(t, i, j) of the first of the 16 values of a sector."""
    element = SECTOR_VALUES * position
    row, j = divmod(element, profile.N)
    w, i = divmod(row, profile.M)
    return profile.T - profile.W + w, i, j

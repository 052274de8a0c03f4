"""Verification of opened lanes: hashing only.

An opening of lanes is, for each lane asked for, in order:

    32 final states of its leaf         256 bytes, uint64 little-endian
    siblings from the leaf to laneRoot  32 · log2(leaves) bytes, bottom-up
    then for each of 64 steps, in order:
        the chunk of C it visited       4 · chunk bytes, int32 little-endian
        siblings from the chunk up to
        root_t                          32 · log2(M·N/chunk) bytes, bottom-up
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from assay.proof.kernels import probe
from assay.proof.kernels.keccak import hash_rows
from assay.proof.kernels.paths import first_foreign_row
from assay.proof.kernels.words import seed_words
from assay.proof.probe import layout
from assay.proof.verification import VALID, OpeningFault, Verdict
from assay.protocol.profile import Profile
from assay.protocol.types import DeviceId, Rho, Root

MAX_LANES = 256  # in one opening


def _record(profile: Profile) -> np.dtype[np.void]:
    step = np.dtype([("chunk", "<i4", (profile.chunk,)), ("path", "<u8", (layout.chunk_depth(profile), 4))])
    leaf = ("states", "<u8", (layout.LANES_PER_LEAF,))
    return np.dtype([leaf, ("path", "<u8", (layout.lane_depth(profile), 4)), ("steps", step, (layout.STEPS,))])


def length(profile: Profile, count: int) -> int:
    """Bytes of an opening of `count` lanes: where a receiver stops reading."""
    step_bytes = 4 * profile.chunk + 32 * layout.chunk_depth(profile)
    leaf_bytes = 8 * layout.LANES_PER_LEAF + 32 * layout.lane_depth(profile)
    return count * (leaf_bytes + layout.STEPS * step_bytes)


def verify_device_lanes(
    profile: Profile,
    rho: Rho,
    device_id: DeviceId,
    round_roots: Sequence[bytes],
    challenge: bytes,
    lane_root: Root,
    opening: bytes,
) -> Verdict:
    """Verifies an epoch's opening of the lanes that ρ draws for a device; arguments as in `verify_lanes`."""
    lanes = layout.lane_samples(rho, device_id, profile)
    return verify_lanes(profile, round_roots, challenge, lane_root, opening, lanes)


def verify_lanes(
    profile: Profile,
    round_roots: Sequence[bytes],
    challenge: bytes,
    lane_root: Root,
    opening: bytes,
    lanes: Sequence[int],
) -> Verdict:
    """Verifies opened lanes of the memory probe. Never raises on what a device sends.

    Args:
        profile: the device's.
        round_roots: root_0 .. root_{T-1}, already verified against the device's resultRoot.
        challenge: π, 32 bytes.
        lane_root: as sealed.
        opening: bytes as received.
        lanes: asked for, each below `layout.lanes(profile)`.
    """
    if not 0 < len(lanes) <= MAX_LANES:
        return Verdict(False, f"{len(lanes)} lanes asked for, from 1 to {MAX_LANES} are read", OpeningFault.FORMAT)
    for lane in lanes:
        if not 0 <= lane < layout.lanes(profile):
            return Verdict(
                False, f"lane {lane} is outside the {layout.lanes(profile)} of the profile", OpeningFault.FORMAT
            )
    expected = length(profile, len(lanes))
    if len(opening) != expected:
        return Verdict(False, f"opening has {len(opening)} bytes, expected {expected}", OpeningFault.FORMAT)
    records = np.frombuffer(opening, _record(profile))
    numbers = np.array(lanes, np.int64)
    roots = np.frombuffer(b"".join(round_roots), "<u8").reshape(-1, 4)
    for reason in (
        _wrong_leaf(records, numbers, lane_root),
        _wrong_walk(profile, records, numbers, challenge, roots),
    ):
        if reason:
            return Verdict(False, reason, OpeningFault.PATH)
    return VALID


def _wrong_leaf(records: NDArray[np.void], lanes: NDArray[np.int64], lane_root: Root) -> str:
    leaves = np.empty((len(lanes), 4), np.uint64)
    # Copied even where one lane lies in order already: kernels are compiled anew for arrays that are read-only.
    hash_rows(np.array(records["states"], order="C"), leaves)
    paths = np.array(records["path"], order="C")
    root = np.frombuffer(lane_root, "<u8").reshape(1, 4)
    at = first_foreign_row(leaves, paths, np.zeros_like(lanes), lanes // layout.LANES_PER_LEAF, root)
    return "" if at < 0 else f"lane {lanes[at]}: its leaf is not under the sealed lane root"


def _wrong_walk(
    profile: Profile, records: NDArray[np.void], lanes: NDArray[np.int64], challenge: bytes, roots: NDArray[np.uint64]
) -> str:
    """Walks over the chunks shown, then looks whether those are the ones committed to where the walks went."""
    chunks = np.array(records["steps"]["chunk"], order="C")
    visited, final = np.empty((len(lanes), layout.STEPS), np.uint64), np.empty(len(lanes), np.uint64)
    count = np.uint64(layout.sectors(profile))
    probe.replay_lanes(chunks, seed_words(challenge), lanes, count, visited, final)
    element = visited.reshape(-1).astype(np.int64) * layout.SECTOR_VALUES
    rounds = profile.T - profile.W + element // (profile.M * profile.N)
    places = element % (profile.M * profile.N) // profile.chunk
    leaves = np.empty((len(element), 4), np.uint64)
    hash_rows(chunks.view("<u8").reshape(len(element), -1), leaves)
    paths = np.array(records["steps"]["path"], order="C").reshape(len(element), -1, 4)
    at = first_foreign_row(leaves, paths, rounds, places, roots)
    if at >= 0:
        lane, step = divmod(int(at), layout.STEPS)
        return f"lane {lanes[lane]}: step {step} shows a chunk that was not committed to"
    claimed = records["states"][np.arange(len(lanes)), lanes % layout.LANES_PER_LEAF]
    differs = np.flatnonzero(claimed != final)
    if len(differs):
        return f"lane {lanes[differs[0]]}: its final state does not follow from the chunks it visited"
    return ""

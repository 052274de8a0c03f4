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

from assay.proof.probe import layout
from assay.proof.probe.result import sector_of
from assay.proof.probe.walk import step
from assay.proof.verification import VALID, Fault, Verdict
from assay.protocol.keccak import keccak
from assay.protocol.merkle import root_from_path
from assay.protocol.profile import Profile

_LEAF_BYTES = 8 * layout.LANES_PER_LEAF
MAX_LANES = 256  # in one opening


def length(profile: Profile, count: int) -> int:
    """Bytes of an opening of `count` lanes."""
    step_bytes = 4 * profile.chunk + 32 * layout.chunk_depth(profile)
    return count * (_LEAF_BYTES + 32 * layout.lane_depth(profile) + layout.STEPS * step_bytes)


def verify_lanes(
    profile: Profile,
    round_roots: Sequence[bytes],
    challenge: bytes,
    lane_root: bytes,
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
        lanes: asked for.
    """
    if not 0 < len(lanes) <= MAX_LANES:
        return Verdict(False, f"{len(lanes)} lanes asked for, from 1 to {MAX_LANES} are read", Fault.FORMAT)
    expected = length(profile, len(lanes))
    if len(opening) != expected:
        return Verdict(False, f"opening has {len(opening)} bytes, expected {expected}", Fault.FORMAT)
    size = expected // len(lanes)
    for n, lane in enumerate(lanes):
        reason = _wrong_lane(profile, round_roots, challenge, lane_root, opening[n * size : (n + 1) * size], lane)
        if reason:
            return Verdict(False, f"lane {lane}: {reason}", Fault.PATH)
    return VALID


def _nodes(data: bytes) -> list[bytes]:
    return [data[n : n + 32] for n in range(0, len(data), 32)]


def _wrong_lane(
    profile: Profile, roots: Sequence[bytes], challenge: bytes, lane_root: bytes, data: bytes, lane: int
) -> str:
    leaf, within = divmod(lane, layout.LANES_PER_LEAF)
    head = _LEAF_BYTES + 32 * layout.lane_depth(profile)
    if root_from_path(keccak(data[:_LEAF_BYTES]), leaf, _nodes(data[_LEAF_BYTES:head])) != lane_root:
        return "its leaf is not under the sealed lane root"
    count = layout.sectors(profile)
    state, position = layout.lane_start(challenge, lane, count)
    chunk_bytes = 4 * profile.chunk
    record = chunk_bytes + 32 * layout.chunk_depth(profile)
    chunks_a_row = profile.N // profile.chunk
    for n in range(layout.STEPS):
        at = head + n * record
        chunk, path = data[at : at + chunk_bytes], _nodes(data[at + chunk_bytes : at + record])
        t, i, j = layout.place(profile, position)
        place = i * chunks_a_row + j // profile.chunk
        if root_from_path(keccak(chunk), place, path) != roots[t]:
            return f"step {n} shows a chunk that was not committed to"
        values = np.frombuffer(chunk, "<i4")
        state, position = step(state, sector_of(values, j % profile.chunk), count)
    claimed = int.from_bytes(data[8 * within : 8 * within + 8], "little")
    return "" if claimed == state else "its final state does not follow from the chunks it visited"

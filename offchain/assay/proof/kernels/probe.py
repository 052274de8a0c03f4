"""Walks of the memory probe in Numba."""

from __future__ import annotations

import numpy as np
from numba import njit

from assay.proof.kernels.permutation import permute8

_MASK32 = np.uint64(0xFFFFFFFF)
_ABSORB = np.uint64(0x9E3779B97F4A7C15)
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)
_B32 = np.uint64(32)
_B29 = np.uint64(29)


@njit(cache=True, nogil=True)
def multiply_high(a, b):  # type: ignore[no-untyped-def]
    """The upper 64 of the 128 bits of a product."""
    a_low, a_high = a & _MASK32, a >> _B32
    b_low, b_high = b & _MASK32, b >> _B32
    middle = a_high * b_low + ((a_low * b_low) >> _B32)
    other = a_low * b_high + (middle & _MASK32)
    return a_high * b_high + (middle >> _B32) + (other >> _B32)


@njit(cache=True, nogil=True)
def next_state(state, sector):  # type: ignore[no-untyped-def]
    """One step over uint64[4]."""
    for m in range(4):
        state = (state ^ sector[m]) * _ABSORB
        state ^= state >> _B32
    state ^= state >> _B29
    state *= _MIX_1
    state ^= state >> _B32
    state *= _MIX_2
    return state ^ (state >> _B29)


@njit(cache=True, nogil=True)
def swapped(word):  # type: ignore[no-untyped-def]
    """Bytes of a uint64 in the other order."""
    out = np.uint64(0)
    for byte in range(8):
        out |= ((word >> np.uint64(8 * byte)) & np.uint64(0xFF)) << np.uint64(56 - 8 * byte)
    return out


@njit(cache=True, nogil=True)
def lane_starts(challenge, first, states, positions, count):  # type: ignore[no-untyped-def]
    """Starts of consecutive lanes: uint64[4] π; uint64[n] states and positions are written."""
    hashes = np.empty(200, np.uint64)
    for base in range(0, states.shape[0], 8):
        hashes[:] = 0
        for lane in range(8):
            number = swapped(np.uint64(first + base + lane)) >> _B32
            for word in range(4):
                hashes[8 * word + lane] = challenge[word]
            # Bytes 32 to 37: "m", the lane's number, and the first byte of the padding.
            hashes[32 + lane] = np.uint64(109) | number << np.uint64(8) | np.uint64(1) << np.uint64(40)
            hashes[128 + lane] = np.uint64(1) << np.uint64(63)
        permute8(hashes)
        for lane in range(min(8, states.shape[0] - base)):
            states[base + lane] = swapped(hashes[24 + lane])
            # (h >> 64) mod S, word by word from the top: 2^64 mod S carries each remainder down.
            shift = (np.uint64(0xFFFFFFFFFFFFFFFF) % count + np.uint64(1)) % count
            left = np.uint64(0)
            for word in range(3):
                left = (left * shift + swapped(hashes[8 * word + lane]) % count) % count
            positions[base + lane] = left


@njit(cache=True, nogil=True)
def walk_lanes(claim, challenge, first, steps, out):  # type: ignore[no-untyped-def]
    """Final states of consecutive lanes.

    Args:
        claim: uint64[S, 4], the sectors; S below 2^32.
        challenge: uint64[4], π.
        first: number of the first lane.
        steps: of each lane.
        out: uint64[n], written.
    """
    count = np.uint64(claim.shape[0])
    positions = np.empty(out.shape[0], np.uint64)
    lane_starts(challenge, first, out, positions, count)
    # Lanes advance together: their reads do not wait for each other.
    for base in range(0, out.shape[0], 16):
        end = min(base + 16, out.shape[0])
        for _ in range(steps):
            for lane in range(base, end):
                state = next_state(out[lane], claim[positions[lane]])
                out[lane] = state
                positions[lane] = multiply_high(state, count)


@njit(cache=True, nogil=True)
def replay_lanes(chunks, challenge, lanes, count, visited, out):  # type: ignore[no-untyped-def]
    """Walks single lanes over the chunks that were shown for their steps.

    Args:
        chunks: int32[n, steps, chunk]; a sector is the 16 values at its place in the chunk.
        challenge: uint64[4], π.
        lanes: int64[n], their numbers.
        count: S, below 2^32.
        visited: uint64[n, steps], written: the sectors that a walk went to.
        out: uint64[n], written: final states.
    """
    sectors_a_chunk = np.uint64(chunks.shape[2] // 16)
    position = np.empty(1, np.uint64)
    sector = np.empty(4, np.uint64)
    for n in range(chunks.shape[0]):
        lane_starts(challenge, lanes[n], out[n : n + 1], position, count)
        for step in range(chunks.shape[1]):
            visited[n, step] = position[0]
            first = 16 * np.int64(position[0] % sectors_a_chunk)
            for m in range(4):
                word = np.uint64(0)
                for value in range(4):
                    entry = np.uint64(chunks[n, step, first + 4 * m + value]) & np.uint64(0xFFFF)
                    word |= entry << np.uint64(16 * value)
                sector[m] = word
            out[n] = next_state(out[n], sector)
            position[0] = multiply_high(out[n], count)

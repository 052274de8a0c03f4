"""What a device commits to after the probe, and how it opens lanes of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence, Set
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from assay.proof.errors import ProofError
from assay.proof.kernels import keccak, probe
from assay.proof.kernels.row_trees import row_paths, tree_levels
from assay.proof.kernels.words import seed_words
from assay.proof.probe import layout
from assay.proof.probe.layout import STEPS
from assay.proof.proof import Proof
from assay.proof.threads import Threads
from assay.protocol.profile import Profile
from assay.protocol.types import Root

_MASK = (1 << 64) - 1
ABSORB = 0x9E3779B97F4A7C15
MIX_1 = 0xBF58476D1CE4E5B9
MIX_2 = 0x94D049BB133111EB


def step(state: int, sector: tuple[int, int, int, int], count: int) -> tuple[int, int]:
    """One step: the state after a sector (u0..u3), and the position of the next of `count` sectors."""
    for u in sector:
        state = (state ^ u) * ABSORB & _MASK
        state ^= state >> 32
    state ^= state >> 29
    state = state * MIX_1 & _MASK
    state ^= state >> 32
    state = state * MIX_2 & _MASK
    state ^= state >> 29
    return state, state * count >> 64


def walk(state: int, position: int, count: int, read: Callable[[int], tuple[int, int, int, int]]) -> int:
    """The final state of a lane; `read` gives the four u64 of a sector."""
    for _ in range(STEPS):
        state, position = step(state, read(position), count)
    return state


Walker = Callable[[NDArray[np.uint64], bytes, int], NDArray[np.uint64]]  # (sectors (S, 4), π, L) -> states (L,)
Place = tuple[int, int, int]  # (t, i, j) of the first value of a sector


@dataclass(frozen=True)
class ProbeResult:
    """Final states of all lanes, uint64 (L,), and what they were read from."""

    proof: Proof
    challenge: bytes
    states: NDArray[np.uint64]
    read_sector: Callable[[int], NDArray[np.uint64]]  # a sector of what was kept, uint64 (4,)

    @cached_property
    def _levels(self) -> list[NDArray[np.uint8]]:
        return lane_tree(self.states)

    @property
    def lane_root(self) -> Root:
        """What goes into the sealed leaf, 32 bytes."""
        return Root(self._levels[-1].tobytes())

    def open(self, lanes: Sequence[int]) -> bytes:
        """The opening of lanes, in order, duplicates repeated (format in `probe.verification`).

        Raises:
            ValueError: a lane that the profile does not have.
        """
        profile = self.proof.profile
        for lane in lanes:
            if not 0 <= lane < layout.lanes(profile):
                raise ValueError(f"lane {lane} is outside the {layout.lanes(profile)} of profile {profile.id}")
        visited = {lane: [layout.place(profile, p) for p in self._positions(lane)] for lane in set(lanes)}
        chunks = self._chunks({place for places in visited.values() for place in places})
        return b"".join(
            part for lane in lanes for part in (self._leaf(lane), *(chunks[place] for place in visited[lane]))
        )

    def _leaf(self, lane: int) -> bytes:
        """The 32 states of a lane's leaf, and their path."""
        leaf = lane // layout.LANES_PER_LEAF
        states = self.states[leaf * layout.LANES_PER_LEAF : (leaf + 1) * layout.LANES_PER_LEAF]
        path = b"".join(level[(leaf >> d) ^ 1].tobytes() for d, level in enumerate(self._levels[:-1]))
        return states.astype("<u8").tobytes() + path

    def _positions(self, lane: int) -> list[int]:
        """Sectors that a lane visits."""
        count = layout.sectors(self.proof.profile)
        state, position = layout.lane_start(self.challenge, lane, count)
        visited = []
        for _ in range(layout.STEPS):
            visited.append(position)
            u0, u1, u2, u3 = (int(u) for u in self.read_sector(position))
            state, position = step(state, (u0, u1, u2, u3), count)
        return visited

    def _chunks(self, places: Set[Place]) -> dict[Place, bytes]:
        """The chunks of some elements (t, i, j), each with its path to the round's root; a round at a time."""
        chunk, found = self.proof.profile.chunk, dict[Place, bytes]()
        for t in sorted({t for t, _, _ in places}):
            here = sorted(place for place in places if place[0] == t)
            levels = tree_levels(self.proof.row_roots[t])
            for place, row in zip(here, self.proof.rows.read([(t, i) for _, i, _ in here]), strict=True):
                chunks = np.ascontiguousarray(row.reshape(-1, chunk), dtype="<i4")
                leaves = np.empty((len(chunks), 4), np.uint64)
                keccak.hash_rows(chunks.view("<u8"), leaves)
                i, within = place[1], place[2] // chunk
                below = row_paths(leaves.view(np.uint8), [within]).tobytes()
                above = b"".join(level[(i >> d) ^ 1].tobytes() for d, level in enumerate(levels[:-1]))
                found[place] = chunks[within].tobytes() + below + above
        return found


def lane_tree(states: NDArray[np.uint64]) -> list[NDArray[np.uint8]]:
    """Levels of the tree over leaves of 32 states (256 bytes, little-endian), padded with zero leaves."""
    words = np.ascontiguousarray(states.reshape(-1, layout.LANES_PER_LEAF), dtype="<u8")
    width = 1 << (len(words) - 1).bit_length()
    leaves = np.zeros((width, 4), np.uint64)
    keccak.hash_rows(words, leaves[: len(words)])
    return tree_levels(leaves.view(np.uint8))


def run_probe(proof: Proof, challenge: bytes, walker: Walker) -> ProbeResult:
    """Walks all lanes over what the device kept.

    Args:
        proof: a finished proof.
        challenge: π, 32 bytes.
        walker: an engine's kernel.

    Raises:
        ProofError: the profile has no window, or its products were not kept.
    """
    profile: Profile = proof.profile
    if profile.W == 0:
        raise ProofError(f"profile {profile.id} has no memory probe: W = 0")
    claim = proof.claimed_memory()
    if claim is None:
        raise ProofError(
            f"the last {profile.W} rounds were not kept: the probe needs {layout.claimed_bytes(profile):,} bytes"
        )
    sectors = np.ascontiguousarray(claim, dtype="<u2").view("<u8").reshape(-1, 4)
    states = walker(sectors, challenge, layout.lanes(profile))
    return ProbeResult(proof, challenge, states, lambda position: sectors[position])


def walk_on_threads(threads: Threads) -> Walker:
    """The kernel for processors."""

    def walker(sectors: NDArray[np.uint64], challenge: bytes, lanes: int) -> NDArray[np.uint64]:
        states = np.empty(lanes, np.uint64)
        pi = seed_words(challenge)
        threads.over(
            lanes,
            lambda first, end: probe.walk_lanes(sectors, pi, first, layout.STEPS, states[first:end]),
            align=16,
        )
        return states

    return walker


def walk_in_python(sectors: NDArray[np.uint64], challenge: bytes, lanes: int) -> NDArray[np.uint64]:
    """The reference: one lane after another in Python's integers."""
    from assay.proof.probe.result import walk

    def read(position: int) -> tuple[int, int, int, int]:
        u0, u1, u2, u3 = (int(u) for u in sectors[position])
        return u0, u1, u2, u3

    count = len(sectors)
    final = [walk(*layout.lane_start(challenge, lane, count), count, read) for lane in range(lanes)]
    return np.array(final, dtype=np.uint64)

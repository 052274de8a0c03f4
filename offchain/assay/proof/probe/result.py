"""What a device commits to after the probe, and how it opens lanes of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from assay.proof.errors import ProofError
from assay.proof.kernels import keccak, probe
from assay.proof.kernels.row_trees import row_paths, tree_levels
from assay.proof.kernels.words import seed_words
from assay.proof.probe import layout
from assay.proof.probe.walk import step
from assay.proof.proof import Proof
from assay.proof.threads import Threads
from assay.protocol.profile import Profile

Walker = Callable[[NDArray[np.uint64], bytes, int], NDArray[np.uint64]]  # (sectors (S, 4), π, L) -> states (L,)


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
    def lane_root(self) -> bytes:
        """What goes into the sealed leaf, 32 bytes."""
        return self._levels[-1].tobytes()

    def open(self, lanes: Sequence[int]) -> bytes:
        """The opening of lanes, in order, duplicates repeated (format in `probe.verification`)."""
        return b"".join(self._open(lane) for lane in lanes)

    def _open(self, lane: int) -> bytes:
        profile = self.proof.profile
        leaf, _ = divmod(lane, layout.LANES_PER_LEAF)
        states = self.states[leaf * layout.LANES_PER_LEAF : (leaf + 1) * layout.LANES_PER_LEAF]
        path = b"".join(level[(leaf >> d) ^ 1].tobytes() for d, level in enumerate(self._levels[:-1]))
        parts = [states.astype("<u8").tobytes(), path]
        places = [layout.place(profile, position) for position in self._positions(lane)]
        for (t, i, j), row in zip(places, self.proof.rows.read([(t, i) for t, i, _ in places]), strict=True):
            parts += self._chunk(row, t, i, j)
        return b"".join(parts)

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

    def _chunk(self, row: NDArray[np.int32], t: int, i: int, j: int) -> list[bytes]:
        chunks = np.ascontiguousarray(row.reshape(-1, self.proof.profile.chunk), dtype="<i4")
        leaves = np.empty((len(chunks), 4), np.uint64)
        keccak.hash_rows(chunks.view("<u8"), leaves)
        within = j // self.proof.profile.chunk
        below = row_paths(leaves.view(np.uint8), [within]).tobytes()
        above = row_paths(self.proof.row_roots[t], [i]).tobytes()
        return [chunks[within].tobytes(), below, above]


def sector_of(row: NDArray[np.int32], j: int) -> tuple[int, int, int, int]:
    """The four u64 of the 16 values from column j, modulo 2^16, little-endian."""
    values = row[j : j + layout.SECTOR_VALUES].astype("<u2")
    u0, u1, u2, u3 = (int(u) for u in values.view("<u8"))
    return u0, u1, u2, u3


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
    from assay.proof.probe.walk import walk

    def read(position: int) -> tuple[int, int, int, int]:
        u0, u1, u2, u3 = (int(u) for u in sectors[position])
        return u0, u1, u2, u3

    count = len(sectors)
    final = [walk(*layout.lane_start(challenge, lane, count), count, read) for lane in range(lanes)]
    return np.array(final, dtype=np.uint64)

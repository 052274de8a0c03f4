"""What is asked of a card's worker, and what it answers."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from functools import cached_property

from assay.proof.seed_chain import result_tree
from assay.protocol.merkle import PositionalTree
from assay.protocol.profile import Profile
from assay.protocol.types import Root, Seed


class Urgency(IntEnum):
    """What is done first, where more is asked of a card than it does at once."""

    CHALLENGE = 0  # late by seconds is late
    ORDINARY = 1
    LATER = 2  # there is a day


@dataclass(frozen=True)
class Task:
    """What is proven: s_0 under an epoch's seed, both 32 bytes. `place` is where: `OwnDevice.place`, or empty for any
    worker that is free, since a proof is a function of the rest alone.
    """

    profile: Profile
    epoch_seed: Seed
    seed: Seed
    place: str = ""


@dataclass(frozen=True)
class Proven:
    """What of a proof leaves its worker: seeds and roots of all rounds, 32 bytes each, and the worker's own time."""

    round_seeds: tuple[bytes, ...]
    round_roots: tuple[bytes, ...]
    elapsed_us: int
    engine: str

    @cached_property
    def result_tree(self) -> PositionalTree:
        """The tree over the round leaves."""
        return result_tree(self.round_seeds, self.round_roots)

    @property
    def result_root(self) -> Root:
        """What the device commits to, 32 bytes."""
        return self.result_tree.root


@dataclass(frozen=True)
class Walked:
    """A memory probe: what was walked, and the root over its lanes, 32 bytes each."""

    result_root: Root
    lane_root: Root


@dataclass(frozen=True)
class Prepare:
    """B of an epoch."""

    profile: Profile
    epoch_seed: Seed


@dataclass(frozen=True)
class Prove:
    """A proof; with `keep` on the disk too, so that its rows can be opened whatever becomes of the worker."""

    task: Task
    keep: bool = False


@dataclass(frozen=True)
class OpenRows:
    """Rows (t, i) of a task's proof, in the order asked."""

    task: Task
    rows: tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Walk:
    """The memory probe of a task from π, 32 bytes."""

    task: Task
    challenge: bytes


@dataclass(frozen=True)
class OpenLanes:
    """Lanes of a probe, in the order asked."""

    task: Task
    challenge: bytes
    lanes: tuple[int, ...]


@dataclass(frozen=True)
class Flush:
    """Wait until what is to be kept lies on the disk."""


Request = Prepare | Prove | OpenRows | Walk | OpenLanes | Flush

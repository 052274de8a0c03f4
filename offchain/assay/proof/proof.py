"""What a device holds after proving: enough to open any row later, sampled or secret."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from assay.proof import openings
from assay.proof.errors import ProofFileError
from assay.proof.kernels.row_trees import row_paths, subtree_roots
from assay.proof.seed_chain import result_tree
from assay.protocol.merkle import PositionalTree
from assay.protocol.profile import Profile
from assay.protocol.types import Root, Seed


class RowSource(Protocol):
    """Where the rows of C come from when they are opened."""

    def read(self, indices: Sequence[tuple[int, int]]) -> NDArray[np.int32]:
        """Rows (t, i) in the order asked, int32 of shape (len(indices), N)."""
        ...

    def without_window(self) -> RowSource:
        """The same without a window on the card; itself where there is none."""
        ...


@dataclass(frozen=True, slots=True)
class KeptRows:
    """C held whole: int32 of shape (T, M, N)."""

    products: NDArray[np.int32]

    def read(self, indices: Sequence[tuple[int, int]]) -> NDArray[np.int32]:
        return np.stack([self.products[t, i] for t, i in indices])

    def without_window(self) -> KeptRows:
        return self


@dataclass(frozen=True, slots=True)
class RecomputedRows:
    """C was not kept: a row is multiplied again when it is asked for."""

    multiply: Callable[[int, list[int]], NDArray[np.int32]]  # (t, rows i) -> int32 (len(rows), N)

    def read(self, indices: Sequence[tuple[int, int]]) -> NDArray[np.int32]:
        wanted: dict[int, list[int]] = {}
        for t, i in indices:
            wanted.setdefault(t, []).append(i)
        found: dict[tuple[int, int], NDArray[np.int32]] = {}
        for t, rows in wanted.items():
            distinct = sorted(set(rows))
            for i, row in zip(distinct, self.multiply(t, distinct), strict=True):
                found[t, i] = row
        return np.stack([found[index] for index in indices])

    def without_window(self) -> RecomputedRows:
        return self


@dataclass(frozen=True)
class Proof:
    """A finished proof of compute.

    Attributes:
        profile, epoch_seed, device_seed: what was proven.
        round_seeds: s_0 .. s_{T-1}.
        round_roots: root_0 .. root_{T-1}.
        row_roots: roots of the rows' subtrees, uint8 of shape (M, 32) for each of the T rounds.
        rows: source of the rows of C.
        elapsed_us: time of `prove`, microseconds on the device's own clock.
        engine: name of the engine that made it.
        window: rounds T-W .. T-1 modulo 2^16 for the memory probe, uint16 of shape (W, M, N), where an
            engine kept
            them apart from the rows.
    """

    profile: Profile
    epoch_seed: Seed
    device_seed: Seed
    round_seeds: tuple[bytes, ...]
    round_roots: tuple[bytes, ...]
    row_roots: Sequence[NDArray[np.uint8]] | NDArray[np.uint8]
    rows: RowSource
    elapsed_us: int
    engine: str
    window: NDArray[np.uint16] | None = None

    @cached_property
    def result_tree(self) -> PositionalTree:
        """The tree over the round leaves."""
        return result_tree(self.round_seeds, self.round_roots)

    @property
    def result_root(self) -> Root:
        """What the device commits to, 32 bytes."""
        return self.result_tree.root

    @property
    def gops(self) -> float:
        """Giga-operations a second over the whole proof, hashing included."""
        return self.profile.operations / (1000 * max(self.elapsed_us, 1))

    def claimed_memory(self) -> NDArray[np.uint16] | None:
        """C mod 2^16 of the last W rounds, uint16 (W, M, N): what the memory probe
        reads; None if it was not kept.
        """
        if self.window is not None:
            return self.window
        if isinstance(self.rows, KeptRows):
            return self.rows.products[self.profile.T - self.profile.W :].astype(np.uint16)
        return None

    def without_window(self) -> Proof:
        """The same without a window on the card, for the next proof to have one; itself where there is none."""
        rows = self.rows.without_window()
        return self if rows is self.rows else replace(self, rows=rows)

    def open(self, indices: Sequence[tuple[int, int]]) -> bytes:
        """The opening of rows (t, i), in the order asked (format in `assay.proof.openings`).

        Raises:
            ValueError: no rows, or a row outside the profile.
            ProofFileError: a row does not hash to what was committed, so the stored proof is damaged.
        """
        if not indices:
            raise ValueError("no rows to open")
        for t, i in indices:
            if not (0 <= t < self.profile.T and 0 <= i < self.profile.M):
                raise ValueError(f"row ({t}, {i}) is outside {self.profile.T} rounds of {self.profile.M} rows")
        rows = self.rows.read(indices)
        committed = np.stack([self.row_roots[t][i] for t, i in indices])
        differs = (subtree_roots(rows, self.profile.chunk) != committed).any(axis=1)
        if differs.any():
            t, i = indices[int(differs.argmax())]
            raise ProofFileError(f"row {i} of round {t} is not the one committed to: the stored proof is damaged")
        return openings.encode(self.round_roots, rows, self._paths(indices), self.profile)

    def _paths(self, indices: Sequence[tuple[int, int]]) -> NDArray[np.uint8]:
        paths = np.empty((len(indices), openings.path_length(self.profile), 32), np.uint8)
        for t in sorted({t for t, _ in indices}):
            positions = [n for n, (of, _) in enumerate(indices) if of == t]
            paths[positions] = row_paths(self.row_roots[t], [indices[n][1] for n in positions])
        return paths

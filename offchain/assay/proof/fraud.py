"""Arguments of the proofs that a contract checks, made from what a device opened.

The plain values have the shape of the structs of `IFraudProofs`: a caller hands them
to the contract's ABI unchanged.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from assay.proof import openings
from assay.proof.generator import TAG_A, TAG_B, vector
from assay.proof.kernels.product import blocked_product
from assay.proof.kernels.row_trees import row_paths
from assay.proof.seed_chain import derive_seeds, result_tree, seed_after
from assay.protocol.keccak import keccak
from assay.protocol.profile import Profile
from assay.protocol.types import Seed

_BLOCK = 128  # rows of B held at a time


@dataclass(frozen=True, slots=True)
class RoundArgument:
    """A round leaf H(u256(t) ‖ seed ‖ root) and its path to resultRoot."""

    t: int
    seed: bytes
    root: bytes
    path: tuple[bytes, ...]

    def values(self) -> tuple[int, bytes, bytes, list[bytes]]:
        """IFraudProofs.Round."""
        return self.t, self.seed, self.root, list(self.path)


@dataclass(frozen=True, slots=True)
class WrongElement:
    """An element of a committed product that differs from the dot product.

    `chunk` are its `chunk` int32, little-endian; `path` leads from the chunk to the round's root.
    """

    round: RoundArgument
    i: int
    j: int
    chunk: bytes
    path: tuple[bytes, ...]
    claimed: int
    correct: int

    def arguments(self) -> tuple[tuple[int, bytes, bytes, list[bytes]], tuple[int, int, bytes, list[bytes]]]:
        """(Round, Element) of IFraudProofs.proveWrongElement."""
        return self.round.values(), (self.i, self.j, self.chunk, list(self.path))


@dataclass(frozen=True, slots=True)
class BrokenChain:
    """Consecutive round leaves of which the last seed does not follow from those
    before it, or s_0 is another's.
    """

    rounds: tuple[RoundArgument, ...]

    def arguments(self) -> list[tuple[int, bytes, bytes, list[bytes]]]:
        """Round[] of IFraudProofs.proveBrokenChain."""
        return [argument.values() for argument in self.rounds]


def true_row(profile: Profile, epoch_seed: Seed, round_seed: bytes, i: int) -> NDArray[np.int32]:
    """Row i of the product as it should be: int32 of shape (N,). Costs N·K multiplications."""
    a = vector(round_seed, TAG_A, i, profile.K)[None, :]
    parts = [
        blocked_product(a, np.stack([vector(epoch_seed, TAG_B, j, profile.K) for j in range(at, end)]))[0]
        for at, end in ((at, min(at + _BLOCK, profile.N)) for at in range(0, profile.N, _BLOCK))
    ]
    return np.concatenate(parts)


def element_of_row(
    profile: Profile, row: NDArray[np.int32], row_path: Sequence[bytes], i: int, j: int
) -> tuple[bytes, tuple[bytes, ...]]:
    """The chunk that holds element j of an opened row, and its path to the round's root."""
    chunks = row.astype("<i4").reshape(-1, profile.chunk)
    leaves = np.stack([np.frombuffer(keccak(chunk.tobytes()), np.uint8) for chunk in chunks])
    place = j // profile.chunk
    below = [node.tobytes() for node in row_paths(leaves, [place])[0]]
    return chunks[place].tobytes(), (*below, *row_path)


def find_wrong_element(
    profile: Profile,
    epoch_seed: Seed,
    device_seed: Seed,
    opening: bytes,
    indices: Sequence[tuple[int, int]],
    row: tuple[int, int] | None = None,
) -> WrongElement | None:
    """The first wrong element of an opening that is committed to as it should be, or None.

    Args:
        profile, epoch_seed, device_seed: the job, and s_0 as derived.
        opening: bytes whose paths and result root verify (`Verdict.fault` is `PRODUCT`).
        indices: rows (t, i) that were asked for.
        row: look at this one only, for instance `Verdict.row`; each row costs N·K multiplications.

    Raises:
        OpeningError: the opening is not the bytes that profile and indices demand.
    """
    parsed = openings.decode(opening, profile, len(indices))
    roots = parsed.round_roots
    seeds = derive_seeds(device_seed, roots)
    tree = result_tree(seeds, roots)
    for place, (t, i) in enumerate(dict.fromkeys(indices)):
        if row is not None and (t, i) != row:
            continue
        place = list(indices).index((t, i))
        claimed, correct = parsed.rows[place], true_row(profile, epoch_seed, seeds[t], i)
        wrong = np.flatnonzero(claimed != correct)
        if len(wrong) == 0:
            continue
        j = int(wrong[0])
        chunk, path = element_of_row(profile, claimed, [node.tobytes() for node in parsed.paths[place]], i, j)
        argument = RoundArgument(t, seeds[t], roots[t], tuple(tree.path(t)))
        return WrongElement(argument, i, j, chunk, path, int(claimed[j]), int(correct[j]))
    return None


def find_broken_chain(device_seed: Seed, seeds: Sequence[bytes], roots: Sequence[bytes]) -> BrokenChain | None:
    """The first break in the chain of the round leaves that a device committed to, or None.

    Args:
        device_seed: s_0 as everybody derives it.
        seeds, roots: s_t and root_t of all T rounds as the device committed to them (from its answers
            to demands, or its published round leaves).
    """
    tree = result_tree(seeds, roots)

    def argument(t: int) -> RoundArgument:
        return RoundArgument(t, seeds[t], roots[t], tuple(tree.path(t)))

    if seeds[0] != device_seed:
        return BrokenChain((argument(0),))
    for t in range(1, len(seeds)):
        if seeds[t] != seed_after(seeds[:t], roots):
            return BrokenChain(tuple(argument(u) for u in range(max(t - 2, 0), t + 1)))
    return None

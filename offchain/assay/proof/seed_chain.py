"""The chain of round seeds and the tree over all rounds (PROTOCOL section 2)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from assay.protocol.merkle import PositionalTree, round_leaf
from assay.protocol.seeds import FIRST_PREVIOUS_ROOT, next_seed
from assay.protocol.types import Seed


def seed_after(seeds: Sequence[bytes], roots: Sequence[bytes] | Mapping[int, bytes]) -> Seed:
    """s_t for t = len(seeds) >= 1: H(s_{t-1} ‖ root_{t-2}), where root_{-1} is 32 zero bytes.

    The lag of one round lets a device hash round t while it multiplies round t + 1.
    """
    t = len(seeds)
    return next_seed(seeds[-1], roots[t - 2] if t >= 2 else FIRST_PREVIOUS_ROOT)


def derive_seeds(device_seed: Seed, roots: Sequence[bytes]) -> list[Seed]:
    """All T round seeds that follow from s_0 and the T round roots."""
    seeds = [device_seed]
    while len(seeds) < len(roots):
        seeds.append(seed_after(seeds, roots))
    return seeds


def result_tree(seeds: Sequence[bytes], roots: Sequence[bytes]) -> PositionalTree:
    """The tree over the T round leaves, whose root is the device's resultRoot."""
    return PositionalTree([round_leaf(t, s, root) for t, (s, root) in enumerate(zip(seeds, roots, strict=True))])

"""The memory probe on a card: the walk, and the tree over its lanes; only what is opened comes to the host."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from assay.proof.cuda import plain_kernels
from assay.proof.cuda.products import THREADS, blocks
from assay.proof.cuda.runtime import cuda
from assay.proof.kernels.words import seed_words
from assay.proof.probe import layout
from assay.protocol.types import Root


@dataclass(frozen=True)
class LanesOnCard:
    """states uint64[L] and nodes uint64[2·width - 1, 4] on the card: level by level from the leaves to the root."""

    states: Any
    nodes: Any
    width: int
    root: Root

    def leaf(self, number: int) -> bytes:
        """The 32 states of a leaf, and its path."""
        of = number * layout.LANES_PER_LEAF
        parts = [self.states[of : of + layout.LANES_PER_LEAF].copy_to_host().astype("<u8").tobytes()]
        first, width = 0, self.width
        while width > 1:
            at = first + (number ^ 1)
            parts.append(self.nodes[at : at + 1].copy_to_host().tobytes())
            first, width, number = first + width, width // 2, number >> 1
        return b"".join(parts)


def walked(window: Any, challenge: bytes, lanes: int) -> LanesOnCard:
    """Walks all lanes over a window, uint64[W·M·N/4] on the card; challenge is π, 32 bytes."""
    states = cuda.device_array(lanes, np.uint64)
    pi = cuda.to_device(seed_words(challenge))
    plain_kernels.walk_lanes[blocks(lanes), THREADS](window, pi, 0, layout.STEPS, states)
    return lane_tree(states)


def lane_tree(states: Any) -> LanesOnCard:
    """The tree over states uint64[L] on the card: leaves of 32, padded with zero leaves to a power of two."""
    leaves = len(states) // layout.LANES_PER_LEAF
    width = 1 << (leaves - 1).bit_length()
    nodes = cuda.device_array((2 * width - 1, 4), np.uint64)
    if width > leaves:
        nodes[leaves:width].copy_to_device(np.zeros((width - leaves, 4), np.uint64))
    plain_kernels.hash_chunks[blocks(leaves), THREADS](states, layout.LANES_PER_LEAF, nodes[:leaves])
    first, count = 0, width // 2
    while count:
        plain_kernels.reduce_level[blocks(count), THREADS](nodes, first, count)
        first, count = first + 2 * count, count // 2
    root = Root(nodes[2 * width - 2 :].copy_to_host().tobytes())
    return LanesOnCard(states, nodes, width, root)

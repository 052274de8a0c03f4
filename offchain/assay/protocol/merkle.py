"""Trees by position: never sorted, padded once at the bottom, sides told by the bits of the position."""

from __future__ import annotations

from collections.abc import Sequence

from assay.protocol.encoding import u256
from assay.protocol.keccak import ZERO_HASH, keccak
from assay.protocol.types import Root


def node(left: bytes, right: bytes) -> bytes:
    """H(left ‖ right)."""
    return keccak(left + right)


def depth_of(count: int) -> int:
    """Length of a path in a tree of `count` leaves: log2 of the next power of two."""
    return (count - 1).bit_length() if count > 1 else 0


class PositionalTree:
    """A tree over 32-byte leaves, padded with leaves of 32 zero bytes to the next power of two.

    Without leaves it is the padding leaf alone.
    """

    def __init__(self, leaves: Sequence[bytes]) -> None:
        for position, leaf in enumerate(leaves):
            if len(leaf) != 32:
                raise ValueError(f"leaf {position}: {len(leaf)} bytes, expected 32")
        self.count = len(leaves)
        self.depth = depth_of(self.count)
        level = list(leaves) + [ZERO_HASH] * ((1 << self.depth) - self.count)
        self._levels = [level]
        while len(level) > 1:
            level = [node(level[i], level[i + 1]) for i in range(0, len(level), 2)]
            self._levels.append(level)

    @property
    def root(self) -> Root:
        """32 bytes."""
        return Root(self._levels[-1][0])

    def path(self, position: int) -> list[bytes]:
        """Siblings of leaf `position`, bottom-up. Raises IndexError off the leaves."""
        if not 0 <= position < self.count:
            raise IndexError(f"position {position}: the tree has {self.count} leaves")
        return [level[(position >> d) ^ 1] for d, level in enumerate(self._levels[:-1])]


def root_from_path(leaf: bytes, position: int, path: Sequence[bytes]) -> Root:
    """The root that `path` leads to: the sibling at level d on the left iff bit d of the position is 1.

    Raises ValueError for a position beyond the path's tree. Callers fix the length of the path themselves.
    """
    if not 0 <= position < 1 << len(path):
        raise ValueError(f"position {position}: a path of {len(path)} nodes has {1 << len(path)} positions")
    current = leaf
    for d, sibling in enumerate(path):
        current = node(sibling, current) if position >> d & 1 else node(current, sibling)
    return Root(current)


def round_leaf(t: int, seed: bytes, root: bytes) -> bytes:
    """H(u256(t) ‖ s_t ‖ root_t)."""
    return keccak(u256(t) + seed + root)

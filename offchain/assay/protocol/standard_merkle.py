"""OpenZeppelin's StandardMerkleTree: sorted leaves, sorted pairs, leaves hashed twice."""

from __future__ import annotations

from collections.abc import Sequence

from assay.protocol.encoding import abi_encode
from assay.protocol.keccak import keccak
from assay.protocol.types import Root


def standard_leaf(types: Sequence[str], value: Sequence[object]) -> bytes:
    """H(H(abi.encode(value))), 32 bytes; static types only. Raises EncodingError."""
    return keccak(keccak(abi_encode(types, value)))


def _pair(a: bytes, b: bytes) -> bytes:
    return keccak(a + b) if a < b else keccak(b + a)


class StandardMerkleTree:
    """The tree of `@openzeppelin/merkle-tree` over `values`; root and proofs are the same bytes."""

    def __init__(self, types: Sequence[str], values: Sequence[Sequence[object]]) -> None:
        if not values:
            raise ValueError("a StandardMerkleTree needs at least one value")
        self.types = tuple(types)
        self.values = [tuple(v) for v in values]
        hashed = sorted((standard_leaf(self.types, v), i) for i, v in enumerate(self.values))
        size = 2 * len(hashed) - 1
        self._tree = [b""] * size
        self._index = [0] * len(hashed)
        for place, (leaf, value_index) in enumerate(hashed):
            self._tree[size - 1 - place] = leaf
            self._index[value_index] = size - 1 - place
        for i in range(size - 1 - len(hashed), -1, -1):
            self._tree[i] = _pair(self._tree[2 * i + 1], self._tree[2 * i + 2])

    @property
    def root(self) -> Root:
        """32 bytes."""
        return Root(self._tree[0])

    def proof(self, i: int) -> list[bytes]:
        """Siblings of value `i` (its place in `values`), bottom-up. Raises IndexError."""
        if not 0 <= i < len(self.values):
            raise IndexError(f"value {i}: the tree has {len(self.values)}")
        place, path = self._index[i], []
        while place > 0:
            path.append(self._tree[place + 1 if place % 2 else place - 1])
            place = (place - 1) // 2
        return path


def verify(root: Root, types: Sequence[str], value: Sequence[object], proof: Sequence[bytes]) -> bool:
    """Whether `value` stands in the tree with this root. Raises EncodingError for a value off its types."""
    current = standard_leaf(types, value)
    for sibling in proof:
        current = _pair(current, sibling)
    return current == root

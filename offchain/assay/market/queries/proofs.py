"""Merkle proofs of report leaves, from trees that are built once and kept for a while."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, select

from assay.market.queries.pages import many
from assay.market.store.tables import measurements, rewards
from assay.protocol.leaves import DeviceLeaf, RewardLeaf, device_tree, reward_tree
from assay.protocol.standard_merkle import StandardMerkleTree
from assay.protocol.types import DeviceId

TREE_CACHE_SIZE = 6


@dataclass(frozen=True, slots=True)
class LeafProof:
    """A leaf, its siblings bottom-up and the root that they lead to."""

    leaf: DeviceLeaf | RewardLeaf
    proof: list[bytes]
    root: bytes


@dataclass(frozen=True, slots=True)
class _Tree:
    tree: StandardMerkleTree
    leaves: list[Any]
    places: dict[Any, int]


class ProofService:
    """Builds proofs. A tree is a function of the stored leaves, which proved
    against the chain when they came.
    """

    def __init__(self) -> None:
        self._trees: OrderedDict[tuple[str, int, bytes], _Tree] = OrderedDict()
        self._building = threading.Lock()

    def device(self, connection: Connection, epoch: int, root: bytes, device_id: DeviceId) -> LeafProof | None:
        """None where the report has no such device, or its leaves are not here."""
        return self._proof(connection, "devices", epoch, root, device_id)

    def reward(self, connection: Connection, epoch: int, root: bytes, account: str) -> LeafProof | None:
        """None where the report has no such account, or its leaves are not here."""
        return self._proof(connection, "rewards", epoch, root, account)

    def _proof(self, connection: Connection, kind: str, epoch: int, root: bytes, key: Any) -> LeafProof | None:
        with self._building:
            name = (kind, epoch, root)
            if name not in self._trees:
                built = _device_tree(connection, epoch) if kind == "devices" else _reward_tree(connection, epoch)
                # A rollback may have put another report in this one's place.
                if built is None or built.tree.root != root:
                    return None
                self._trees[name] = built
                while len(self._trees) > TREE_CACHE_SIZE:
                    self._trees.popitem(last=False)
            self._trees.move_to_end(name)
            held = self._trees[name]
        place = held.places.get(key)
        return None if place is None else LeafProof(held.leaves[place], held.tree.proof(place), root)


def device_leaf(row: Any) -> DeviceLeaf:
    """The report leaf of a measurement."""
    return DeviceLeaf(
        row["epoch"],
        row["device_id"],
        row["seal_index"],
        row["profile"],
        row["score_gops"],
        row["memory_mib"],
        row["uptime_bps"],
        row["flags"],
        row["result_root"],
    )


def _device_tree(connection: Connection, epoch: int) -> _Tree | None:
    rows = many(connection, select(measurements).where(measurements.c.epoch == epoch))
    if not rows:
        return None
    leaves = [device_leaf(row) for row in rows]
    return _Tree(device_tree(leaves), leaves, {leaf.device_id: n for n, leaf in enumerate(leaves)})


def _reward_tree(connection: Connection, epoch: int) -> _Tree | None:
    rows = many(connection, select(rewards).where(rewards.c.epoch == epoch))
    if not rows:
        return None
    leaves = [RewardLeaf(row["account"], row["cumulative"]) for row in rows]
    return _Tree(reward_tree(leaves), leaves, {leaf.account: n for n, leaf in enumerate(leaves)})

"""What is served of an epoch: an index of contents by hash, and the lines of its report with their proofs."""

from __future__ import annotations

import json
from collections import OrderedDict
from functools import lru_cache
from typing import Any

from assay.protocol.hexadecimal import to_hex
from assay.protocol.leaves import batch_tree, device_tree, reward_tree
from assay.protocol.signing import Domain
from assay.protocol.standard_merkle import StandardMerkleTree
from assay.validator.store import EpochRow, Store, StoredMessage
from assay.validator.wire import BatchMessage, DeviceLine, DevicesBody, RewardLine, RewardsBody

KEPT_DIGESTS = 4_096
MOST_LISTED = 1_000  # lines with proofs in one index; above that they are asked for one by one


class Publication:
    """Reads the store; knows nothing that the store does not."""

    def __init__(self, store: Store, domain: Domain) -> None:
        self._store = store
        self._domain = domain
        self._digests: OrderedDict[bytes, bytes] = OrderedDict()
        self._read_devices = lru_cache(maxsize=8)(self._make_devices)
        self._read_rewards = lru_cache(maxsize=8)(self._make_rewards)

    def epoch(self, epoch: int) -> dict[str, Any] | None:
        """The index of an epoch; None where nothing is known of it."""
        row = self._store.epoch(epoch)
        if row is None:
            return None
        seed = row.epoch_seed
        commitments = [] if seed is None else self._store.commitments(epoch, seed)
        verdicts = self._store.verdicts(epoch)
        return {
            "epoch": epoch,
            "outcome": row.outcome,
            "reason": row.reason,
            "epochSeed": _hex(seed),
            "seal": _hex(row.seal_content),
            "commitments": {to_hex(d): to_hex(content) for d, content, _ in commitments},
            "otherCommitments": [
                {"deviceId": to_hex(d), "content": to_hex(content)}
                for d, content in (() if seed is None else self._store.other_commitments(epoch, seed))
            ],
            "inventories": self._messages(epoch, "inventory"),
            "batches": self._batches(epoch),
            "statements": [json.loads(m.body) for m in self._store.messages(epoch, "statement")],
            "openings": {to_hex(v.device_id): to_hex(v.opening) for v in verdicts if v.opening},
            "verdicts": {to_hex(v.device_id): {"outcome": v.outcome, "reason": v.reason} for v in verdicts},
            **self._report(row),
        }

    def device(self, epoch: int, device_id: bytes) -> dict[str, Any] | None:
        """A device's line in the report with its proof, as `LeaseEscrow.open` takes them; None where it has
        none.
        """
        row = self._store.epoch(epoch)
        known = None if row is None or row.devices_root is None else self._devices(row.devices_root)
        if known is None:
            return None
        lines, tree = known
        for i, line in enumerate(lines):
            if line.device_id == device_id:
                return _entry(line, tree, i)
        return None

    def reward(self, epoch: int, account: str) -> dict[str, Any] | None:
        """An account's line in the reward tree with its proof, as `RewardsDistributor.claim` takes them."""
        row = self._store.epoch(epoch)
        known = None if row is None or row.rewards_root is None else self._rewards(row.rewards_root)
        if known is None:
            return None
        lines, tree = known
        for i, line in enumerate(lines):
            if line.account.lower() == account.lower():
                return _entry(line, tree, i)
        return None

    def _report(self, row: EpochRow) -> dict[str, Any]:
        devices = None if row.devices_root is None else self._devices(row.devices_root)
        rewards_content = None
        if row.rewards_root is not None:
            rewards_content = self._store.tree_content(row.rewards_root)
        if devices is None or row.devices_root is None:
            return {"report": None, "rewards": _hex(rewards_content), "devices": []}
        lines, tree = devices
        content = self._store.tree_content(row.devices_root)
        listed = [_entry(line, tree, i) for i, line in enumerate(lines[:MOST_LISTED])]
        return {
            "report": {
                "content": _hex(content),
                "devicesRoot": _hex(row.devices_root),
                "rewardsRoot": _hex(row.rewards_root),
                "count": len(lines),
            },
            "rewards": _hex(rewards_content),
            "devices": listed,
        }

    def _devices(self, root: bytes) -> tuple[tuple[DeviceLine, ...], StandardMerkleTree] | None:
        # An exception is not cached: the tree may come later.
        try:
            return self._read_devices(root)
        except KeyError:
            return None

    def _rewards(self, root: bytes) -> tuple[tuple[RewardLine, ...], StandardMerkleTree] | None:
        try:
            return self._read_rewards(root)
        except KeyError:
            return None

    def _messages(self, epoch: int, kind: str) -> list[dict[str, Any]]:
        return [{"seat": m.seat, "content": to_hex(m.hash)} for m in self._store.messages(epoch, kind)]

    def _batches(self, epoch: int) -> list[dict[str, Any]]:
        return [
            {"seat": stored.seat, "digest": to_hex(self._digest(stored)), "content": to_hex(stored.hash)}
            for stored in self._store.messages(epoch, "batch")
        ]

    def _digest(self, stored: StoredMessage) -> bytes:
        # Worked out once a batch: an index is asked for often, and a batch may have 100,000 leaves.
        if stored.hash not in self._digests:
            message = BatchMessage.model_validate_json(stored.body)
            root = batch_tree([line.leaf() for line in message.leaves]).root
            self._digests[stored.hash] = message.message(root).digest(self._domain)
            while len(self._digests) > KEPT_DIGESTS:
                self._digests.popitem(last=False)
        return self._digests[stored.hash]

    def _make_devices(self, root: bytes) -> tuple[tuple[DeviceLine, ...], StandardMerkleTree]:
        body = self._store.tree(root)
        if body is None:
            raise KeyError(root)
        lines = DevicesBody.model_validate_json(body).leaves
        return lines, device_tree([line.leaf() for line in lines])

    def _make_rewards(self, root: bytes) -> tuple[tuple[RewardLine, ...], StandardMerkleTree]:
        body = self._store.tree(root)
        if body is None:
            raise KeyError(root)
        lines = RewardsBody.model_validate_json(body).leaves
        return lines, reward_tree([line.leaf() for line in lines])


def _hex(value: bytes | None) -> str | None:
    return None if value is None else to_hex(value)


def _entry(line: DeviceLine | RewardLine, tree: StandardMerkleTree, i: int) -> dict[str, Any]:
    return {"leaf": line.to_json(), "proof": [to_hex(node) for node in tree.proof(i)]}

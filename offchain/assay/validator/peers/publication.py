"""What is served of an epoch: an index of contents by hash, and the lines of its report with their proofs."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from assay.protocol.leaves import DeviceLeaf, RewardLeaf, batch_tree, device_tree, reward_tree
from assay.protocol.signing import Domain
from assay.protocol.standard_merkle import StandardMerkleTree
from assay.protocol.types import DeviceId, Root
from assay.validator.storage.store import EpochRow, Store, StoredMessage
from assay.wire.epoch_index import EpochIndex, ListedBatch, ListedMessage, ListedReport, ListedVerdict
from assay.wire.gossip import BatchMessage
from assay.wire.leaves import DevicesBody, RewardsBody
from assay.wire.limits import MAX_LISTED_LINES
from assay.wire.lines import line_json
from assay.wire.statements import STATEMENT

DIGEST_CACHE_SIZE = 4_096


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
        devices = None if row.devices_root is None else self._devices(row.devices_root)
        return EpochIndex(
            epoch=epoch,
            outcome=row.outcome,
            reason=row.reason,
            epoch_seed=seed,
            seal=row.seal_content,
            commitments={device: content for device, content, _ in commitments},
            other_commitments=() if seed is None else self._store.other_commitments(epoch, seed),
            inventories=[ListedMessage(m.seat, m.hash) for m in self._store.messages(epoch, "inventory")],
            batches=[ListedBatch(m.seat, m.hash, self._digest(m)) for m in self._store.messages(epoch, "batch")],
            statements=[STATEMENT.validate_json(m.body) for m in self._store.messages(epoch, "statement")],
            openings={v.device_id: v.opening for v in verdicts if v.opening},
            verdicts={v.device_id: ListedVerdict(v.outcome, v.reason) for v in verdicts},
            report=None if devices is None else self._report(row, len(devices[0])),
            rewards=None if row.rewards_root is None else self._store.tree_content(row.rewards_root),
            lines=() if devices is None else _lines(*devices),
        ).to_json()

    def device(self, epoch: int, device_id: DeviceId) -> dict[str, Any] | None:
        """A device's line in the report with its proof, as `LeaseEscrow.open` takes
        them; None where it has none.
        """
        row = self._store.epoch(epoch)
        known = None if row is None or row.devices_root is None else self._devices(row.devices_root)
        if known is None:
            return None
        lines, tree = known
        for i, line in enumerate(lines):
            if line.device_id == device_id:
                return line_json(line, tree.proof(i))
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
                return line_json(line, tree.proof(i))
        return None

    def _report(self, row: EpochRow, count: int) -> ListedReport:
        content = None if row.devices_root is None else self._store.tree_content(row.devices_root)
        return ListedReport(content, row.devices_root, row.rewards_root, count)

    def _devices(self, root: Root) -> tuple[tuple[DeviceLeaf, ...], StandardMerkleTree] | None:
        # An exception is not cached: the tree may come later.
        try:
            return self._read_devices(root)
        except KeyError:
            return None

    def _rewards(self, root: Root) -> tuple[tuple[RewardLeaf, ...], StandardMerkleTree] | None:
        try:
            return self._read_rewards(root)
        except KeyError:
            return None

    def _digest(self, stored: StoredMessage) -> bytes:
        # Worked out once a batch: an index is asked for often, and a batch may have 100,000 leaves.
        if stored.hash not in self._digests:
            message = BatchMessage.parse(stored.body)
            root = batch_tree(message.leaves).root
            self._digests[stored.hash] = message.message(root).digest(self._domain)
            while len(self._digests) > DIGEST_CACHE_SIZE:
                self._digests.popitem(last=False)
        return self._digests[stored.hash]

    def _make_devices(self, root: Root) -> tuple[tuple[DeviceLeaf, ...], StandardMerkleTree]:
        body = self._store.tree(root)
        if body is None:
            raise KeyError(root)
        lines = DevicesBody.parse(body).leaves
        return lines, device_tree(lines)

    def _make_rewards(self, root: Root) -> tuple[tuple[RewardLeaf, ...], StandardMerkleTree]:
        body = self._store.tree(root)
        if body is None:
            raise KeyError(root)
        lines = RewardsBody.parse(body).leaves
        return lines, reward_tree(lines)


def _lines(leaves: Sequence[DeviceLeaf], tree: StandardMerkleTree) -> list[dict[str, Any]]:
    return [line_json(leaf, tree.proof(i)) for i, leaf in enumerate(leaves[:MAX_LISTED_LINES])]

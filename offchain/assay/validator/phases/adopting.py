"""Keeping the report that the chain accepted, where this validator did not work it out itself."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import structlog
from pydantic import ValidationError

from assay.protocol.hexadecimal import HexadecimalError, parse_bytes32
from assay.protocol.leaves import device_tree, reward_tree
from assay.validator.context import EpochContext
from assay.validator.follower import Follower
from assay.validator.gossip import Gossiper
from assay.validator.ports import Clock
from assay.validator.store import Store
from assay.validator.wire import DevicesBody, RewardsBody

MOST_BYTES = 64 << 20
PATIENCE_S = 30.0
log = structlog.get_logger()


@dataclass(frozen=True)
class Adopting:
    """Trees under the accepted roots come from whichever seat has them first."""

    context: EpochContext
    follower: Follower
    store: Store
    gossip: Gossiper
    clock: Clock

    async def adopt(self) -> None:
        """Notes the accepted roots and fetches from peers what is missing under them."""
        state = self.follower.at_final(self.context.epoch)
        if state is None:
            return
        store = self.store
        store.update_epoch(self.context.epoch, devices_root=state.devices_root, rewards_root=state.rewards_root)
        wanted = (("devices", state.devices_root, _devices_root), ("rewards", state.rewards_root, _rewards_root))
        for kind, root, root_of in wanted:
            if store.tree(root) is None and not await self._fetch(kind, root, root_of):
                log.warning("nobody served the report", kind=kind)

    async def _fetch(self, kind: str, root: bytes, root_of: Callable[[bytes], bytes]) -> bool:
        async def right(account: str) -> bytes | None:
            index = await self.gossip.index(account, self.context.epoch)
            for digest in _candidates(index, kind):
                body = await self.gossip.content(account, digest, MOST_BYTES)
                try:
                    if body is not None and root_of(body) == root:
                        return body
                except (ValidationError, ValueError) as error:
                    log.warning("report content refused", peer=account, reason=str(error)[:200])
            return None

        body = await self.gossip.race(self.context.others, right, self.clock.now() + PATIENCE_S, again=True)
        if body is not None:
            self.store.put_tree(self.context.epoch, kind, root, body)
        return body is not None


def _candidates(index: dict[str, Any] | None, kind: str) -> Sequence[bytes]:
    if index is None:
        return ()
    report = index.get("report")
    value = index.get("rewards") if kind == "rewards" else None
    if kind == "devices" and isinstance(report, dict):
        value = report.get("content")
    try:
        return (parse_bytes32(value),) if isinstance(value, str) else ()
    except HexadecimalError:
        return ()


def _devices_root(body: bytes) -> bytes:
    return device_tree([line.leaf() for line in DevicesBody.model_validate_json(body).leaves]).root


def _rewards_root(body: bytes) -> bytes:
    return reward_tree([line.leaf() for line in RewardsBody.model_validate_json(body).leaves]).root

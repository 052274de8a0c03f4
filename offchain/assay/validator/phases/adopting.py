"""Keeping the report that the chain accepted, where this validator did not work it out itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import structlog

from assay.protocol.leaves import device_tree, reward_tree
from assay.protocol.types import Root
from assay.validator.chain.follower import Follower
from assay.validator.context import EpochContext
from assay.validator.peers.gossip import Gossiper
from assay.validator.ports import Clock
from assay.validator.storage.store import Store
from assay.wire.leaves import DevicesBody, RewardsBody
from assay.wire.limits import MAX_CONTENT_BYTES

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

    async def _fetch(self, kind: str, root: Root, root_of: Callable[[bytes], bytes]) -> bool:
        async def right(account: str) -> bytes | None:
            index = await self.gossip.index(account, self.context.epoch)
            digest = None if index is None else index.rewards if kind == "rewards" else index.devices
            body = None if digest is None else await self.gossip.content(account, digest, MAX_CONTENT_BYTES)
            try:
                return body if body is not None and root_of(body) == root else None
            except ValueError as error:
                log.warning("report content refused", peer=account, reason=str(error)[:200])
                return None

        body = await self.gossip.race(self.context.others, right, self.clock.now() + PATIENCE_S, again=True)
        if body is not None:
            self.store.put_tree(self.context.epoch, kind, root, body)
        return body is not None


def _devices_root(body: bytes) -> bytes:
    return device_tree(DevicesBody.parse(body).leaves).root


def _rewards_root(body: bytes) -> bytes:
    return reward_tree(RewardsBody.parse(body).leaves).root

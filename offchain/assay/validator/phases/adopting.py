"""Keeping the report that the chain accepted, where this validator did not work it out itself."""

from __future__ import annotations

from collections.abc import Callable

import structlog

from assay.protocol.leaves import device_tree, reward_tree
from assay.validator.phases.telling import others
from assay.validator.work import Work
from assay.wire.leaves import DevicesBody, RewardsBody
from assay.wire.limits import MAX_CONTENT_BYTES

ATTEMPTS = 20
RETRY_S = 0.5
log = structlog.get_logger()


async def adopt_report(work: Work) -> None:
    """Notes the accepted roots and fetches from peers what is missing under them."""
    state = work.services.follower.at_final(work.context.epoch)
    assert state is not None  # noqa: S101  # the report was seen at it
    store = work.services.store
    store.update_epoch(work.context.epoch, devices_root=state.devices_root, rewards_root=state.rewards_root)
    wanted = (("devices", state.devices_root, _devices_root), ("rewards", state.rewards_root, _rewards_root))
    for kind, root, root_of in wanted:
        for _ in range(ATTEMPTS):
            if store.tree(root) is not None or await _fetch(work, kind, root, root_of):
                break
            await work.services.clock.sleep(RETRY_S)
        else:
            log.warning("nobody served the report", kind=kind)


async def _fetch(work: Work, kind: str, root: bytes, root_of: Callable[[bytes], bytes]) -> bool:
    for account in others(work):
        index = await work.services.gossip.index(account, work.context.epoch)
        digest = None if index is None else index.rewards if kind == "rewards" else index.devices
        if digest is None:
            continue
        body = await work.services.gossip.fetch([account], digest, MAX_CONTENT_BYTES)
        try:
            if body is not None and root_of(body) == root:
                work.services.store.put_tree(work.context.epoch, kind, root, body)
                return True
        except ValueError as error:
            log.warning("report content refused", peer=account, reason=str(error)[:200])
    return False


def _devices_root(body: bytes) -> bytes:
    return device_tree(DevicesBody.parse(body).leaves).root


def _rewards_root(body: bytes) -> bytes:
    return reward_tree(RewardsBody.parse(body).leaves).root

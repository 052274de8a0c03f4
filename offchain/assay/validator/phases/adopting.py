"""Keeping the report that the chain accepted, where this validator did not work it out itself."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import structlog
from pydantic import ValidationError

from assay.protocol.hexadecimal import HexadecimalError, parse_bytes32
from assay.protocol.leaves import device_tree, reward_tree
from assay.validator.phases.telling import others
from assay.validator.wire import DevicesBody, RewardsBody
from assay.validator.work import Work

MOST_BYTES = 64 << 20
PATIENCE_S = 30.0
log = structlog.get_logger()


async def adopt_report(work: Work) -> None:
    """Notes the accepted roots and fetches from peers what is missing under them."""
    state = work.services.follower.at_final(work.context.epoch)
    assert state is not None  # noqa: S101  # the report was seen at it
    store = work.services.store
    store.update_epoch(work.context.epoch, devices_root=state.devices_root, rewards_root=state.rewards_root)
    wanted = (("devices", state.devices_root, _devices_root), ("rewards", state.rewards_root, _rewards_root))
    for kind, root, root_of in wanted:
        if store.tree(root) is None and not await _fetch(work, kind, root, root_of):
            log.warning("nobody served the report", kind=kind)


async def _fetch(work: Work, kind: str, root: bytes, root_of: Callable[[bytes], bytes]) -> bool:
    async def right(account: str) -> bytes | None:
        index = await work.services.gossip.index(account, work.context.epoch)
        for digest in _candidates(index, kind):
            body = await work.services.gossip.content(account, digest, MOST_BYTES)
            try:
                if body is not None and root_of(body) == root:
                    return body
            except (ValidationError, ValueError) as error:
                log.warning("report content refused", peer=account, reason=str(error)[:200])
        return None

    body = await work.services.gossip.race(others(work), right, work.now() + PATIENCE_S, again=True)
    if body is not None:
        work.services.store.put_tree(work.context.epoch, kind, root, body)
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

"""Fetches what reports are made of, and takes it into the index once it proves against their roots."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import structlog
from sqlalchemy import or_, select

from assay.market.errors import BadContent, SourceFault
from assay.market.follow.index import Index
from assay.market.projection.listings import measured
from assay.market.sources.http_fetch import Fetch
from assay.market.sources.report_content import device_leaves, fetch_content, reward_leaves
from assay.market.store.rows import Change
from assay.market.store.tables import devices, epochs, validators
from assay.protocol.flags import Flag
from assay.protocol.leaves import DeviceLeaf, RewardLeaf

WANTED, PROVEN = "wanted", "proven"
MOST_WANTED = 16

log = structlog.get_logger()


class ContentFollower:
    """Asks validators in turn for the contents of reports that are wanted."""

    def __init__(self, index: Index, fetch: Fetch) -> None:
        self._index = index
        self._fetch = fetch

    async def step(self) -> int:
        """Tries each wanted content once with every validator. Returns how many were taken in."""
        wanted, endpoints = await asyncio.to_thread(self._wanted)
        taken = 0
        for row in wanted:
            for kind in ("devices", "rewards"):
                if row[f"{kind}_content"] == WANTED:
                    taken += await self._obtain(row, kind, _rotated(endpoints, row["epoch"]))
        return taken

    def _wanted(self) -> tuple[list[dict[str, Any]], list[str]]:
        with self._index.engine.connect() as connection:
            lacking = or_(epochs.c.devices_content == WANTED, epochs.c.rewards_content == WANTED)
            newest_first = select(epochs).where(lacking).order_by(epochs.c.epoch.desc()).limit(MOST_WANTED)
            rows = [dict(row) for row in connection.execute(newest_first).mappings()]
            known = select(validators.c.endpoint).where(validators.c.endpoint != "").order_by(validators.c.account)
            return rows, list(connection.execute(known).scalars())

    async def _obtain(self, epoch: dict[str, Any], kind: str, endpoints: Sequence[str]) -> bool:
        number = epoch["epoch"]
        for endpoint in endpoints:
            try:
                content = await fetch_content(self._fetch, endpoint, number, kind)
                await asyncio.to_thread(self.take, epoch, kind, content)
            except SourceFault as fault:
                log.debug("content not served", epoch=number, kind=kind, reason=str(fault))
            except BadContent as error:
                log.warning("content does not prove", epoch=number, kind=kind, source=endpoint, reason=str(error))
                await asyncio.to_thread(self._refuse, number, kind, endpoint, str(error))
            else:
                return True
        return False

    def take(self, epoch: dict[str, Any], kind: str, content: Any) -> None:
        """Proves a content against the epoch's roots and writes it. Raises BadContent."""
        number = epoch["epoch"]
        if kind == "devices":
            leaves = device_leaves(content, number, epoch["devices_root"])
            fresh = [("measurements", (number, leaf.device_id)) for leaf in leaves]
            self._index.apply_changes(self._device_changes(number, leaves), fresh)
        else:
            rewards = reward_leaves(content, epoch["rewards_root"])
            fresh_rewards = [("rewards", (number, leaf.account)) for leaf in rewards]
            self._index.apply_changes(reward_changes(number, rewards), fresh_rewards)

    def _device_changes(self, epoch: int, leaves: Sequence[DeviceLeaf]) -> list[Change]:
        with self._index.engine.connect() as connection:
            columns = (devices.c.device_id, devices.c.measured_epoch, devices.c.passed_epoch)
            known = {row["device_id"]: dict(row) for row in connection.execute(select(*columns)).mappings()}
        return device_changes(epoch, leaves, known.get)

    def _refuse(self, epoch: int, kind: str, source: str, reason: str) -> None:
        change = Change("refusals", (epoch, kind, source[:300]), {"reason": reason[:400]})
        self._index.apply_changes([change])


def device_changes(
    epoch: int, leaves: Sequence[DeviceLeaf], known: Callable[[bytes], dict[str, Any] | None]
) -> list[Change]:
    """What the proven device leaves of a report change; `known` gives the device as it stands."""
    changes = []
    for leaf in leaves:
        values = {
            "seal_index": leaf.seal_index,
            "profile": leaf.profile,
            "score_gops": leaf.score_gops,
            "memory_mib": leaf.memory_mib,
            "uptime_bps": leaf.uptime_bps,
            "flags": leaf.flags,
            "result_root": leaf.result_root,
        }
        changes.append(Change("measurements", (epoch, leaf.device_id), values))
        if device := known(leaf.device_id):
            changes.append(measured(device, leaf))
    passed = [leaf for leaf in leaves if leaf.flags == Flag.PASSED]
    leased = sum(bool(leaf.flags & Flag.LEASED) for leaf in leaves)
    summary = {
        "devices_content": PROVEN,
        "passed": len(passed),
        "leased": leased,
        "failed": len(leaves) - len(passed) - leased,
        "total_gops": sum(leaf.score_gops for leaf in passed),
    }
    changes.append(Change("epochs", (epoch,), summary))
    return changes


def reward_changes(epoch: int, leaves: Sequence[RewardLeaf]) -> list[Change]:
    """What the proven reward leaves of a report change."""
    rows = [Change("rewards", (epoch, leaf.account), {"cumulative": leaf.cumulative}) for leaf in leaves]
    return [*rows, Change("epochs", (epoch,), {"rewards_content": PROVEN})]


def _rotated(endpoints: Sequence[str], by: int) -> list[str]:
    """No validator is asked first every time."""
    start = by % len(endpoints) if endpoints else 0
    return [*endpoints[start:], *endpoints[:start]]

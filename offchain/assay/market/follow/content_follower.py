"""Fetches what reports are made of, and takes it into the index once it proves against their roots."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import structlog
from sqlalchemy import or_, select

from assay.market.errors import BadContent, SourceFault
from assay.market.follow.content_changes import PROVEN, WANTED, batch_changes, device_changes, reward_changes
from assay.market.follow.index import MarketIndex
from assay.market.sources.http_fetch import Fetch
from assay.market.sources.observation_batches import Drawn, SeatBatch, fetch_batches, is_whole
from assay.market.sources.report_content import device_leaves, fetch_content, reward_leaves
from assay.market.store.rows import Change
from assay.market.store.tables import devices, epochs, measurements, set_seats, validators
from assay.protocol.leaves import DeviceLeaf
from assay.protocol.signing import Domain

MAX_WANTED = 16
KINDS = ("devices", "rewards", "batches")

log = structlog.get_logger()


class ContentFollower:
    """Asks validators in turn for the contents of reports that are wanted. `domain` is EpochOracle's."""

    def __init__(self, index: MarketIndex, fetch: Fetch, domain: Domain) -> None:
        self._index = index
        self._fetch = fetch
        self._domain = domain

    async def step(self) -> int:
        """Tries each wanted content once with every validator. Returns how many were taken in."""
        wanted, endpoints = await asyncio.to_thread(self._wanted)
        taken = 0
        for row in wanted:
            reported = row["devices_content"] == PROVEN
            for kind in KINDS:
                # What seats said is held against the report: first the report.
                if row[f"{kind}_content"] != WANTED or (kind == "batches" and not reported):
                    continue
                obtained = await self._obtain(row, kind, _rotated(endpoints, row["epoch"]))
                reported = reported or (kind == "devices" and obtained)
                taken += obtained
        return taken

    def _wanted(self) -> tuple[list[dict[str, Any]], list[str]]:
        with self._index.engine.connect() as connection:
            lacking = or_(*(epochs.c[f"{kind}_content"] == WANTED for kind in KINDS))
            newest_first = select(epochs).where(lacking).order_by(epochs.c.epoch.desc()).limit(MAX_WANTED)
            rows = [dict(row) for row in connection.execute(newest_first).mappings()]
            known = select(validators.c.endpoint).where(validators.c.endpoint != "").order_by(validators.c.account)
            return rows, list(connection.execute(known).scalars())

    async def _obtain(self, epoch: dict[str, Any], kind: str, endpoints: Sequence[str]) -> bool:
        number = epoch["epoch"]
        for endpoint in endpoints:
            try:
                if kind == "batches":
                    drawn = await asyncio.to_thread(self._drawn, epoch)
                    batches = await fetch_batches(self._fetch, endpoint, drawn, self._domain)
                    await asyncio.to_thread(self.take_batches, drawn, batches)
                else:
                    content = await fetch_content(self._fetch, endpoint, number, kind)
                    await asyncio.to_thread(self.take, epoch, kind, content)
            except SourceFault as fault:
                log.debug("content not served", epoch=number, kind=kind, reason=str(fault))
            except BadContent as error:
                log.warning(
                    "content does not match its root", epoch=number, kind=kind, source=endpoint, reason=str(error)
                )
                await asyncio.to_thread(self._refuse, number, kind, endpoint, str(error))
            else:
                return True
        return False

    def take(self, epoch: dict[str, Any], kind: str, content: bytes) -> None:
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

    def take_batches(self, drawn: Drawn, batches: Sequence[SeatBatch]) -> None:
        """Writes what seats signed. Testimony: the index says who said what, and what the report says instead."""
        with self._index.engine.connect() as connection:
            query = select(measurements.c.device_id, measurements.c.flags).where(measurements.c.epoch == drawn.epoch)
            reported = {row.device_id: row.flags for row in connection.execute(query)}
        changes = batch_changes(drawn.epoch, batches, reported, is_whole(batches, drawn.data_hash))
        self._index.apply_changes(changes, [(c.table, c.key) for c in changes if c.table != "epochs"])

    def _drawn(self, epoch: dict[str, Any]) -> Drawn:
        with self._index.engine.connect() as connection:
            query = select(set_seats).where(set_seats.c.set_id == epoch["set_id"]).order_by(set_seats.c.seat)
            signers = {row.account: row.signer for row in connection.execute(query)}
        return Drawn(epoch["epoch"], epoch["set_id"], epoch["rho"], epoch["data_hash"], signers)

    def _device_changes(self, epoch: int, leaves: Sequence[DeviceLeaf]) -> list[Change]:
        with self._index.engine.connect() as connection:
            columns = (devices.c.device_id, devices.c.measured_epoch, devices.c.passed_epoch)
            known = {row["device_id"]: dict(row) for row in connection.execute(select(*columns)).mappings()}
        return device_changes(epoch, leaves, known.get)

    def _refuse(self, epoch: int, kind: str, source: str, reason: str) -> None:
        change = Change("refusals", (epoch, kind, source[:300]), {"reason": reason[:400]})
        self._index.apply_changes([change])


def _rotated(endpoints: Sequence[str], by: int) -> list[str]:
    """No validator is asked first every time."""
    start = by % len(endpoints) if endpoints else 0
    return [*endpoints[start:], *endpoints[:start]]

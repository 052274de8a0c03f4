"""Served content becomes a fact only where it proves."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import select

from assay.market.errors import BadContent, SourceFault
from assay.market.follow.content_follower import ContentFollower
from assay.market.follow.index import MarketIndex
from assay.market.sources.report_content import device_leaves as parse_device_leaves
from assay.market.store.tables import devices, epochs, listings, measurements, refusals, rewards
from assay.protocol.hexadecimal import to_hex
from assay.protocol.keccak import keccak
from assay.protocol.leaves import DeviceLeaf, device_tree
from assay.wire.leaves import device_json
from tests.unit.market.scenario import (
    DEVICES,
    ORACLE,
    VALIDATORS,
    batch,
    device_leaves,
    epoch_events,
    founding,
    reward_leaves,
)

LEAVES = device_leaves(1, flags=(1, 1, 4, 2))


def device_content(leaves: list[DeviceLeaf]) -> dict[str, Any]:
    return {"epoch": leaves[0].epoch, "leaves": [device_json(leaf) for leaf in leaves]}


def body_of(leaves: list[DeviceLeaf]) -> bytes:
    return json.dumps(device_content(leaves)).encode()


def reward_content(epoch: int) -> dict[str, Any]:
    lines = [{"account": r.account, "cumulative": str(r.cumulative)} for r in reward_leaves(epoch)]
    return {"epoch": epoch, "leaves": lines}


class Served:
    """Validators' answers by URL; `tamper` changes what the first validator serves."""

    def __init__(self, tamper: Callable[[dict[str, Any]], None] | None = None) -> None:
        self.pages: dict[str, bytes] = {}
        for n, validator in enumerate(VALIDATORS[:2]):
            content = device_content(LEAVES)
            if n == 1 and tamper:
                tamper(content)
            base = f"http://{validator.lower()}.test"
            bodies = [json.dumps(c).encode() for c in (content, reward_content(1))]
            names = [to_hex(keccak(body)) for body in bodies]
            self.pages[f"{base}/v1/epochs/1"] = json.dumps(
                {"report": {"content": names[0]}, "rewards": names[1]}
            ).encode()
            for name, body in zip(names, bodies, strict=True):
                self.pages[f"{base}/v1/content/{name}"] = body

    async def __call__(self, endpoint: str, path: str, max_bytes: int = 0) -> bytes:
        url = endpoint.rstrip("/") + path
        if url not in self.pages:
            raise SourceFault(f"{url}: no answer")
        return self.pages[url]


@pytest.fixture
def reported(index: MarketIndex) -> MarketIndex:
    index.apply(batch(founding() + epoch_events(1, 6, LEAVES), 12, seats=True))
    return index


async def test_content__that_proves__is_stored_with_its_devices_summed_up(reported: MarketIndex) -> None:
    assert await ContentFollower(reported, Served(), ORACLE).step() == 2
    with reported.engine.connect() as connection:
        epoch = connection.execute(select(epochs)).one()
        assert (epoch.passed, epoch.failed, epoch.leased) == (2, 1, 1)
        assert epoch.devices_content == epoch.rewards_content == "proven"
        assert len(connection.execute(select(measurements)).all()) == 4
        assert len(connection.execute(select(rewards)).all()) == 6
        by_flags = {row.measured_flags: row for row in connection.execute(select(devices))}
        # A leased device is neither passed nor failed.
        assert [by_flags[f].measured for f in (1, 4, 2)] == [1, 1, 0]
        assert {row.state for row in connection.execute(select(listings))} == {"unpriced", "failing", "new"}


def lie(content: dict[str, Any]) -> None:
    content["leaves"][0]["scoreGops"] = 999_999


def drop(content: dict[str, Any]) -> None:
    content["leaves"].pop()


def garble(content: dict[str, Any]) -> None:
    content["leaves"][0]["deviceId"] = "0x12"


@pytest.mark.parametrize("tamper", [lie, drop, garble])
async def test_content__tampered_with_by_one_validator__is_named_and_taken_from_another(
    reported: MarketIndex, tamper: Callable[[dict[str, Any]], None]
) -> None:
    served = Served(tamper)
    first = f"http://{VALIDATORS[0].lower()}.test/v1/epochs/1"
    good = served.pages.pop(first)
    assert await ContentFollower(reported, served, ORACLE).step() == 1  # the reward tree was not tampered with
    with reported.engine.connect() as connection:
        assert connection.execute(select(measurements)).all() == []
        refused = connection.execute(select(refusals)).one()
        assert (refused.epoch, refused.kind) == (1, "devices")
        assert VALIDATORS[1].lower() in refused.source
    served.pages[first] = good
    assert await ContentFollower(reported, served, ORACLE).step() == 1
    with reported.engine.connect() as connection:
        assert {row.score_gops for row in connection.execute(select(measurements))} < {0, 100, 200, 300, 400}


async def test_content__of_another_hash__is_refused(reported: MarketIndex) -> None:
    served = Served()
    for url in served.pages:
        if "/content/" in url:
            served.pages[url] += b" "
    assert await ContentFollower(reported, served, ORACLE).step() == 0


def test_device_leaves__with_one_device_twice__are_refused() -> None:
    twice = [LEAVES[0], LEAVES[0]]
    with pytest.raises(BadContent, match="twice"):
        parse_device_leaves(body_of(twice), 1, device_tree(twice).root)


def test_device_leaves__with_a_score_that_no_database_holds__are_refused_though_a_quorum_signed_them() -> None:
    absurd = [replace(LEAVES[0], score_gops=1 << 63)]
    with pytest.raises(BadContent, match="score of"):
        parse_device_leaves(body_of(absurd), 1, device_tree(absurd).root)


async def test_reports__read_in_another_order__leave_the_same_devices(
    reported: MarketIndex, index: MarketIndex
) -> None:
    follower = ContentFollower(index, Served(), ORACLE)
    later = device_leaves(2, flags=(1, 4, 1, 1))
    index.apply(batch(epoch_events(2, 13, later), 20))
    for epoch, leaves in ((2, later), (1, LEAVES)):
        root = {"epoch": epoch, "devices_root": device_tree(leaves).root}
        follower.take(root, "devices", body_of(leaves))
    with index.engine.connect() as connection:
        rows = {row.device_id: row for row in connection.execute(select(devices))}
    assert {row.measured_epoch for row in rows.values()} == {2}
    failing = next(leaf.device_id for leaf in later if leaf.flags == 4)
    assert rows[failing].passed_epoch == 1
    assert set(rows) == set(DEVICES)

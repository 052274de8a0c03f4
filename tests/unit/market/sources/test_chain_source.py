"""The index reads on past what one account made a contract say."""

from __future__ import annotations

from typing import Any

import pytest
from eth_abi.abi import encode
from sqlalchemy import select

from assay.chain.rpc.client import Chain
from assay.chain.rpc.pool import EndpointPool
from assay.market.follow.chain_follower import ChainFollower
from assay.market.sources.chain_source import NodeSource
from assay.market.store.tables import devices
from tests.unit.market.follow.test_index import new_index
from tests.unit.renter.test_call_counts import IDS, logs
from tests.unit.renter.year_node import DEPLOYMENT, YearNode, log_of

FINGERPRINT = bytes(32)


def endpoint(which: bytes, block: int, raw: bytes) -> dict[str, Any]:
    said = log_of("DeviceRegistry", "DeviceEndpoint", block, 9, deviceId=which, endpoint="", tlsFingerprint=FINGERPRINT)
    return {**said, "data": "0x" + encode(["bytes", "bytes32"], [raw, FINGERPRINT]).hex()}


async def indexed(*more: dict[str, Any]) -> tuple[Chain, dict[bytes, str]]:
    chain = Chain(EndpointPool([YearNode({}, [*logs(), *more])], 31_337), DEPLOYMENT)
    index = new_index()
    follower = ChainFollower(index, NodeSource(chain), 0)
    await follower.step()
    with index.engine.connect() as connection:
        rows = connection.execute(select(devices.c.device_id, devices.c.endpoint)).all()
    return chain, {row.device_id: row.endpoint for row in rows}


@pytest.mark.parametrize(
    "raw",
    [b"http://caf\xe9", b"\xff" * 200, b"http://a\x00b", b"\x1b[2J", b"x" * 100_000],
    ids=lambda raw: repr(raw)[:20],
)
async def test_step__an_endpoint_that_nobody_can_read__none_and_the_others_indexed(raw: bytes) -> None:
    chain, found = await indexed(endpoint(IDS[0], 200, raw))
    assert found[IDS[0]] == ""
    assert [found[one] for one in IDS[1:]] == [f"https://d{n}.example" for n in range(1, len(IDS))]
    assert chain.unread == 0


async def test_step__a_log_that_does_not_decode__left_out_and_counted() -> None:
    chain, found = await indexed({**endpoint(IDS[0], 200, b"https://moved"), "data": "0x1234"})
    assert found[IDS[0]] == "https://d0.example"
    assert set(IDS) <= set(found)
    assert chain.unread == 1

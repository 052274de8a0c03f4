"""What seats signed is kept with their signature, and held against the report."""

from __future__ import annotations

import json
from typing import Any

import pytest
from sqlalchemy import select

from assay.market.errors import BadContent
from assay.market.follow.content_follower import ContentFollower
from assay.market.follow.index import MarketIndex
from assay.market.sources.observation_batches import Drawn, seat_batch
from assay.market.store.tables import batches, epochs, observations, refusals
from assay.protocol.hexadecimal import to_hex
from assay.protocol.keccak import keccak
from tests.unit.market.scenario import (
    ORACLE,
    SEATS,
    VALIDATORS,
    batch,
    epoch_events,
    founding,
    h,
    observed,
    signed_batch,
)

from .test_content import LEAVES, Served

DRAWN = Drawn(1, 1, h("rho 1"), h("data 1"), dict(SEATS))
HONEST = observed(LEAVES)
# The second seat saw the device that the report passed fail.
PASSED = next(leaf.device_id for leaf in LEAVES if leaf.flags == 1)
OTHERWISE = observed(LEAVES, {PASSED: 8})
BATCHES = [signed_batch(1, VALIDATORS[0], HONEST), signed_batch(1, VALIDATORS[1], OTHERWISE)]


def served(documents: list[dict[str, Any]]) -> Served:
    pages = Served()
    bodies = [json.dumps(document).encode() for document in documents]
    named = [{"seat": d["seat"], "content": to_hex(keccak(b))} for d, b in zip(documents, bodies, strict=True)]
    for validator in VALIDATORS[:2]:
        base = f"http://{validator.lower()}.test"
        index = json.loads(pages.pages[f"{base}/v1/epochs/1"]) | {"batches": named}
        pages.pages[f"{base}/v1/epochs/1"] = json.dumps(index).encode()
        for body in bodies:
            pages.pages[f"{base}/v1/content/{to_hex(keccak(body))}"] = body
    return pages


def reported(index: MarketIndex, data_hash: bytes | None = None) -> MarketIndex:
    index.apply(batch(founding() + epoch_events(1, 6, LEAVES, data_hash=data_hash), 12, seats=True))
    return index


async def test_batches__signed_by_their_seats__are_kept_and_counted_against_the_report(index: MarketIndex) -> None:
    digests = [seat_batch(json.dumps(document).encode(), DRAWN, ORACLE).digest for document in BATCHES]
    assert await ContentFollower(reported(index, keccak(b"".join(digests))), served(BATCHES), ORACLE).step() == 3
    with index.engine.connect() as connection:
        found = {row.account: row for row in connection.execute(select(batches))}
        assert {account: (row.devices, row.otherwise) for account, row in found.items()} == {
            VALIDATORS[0]: (4, 0),
            VALIDATORS[1]: (4, 1),
        }
        assert len(connection.execute(select(observations)).all()) == 8
        assert connection.execute(select(epochs.c.batches_content)).scalar_one() == "proven"


async def test_batches__that_are_not_all_of_the_report__are_called_signed_only(index: MarketIndex) -> None:
    await ContentFollower(reported(index), served(BATCHES[:1]), ORACLE).step()
    with index.engine.connect() as connection:
        assert connection.execute(select(epochs.c.batches_content)).scalar_one() == "signed"


async def test_batches__one_of_them_forged__are_refused_whole(index: MarketIndex) -> None:
    forged = signed_batch(1, VALIDATORS[1], OTHERWISE, key=h("somebody's"))
    assert await ContentFollower(reported(index), served([BATCHES[0], forged]), ORACLE).step() == 2
    with index.engine.connect() as connection:
        assert connection.execute(select(observations)).all() == []
        assert {row.kind for row in connection.execute(select(refusals))} == {"batches"}


@pytest.mark.parametrize(
    "change",
    [
        {"rho": to_hex(h("other"))},
        {"epoch": 2},
        {"setId": 2},
        {"leaves": "none"},
        {"signature": "0x00"},
        {"seat": "0x"},
    ],
)
def test_batch__of_something_else__is_refused(change: dict[str, Any]) -> None:
    seat_batch(json.dumps(BATCHES[0]).encode(), DRAWN, ORACLE)
    with pytest.raises(BadContent):
        seat_batch(json.dumps(BATCHES[0] | change).encode(), DRAWN, ORACLE)

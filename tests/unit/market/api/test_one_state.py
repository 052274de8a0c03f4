"""Answers hold at the block that they name, whatever the followers write meanwhile."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select

from assay.market.api.app import create_app
from assay.market.api.context import Context
from assay.market.api.status import Status
from assay.market.follow.index import MarketIndex
from assay.market.queries.search import SearchTable
from assay.market.store.database import open_database
from assay.market.store.tables import leases
from tests.unit.market.scenario import batch, founding, opened, timestamp


@pytest.fixture
def written(tmp_path: Path) -> MarketIndex:
    """An index in a file, which is read and written at once."""
    index = MarketIndex(open_database(str(tmp_path / "market.sqlite3")), max_age=2)
    index.apply(batch(founding(), 4, seats=True))
    return index


def context_of(index: MarketIndex) -> Context:
    """A market whose followers have told of the batch that stands."""
    status = Status("test", 31337, clock=lambda: timestamp(9))
    status.move(index.tip(), 9)
    return Context(index.engine, status, SearchTable(index.engine))


def test_answer__after_a_batch_that_nobody_has_told_of_yet__names_the_block_of_what_it_shows(
    written: MarketIndex,
) -> None:
    client = TestClient(create_app(context_of(written), rate=1e9, burst=1 << 30, pages=False))

    def told() -> tuple[Any, Any, Any]:
        answer = client.get("/v1/leases").json()
        return [row["leaseId"] for row in answer["data"]], answer["at"]["block"], answer["at"]["lagBlocks"]

    assert told() == ([], 4, 5)
    written.apply(batch([(6, opened(1))], 7))
    assert told() == ([1], 7, 2)


def test_reading__while_a_batch_is_written__sees_none_of_it(written: MarketIndex) -> None:
    context = context_of(written)
    with context.reading() as connection:
        written.apply(batch([(6, opened(1))], 7))
        assert connection.execute(select(leases)).all() == []
        assert (context.at()["block"], context.timestamp) == (4, timestamp(4))
    with context.reading() as connection:
        assert len(connection.execute(select(leases)).all()) == 1
        assert context.at()["block"] == 7

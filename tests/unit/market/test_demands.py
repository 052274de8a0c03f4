"""Challenges on the chain: who was to show what, and whether it was shown."""

from __future__ import annotations

from typing import Any

import pytest
from fastapi.testclient import TestClient

from assay.market.api.app import create_app
from assay.market.api.context import Context
from assay.market.api.status import Status
from assay.market.events.fault_events import DemandAnswered, DemandExpired, DemandMade
from assay.market.follow.index import Index
from assay.market.queries.challenges import answers
from assay.market.queries.search import SearchTable
from assay.protocol.hexadecimal import to_hex

from .scenario import DEVICES, PROVIDERS, account, batch, founding, h, timestamp

ASKER, HELPER = account("asker"), account("helper")


@pytest.fixture
def client(index: Index) -> TestClient:
    asked = [
        (8, DemandMade(1, DEVICES[0], 1, True, 2, 17, timestamp(30), ASKER)),
        (9, DemandMade(2, DEVICES[1], 1, False, 3, 0, timestamp(31), ASKER)),
        (10, DemandMade(3, DEVICES[2], 1, True, 0, 5, timestamp(32), ASKER)),
    ]
    closed = [(12, DemandAnswered(1, HELPER)), (33, DemandExpired(2))]
    index.apply(batch([*founding(), *asked], 11, seats=True))
    index.apply(batch(closed, 34))
    status = Status("test", 31337)
    return TestClient(
        create_app(Context(index.engine, status, SearchTable(index.engine)), rate=1e9, burst=1 << 30, pages=False)
    )


def listed(client: TestClient, query: str) -> list[Any]:
    answer = client.get(f"/v1/demands?{query}")
    assert answer.status_code == 200, answer.text
    rows: list[Any] = answer.json()["data"]
    return rows


def test_demand__answered_or_run_out__says_by_whom_and_when(client: TestClient) -> None:
    third, second, first = listed(client, "")
    assert (first["status"], first["answerer"], first["closedAt"]) == (2, HELPER, timestamp(12))
    assert (first["isRow"], first["t"], first["i"], first["demander"]) == (True, 2, 17, ASKER)
    assert (first["provider"], first["deviceId"]) == (PROVIDERS[0], to_hex(DEVICES[0]))
    assert (second["status"], second["closedAt"], second["answerer"]) == (3, timestamp(33), None)
    assert (second["transaction"], second["closeTransaction"]) == (
        to_hex(h("transaction 9")),
        to_hex(h("transaction 33")),
    )
    assert (third["status"], third["closedAt"], third["closeTransaction"]) == (1, 0, None)


@pytest.mark.parametrize(
    "query, ids",
    [
        (f"provider={PROVIDERS[0]}", [3, 1]),
        (f"device={to_hex(DEVICES[1])}", [2]),
        ("status=1", [3]),
        (f"provider={ASKER}", []),
    ],
)
def test_demands__by_a_filter__are_those_that_match(client: TestClient, query: str, ids: list[int]) -> None:
    assert [row["demandId"] for row in listed(client, query)] == ids


def test_demands__rolled_back__are_open_again(index: Index, client: TestClient) -> None:
    index.roll_back(11)
    assert [row["status"] for row in listed(client, "")] == [1, 1, 1]


def test_answers__of_devices_that_no_report_names__are_none(index: Index, client: TestClient) -> None:
    with index.engine.connect() as connection:
        found = answers(connection, DEVICES)
    assert (found.epochs, found.lines) == ([], [(d, []) for d in DEVICES])

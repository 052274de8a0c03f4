"""Challenges on the chain: who was to show what, and whether it was shown."""

from __future__ import annotations

from typing import Any

import pytest
from fastapi.testclient import TestClient

from assay.market.api.app import create_app
from assay.market.api.context import Context
from assay.market.api.status import Status
from assay.market.events.demand_events import DemandAnswered, DemandExpired, DemandMade
from assay.market.follow.index import MarketIndex
from assay.market.queries.challenges import answers
from assay.market.queries.search import SearchTable
from assay.protocol.hexadecimal import to_hex
from tests.unit.market.scenario import DEVICES, PROVIDERS, account, batch, founding, h, timestamp

ASKER, HELPER = account("asker"), account("helper")
IDS = [h(f"demand {n}") for n in range(4)]


@pytest.fixture
def client(index: MarketIndex) -> TestClient:
    asked = [
        (8, DemandMade(IDS[0], DEVICES[0], 1, True, 40, 2, 17, timestamp(30), ASKER, 200, 100)),
        (9, DemandMade(IDS[1], DEVICES[1], 1, False, 3, 3, 0, timestamp(31), ASKER, 200, 100)),
        (10, DemandMade(IDS[2], DEVICES[2], 1, True, 0, 0, 5, timestamp(32), ASKER, 200, 100)),
        (11, DemandMade(IDS[3], DEVICES[1], 1, True, 7, 1, 9, timestamp(33), ASKER, 400, 100)),
    ]
    closed = [
        (12, DemandAnswered(IDS[0], HELPER, 100, 20)),
        (33, DemandExpired(IDS[1], True)),
        (34, DemandExpired(IDS[3], False)),
    ]
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


def test_demand__answered_run_out_or_closed__says_by_whom_when_and_what_it_cost(client: TestClient) -> None:
    last, third, second, first = listed(client, "")
    assert (first["status"], first["answerer"], first["closedAt"]) == (2, HELPER, timestamp(12))
    assert (first["isRow"], first["index"], first["t"], first["i"], first["demander"]) == (True, 40, 2, 17, ASKER)
    assert (first["provider"], first["deviceId"]) == (PROVIDERS[0], to_hex(DEVICES[0]))
    assert (first["bond"], first["reward"], first["burned"]) == ("200", "100", "20")
    assert (second["status"], second["closedAt"], second["answerer"]) == (3, timestamp(33), None)
    assert (second["transaction"], second["closeTransaction"]) == (
        to_hex(h("transaction 9")),
        to_hex(h("transaction 33")),
    )
    assert (third["status"], third["closedAt"], third["closeTransaction"]) == (1, 0, None)
    # Nobody answered, but something else had slashed the device by then.
    assert (last["status"], last["bond"], last["burned"]) == (4, "400", "0")


@pytest.mark.parametrize(
    "query, ids",
    [
        (f"provider={PROVIDERS[0]}", [2, 0]),
        (f"device={to_hex(DEVICES[1])}", [3, 1]),
        ("status=1", [2]),
        ("status=4", [3]),
        (f"provider={ASKER}", []),
    ],
)
def test_demands__by_a_filter__are_those_that_match(client: TestClient, query: str, ids: list[int]) -> None:
    assert [row["demandId"] for row in listed(client, query)] == [to_hex(IDS[n]) for n in ids]


def test_demands__in_pages__are_each_there_once_newest_first(client: TestClient) -> None:
    found, cursor = [], ""
    while cursor is not None:
        answer = client.get(f"/v1/demands?limit=1&cursor={cursor}").json()
        found += [row["demandId"] for row in answer["data"]]
        cursor = answer["next"]
    assert found == [to_hex(IDS[n]) for n in (3, 2, 1, 0)]


def test_demands__rolled_back__are_open_again(index: MarketIndex, client: TestClient) -> None:
    index.roll_back(11)
    assert [row["status"] for row in listed(client, "")] == [1, 1, 1, 1]


def test_answers__of_devices_that_no_report_names__are_none(index: MarketIndex, client: TestClient) -> None:
    with index.engine.connect() as connection:
        found = answers(connection, DEVICES)
    assert (found.epochs, found.lines) == ([], [(d, []) for d in DEVICES])

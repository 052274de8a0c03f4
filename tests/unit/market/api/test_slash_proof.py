"""The proof behind a slash is kept with its transaction and served with what a recomputation takes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from fastapi.testclient import TestClient

from assay.market.api.app import create_app
from assay.market.api.context import Context, Links
from assay.market.api.status import Status
from assay.market.events.fault_events import FaultProven, WrongElementShown
from assay.market.follow.index import LogBatch, MarketIndex
from assay.market.queries.search import SearchTable
from assay.protocol.hexadecimal import to_hex
from tests.unit.market.scenario import (
    DEVICES,
    PROVIDERS,
    SEATS,
    account,
    device_leaves,
    epoch_events,
    founding,
    h,
    logs_of,
    tip,
)

FAULTS, ORACLE, SAFE = account("fault proofs"), account("oracle"), account("somebody's safe")
PROOF = to_hex(h("transaction 12"))


def decode(target: str, calldata: bytes) -> tuple[str, Mapping[str, Any]] | None:
    if target != FAULTS:
        return None
    commitment = {"epoch": 1, "deviceId": DEVICES[0], "resultRoot": h("result")}
    round_ = {"t": 2, "seed": h("seed"), "root": h("root"), "path": [h("sibling")]}
    element = {"i": 3, "j": 4, "chunk": b"\x01" * 128, "path": [h("a"), h("b")]}
    return "proveWrongElement", {"c": commitment, "round": round_, "element": element, "salt": h("salt")}


@pytest.fixture(params=[FAULTS, SAFE])
def client(request: pytest.FixtureRequest, index: MarketIndex) -> TestClient:
    events = [
        *founding(),
        *epoch_events(1, 6, device_leaves(1)),
        (12, FaultProven(1, DEVICES[0], 1, PROVIDERS[0], 10**18, 1, account("watcher"))),
        (12, WrongElementShown(DEVICES[0], 1, 2, 3, 4, 11, -7)),
    ]
    calls = {h("transaction 12"): (request.param, b"\x12\x34")}
    index.apply(LogBatch(logs_of(events), {1: SEATS}, tip(13), calls))
    links = Links(decode=decode, contracts={"EpochOracle": ORACLE})
    context = Context(index.engine, Status("test", 31337), SearchTable(index.engine), links=links)
    return TestClient(create_app(context, rate=1e9, burst=1 << 30, pages=False))


@pytest.mark.parametrize("client", [FAULTS], indirect=True)
def test_proof__of_a_wrong_element__is_served_with_seeds_paths_and_shape(client: TestClient) -> None:
    data = client.get(f"/v1/slashes/{PROOF}/proof").json()["data"]
    element = data["element"]
    assert data["function"] == "proveWrongElement"
    assert data["arguments"]["round"]["t"] == "2"
    assert (element["t"], element["i"], element["j"]) == (2, 3, 4)
    assert (element["claimed"], element["correct"]) == (11, -7)
    assert element["profile"] == {"M": 64, "N": 64, "K": 64, "T": 4, "chunk": 32}
    assert (element["beacon"], element["epochSeed"]) == (to_hex(h("beacon 1")), to_hex(h("seed 1")))
    assert element["chunkPath"] == [to_hex(h("a")), to_hex(h("b"))]
    assert (element["chainId"], element["oracle"]) == (31337, ORACLE)


@pytest.mark.parametrize("client", [SAFE], indirect=True)
def test_proof__that_reached_the_contract_through_another__is_not_made_up(client: TestClient) -> None:
    answer = client.get(f"/v1/slashes/{PROOF}/proof")
    assert answer.status_code == 404
    assert "no proof that this market can read" in answer.json()["error"]


@pytest.mark.parametrize("client", [FAULTS], indirect=True)
def test_proof__of_another_transaction__is_not_there(client: TestClient) -> None:
    assert client.get(f"/v1/slashes/{to_hex(h('other'))}/proof").status_code == 404

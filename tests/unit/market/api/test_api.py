"""The API over a small index."""

from __future__ import annotations

from typing import Any

import pytest
from fastapi.testclient import TestClient

from assay.market.api.app import create_app
from assay.market.api.context import Context
from assay.market.api.status import Status
from assay.market.follow.content_follower import ContentFollower
from assay.market.follow.index import MarketIndex
from assay.market.queries.search import SearchTable
from assay.protocol.hexadecimal import parse_bytes32, to_hex
from assay.protocol.leaves import DeviceLeaf, RewardLeaf
from assay.protocol.standard_merkle import verify
from tests.unit.market.follow.test_content import Served
from tests.unit.market.follow.test_offers import market  # noqa: F401 - a fixture
from tests.unit.market.scenario import DEVICES, ORACLE, PROVIDERS, RENTER, VALIDATORS, batch, opened, timestamp


@pytest.fixture
async def client(market: MarketIndex) -> TestClient:  # noqa: F811
    await ContentFollower(market, Served(), ORACLE).step()
    market.apply(batch([(13, opened(1))], 14))
    status = Status("test", 31337, clock=lambda: timestamp(15))
    status.move(market.tip(), 14)
    return TestClient(
        create_app(Context(market.engine, status, SearchTable(market.engine)), rate=1e9, burst=1 << 30, pages=False)
    )


def get(client: TestClient, path: str) -> Any:
    answer = client.get(path)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_search__by_price__pages_through_every_device_once_in_order(client: TestClient) -> None:
    found, path = [], "/v1/listings?limit=1"
    while True:
        answer = get(client, path)
        assert answer["at"] == {
            "network": "test",
            "chainId": 31337,
            "block": 14,
            "timestamp": timestamp(14),
            "lagBlocks": 0,
            "lagSeconds": 12,
            "stale": False,
        }
        found += answer["data"]
        if answer["next"] is None:
            break
        path = f"/v1/listings?limit=1&cursor={answer['next']}"
    assert len(found) == 4
    rates = [int(row["rate"]) for row in found]
    assert rates == sorted(rates)


@pytest.mark.parametrize(
    "query, expected",
    [
        ("model=H100", 2),
        ("model=H100&model=RTX%204090", 4),
        ("model=none", 0),
        ("model=nvidia_h100%2080gb", 2),
        ("model=rtx_4090&minMemoryGb=24", 2),
        ("model=a10", 0),
        ("minMemoryGb=80", 2),  # what 81,920 MiB are sold as
        ("minMemoryGb=81", 0),
        ("minOfExpectedBps=3000&sort=expected", 2),  # of what their class lets them score
        ("sort=sold-memory", 4),
        ("min=memoryGb:80&min=scoreGops:1", 2),
        ("max=scoreGops:100&sort=scoreGops", 1),
        ("min=cuda:12.4", 0),
        ("minScoreGops=300", 2),
        ("maxRate=100000000000000000000", 1),
        ("state=leased", 0),
        ("state=all&sort=score", 4),
        (f"provider={PROVIDERS[0].lower()}", 2),
        ("minMemoryGiB=20", 0),  # what is only declared is no memory
        ("gpus=1", 4),
        ("gpus=2&gpus=8", 0),
        ("firm=true&sort=gpus", 4),
        ("minReliabilityBps=10000&sort=reliability", 4),
        ("minHours=2", 0),
    ],
)
def test_search__by_filters__gives_the_devices_that_match(client: TestClient, query: str, expected: int) -> None:
    assert len(get(client, f"/v1/listings?{query}")["data"]) == expected


def test_listing__as_it_is_served__says_of_every_value_whose_word_it_is(client: TestClient) -> None:
    for row in get(client, "/v1/listings?model=h100")["data"]:
        assert row["sheet"]["scoreGops"] == {"value": row["scoreGops"], "unit": "Gop/s", "source": "proven", "by": 0}
        assert row["sheet"]["memoryGb"] == {"value": 80, "unit": "GB", "source": "declared", "by": 0}
        assert row["sheet"]["uptimeBps"]["source"] == "testimony"
        assert ("memoryMib" in row["sheet"]) == row["memoryProven"]
        same = get(client, f"/v1/listings/{row['listingId']}")["data"]["listing"]
        assert same["sheet"] == row["sheet"]
        assert get(client, f"/v1/devices/{row['listingId']}")["data"]["listing"] == same


def test_facets__beside_a_choice__count_what_another_would_bring(client: TestClient) -> None:
    counts = get(client, "/v1/facets?model=H100")["data"]
    assert counts["total"] == 2
    assert counts["facets"]["model"] == {"H100 80GB": 2, "RTX 4090": 2}


@pytest.mark.parametrize(
    "path",
    [
        "/v1/listings?cursor=AAAA",
        "/v1/listings?cursor=WzEsMl0",
        "/v1/listings?sort=luck",
        "/v1/listings?min=luck:1",
        "/v1/listings?max=scoreGops",
        "/v1/leases?cursor=x",
    ],
)
def test_search__that_makes_no_sense__is_refused_with_the_reason(client: TestClient, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 400
    assert answer.json()["error"]


def test_device_proof__of_a_report_leaf__leads_to_the_root_on_the_chain(client: TestClient) -> None:
    proof = get(client, f"/v1/epochs/1/devices/{to_hex(DEVICES[2])}")["data"]
    leaf = [parse_bytes32(v) if isinstance(v, str) else v for v in proof["leaf"]]
    siblings = [parse_bytes32(s) for s in proof["proof"]]
    assert verify(parse_bytes32(proof["root"]), DeviceLeaf.TYPES, leaf, siblings)
    leaf[4] += 1
    assert not verify(parse_bytes32(proof["root"]), DeviceLeaf.TYPES, leaf, siblings)
    assert proof["root"] == get(client, "/v1/epochs/1")["data"]["epoch"]["devicesRoot"]


def test_reward_proof__of_an_account__leads_to_the_root_on_the_chain(client: TestClient) -> None:
    proof = get(client, f"/v1/epochs/1/rewards/{VALIDATORS[1]}")["data"]
    leaf = (proof["leaf"][0], int(proof["leaf"][1]))
    siblings = [parse_bytes32(s) for s in proof["proof"]]
    assert verify(parse_bytes32(proof["root"]), RewardLeaf.TYPES, leaf, siblings)


def test_device__with_its_parts__is_shown_whole(client: TestClient) -> None:
    data = get(client, f"/v1/devices/{to_hex(DEVICES[0])}")["data"]
    assert data["device"]["provider"] == PROVIDERS[0]
    assert data["listing"]["state"] == "available"
    assert data["specification"]["model"] == "H100"
    assert [offer["rate"] for offer in data["offers"]] == [str(10**20)]
    assert data["profile"]["stake"] == str(10**18)
    assert [m["epoch"] for m in get(client, f"/v1/devices/{to_hex(DEVICES[0])}/measurements")["data"]] == [1]


def test_account__of_a_renter__lists_its_events(client: TestClient) -> None:
    assert get(client, f"/v1/accounts/{RENTER.lower()}")["data"]["leasesAsRenter"] == 1
    events = get(client, f"/v1/accounts/{RENTER}/events")["data"]
    assert [e["name"] for e in events] == ["LeaseOpened"]
    same = get(client, f"/v1/transactions/{events[0]['transaction']}")["data"]
    assert same == events


@pytest.mark.parametrize(
    "path", ["/v1/devices/0x" + "00" * 32, "/v1/leases/9", "/v1/epochs/99", "/v1/offers/0x" + "00" * 32]
)
def test_anything__not_there__is_a_404_with_the_reason(client: TestClient, path: str) -> None:
    answer = client.get(path)
    assert (answer.status_code, bool(answer.json()["error"])) == (404, True)


def test_answers__asked_for_again__are_not_sent_again_until_the_index_moves(client: TestClient) -> None:
    first = client.get("/v1/listings")
    again = client.get("/v1/listings", headers={"if-none-match": first.headers["etag"]})
    assert again.status_code == 304
    status = client.app.state.context.status  # type: ignore[attr-defined]
    status.took_in()
    assert client.get("/v1/listings", headers={"if-none-match": first.headers["etag"]}).status_code == 200


def test_states__of_an_answer__have_names_beside_their_numbers(client: TestClient) -> None:
    assert [(row["status"], row["statusName"]) for row in get(client, "/v1/leases")["data"]] == [(1, "pending")]
    epoch = get(client, "/v1/epochs/1")["data"]["epoch"]
    assert (epoch["phase"], epoch["phaseName"]) == (4, "reported")
    device = get(client, f"/v1/devices/{to_hex(DEVICES[0])}")["data"]["device"]
    assert (device["status"], device["statusName"]) == (1, "active")


def test_series__of_the_network__counts_what_each_epoch_opened_and_leased(client: TestClient) -> None:
    series = get(client, "/v1/network/series")["data"]
    assert [point["epoch"] for point in series] == sorted(point["epoch"] for point in series)
    assert sum(point["leasesOpened"] for point in series) == 1
    for point in series:
        there = point["passed"] + point["leased"]
        assert point["utilisationBps"] == (point["leased"] * 10_000 // there if there else 0)


def test_readyz__behind_or_before_a_chain_that_stands_still__says_so_and_not_for_a_head_that_moved(
    client: TestClient,
) -> None:
    status, now = client.app.state.context.status, timestamp(15)  # type: ignore[attr-defined]
    status.clock = lambda: now
    status.move(status.tip, 20)
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json()["lagBlocks"], answer.json()["reason"]) == (200, 6, "")
    now += 61
    status.move(status.tip, 20)
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json()["reason"]) == (503, "the index is 6 blocks behind the chain")
    assert "assay_market_lag_blocks 6.0" in client.get("/metrics").text
    status.move(status.tip, 14)
    assert "no block has become final" in client.get("/readyz").json()["reason"]
    status.stale_after = 600
    assert client.get("/readyz").status_code == 200
    assert client.get("/v1/network").json()["at"]["stale"] is False
    now += 61
    assert "the chain was last read 61 s ago" in client.get("/readyz").json()["reason"]


def test_rate_limit__used_up__answers_429_with_a_time_to_wait(client: TestClient) -> None:
    app = create_app(client.app.state.context, rate=0.001, burst=1, pages=False)  # type: ignore[attr-defined]
    limited = TestClient(app)
    assert limited.get("/v1/network").status_code == 200
    answer = limited.get("/v1/network")
    assert answer.status_code == 429
    assert int(answer.headers["retry-after"]) > 100
    assert limited.get("/livez").status_code == 200

"""What the search box finds, and what is said of a search that is none."""

from __future__ import annotations

import pytest
from fastapi.testclient import TestClient

from assay.market.api.app import create_app
from assay.market.api.context import Context
from assay.market.api.status import Status
from assay.market.follow.index import MarketIndex
from assay.market.queries.search import SearchTable
from tests.unit.market.follow.test_offers import market  # noqa: F401 - a fixture
from tests.unit.market.scenario import DEVICES, PROVIDERS, RENTER, batch, opened, timestamp


@pytest.fixture
def client(market: MarketIndex) -> TestClient:  # noqa: F811
    market.apply(batch([(13, opened(1))], 14))
    status = Status("test", 31337, clock=lambda: timestamp(15))
    status.move(market.tip(), 14)
    context = Context(market.engine, status, SearchTable(market.engine))
    return TestClient(create_app(context, rate=1e9, burst=1 << 30), follow_redirects=False)


DEVICE = DEVICES[0].hex()


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("1", "/leases/1"),
        ("#1", "/leases/1"),
        ("lease 1", "/leases/1"),
        ("Lease #1", "/leases/1"),
        ("epoch 1", "/epochs/1"),
        ("epoch 340", "/epochs/340"),
        (f"0x{DEVICE}", f"/devices/0x{DEVICE}"),
        (f"0x{DEVICE[:6]}", f"/devices/0x{DEVICE}"),
        (f"0x{DEVICE[:6]}…{DEVICE[-4:]}", f"/devices/0x{DEVICE}"),
        (DEVICE[:10].upper(), f"/devices/0x{DEVICE}"),
        (RENTER[:10].lower(), f"/accounts/{RENTER}"),
        (PROVIDERS[0], f"/accounts/{PROVIDERS[0].lower()}"),
        ("H100", "/?state=all&model=H100"),
        ("h100", "/?state=all&model=h100"),
        ("RTX_4090", "/?state=all&model=RTX_4090"),
        ("4090", "/?state=all&model=4090"),
        ("", "/"),
    ],
)
def test_lookup__of_a_name_a_beginning_a_number_or_a_model__leads_there(
    client: TestClient, text: str, path: str
) -> None:
    answer = client.get("/lookup", params={"q": text})
    assert (answer.status_code, answer.headers.get("location")) == (303, path)


@pytest.mark.parametrize("text", ["nothing", "0x12345678", "77", "0xzz", "%", "h10"])
def test_lookup__of_nothing__says_what_can_be_looked_for(client: TestClient, text: str) -> None:
    answer = client.get("/lookup", params={"q": text})
    assert answer.status_code == 404
    assert "Look for a name or its beginning" in answer.text


@pytest.mark.parametrize(
    ("query", "status", "words"),
    [
        ("minScoreGops=1.5", 422, "minScoreGops: input should be a valid integer"),
        ("maxRate=cheap", 422, "maxRate: string should match pattern"),
        ("sort=beauty", 400, "expected one of"),
        ("cursor=x", 400, "start again without it"),
    ],
)
def test_search__that_is_none__is_told_in_the_form_that_was_asked_for(
    client: TestClient, query: str, status: int, words: str
) -> None:
    page = client.get(f"/?{query}")
    assert (page.status_code, page.headers["content-type"]) == (status, "text/html; charset=utf-8")
    assert words in page.text and "<header" in page.text
    part = client.get(f"/?{query}", headers={"hx-request": "true"})
    assert part.status_code == status
    assert words in part.text and "<header" not in part.text
    answer = client.get(f"/v1/listings?{query}")
    assert (answer.status_code, list(answer.json())) == (status, ["error"])
    assert words in answer.json()["error"]


def test_filter__misspelt__is_refused_by_the_api_and_told_on_the_page(client: TestClient) -> None:
    answer = client.get("/v1/listings?modle=H100")
    assert answer.status_code == 422
    assert answer.json()["error"].startswith("modle: no such parameter; there are cursor, firm, gpus")
    assert client.get("/v1/leases/1?limit=5").status_code == 422
    assert "not applied: modle" in client.get("/?modle=H100").text
    assert "not applied" not in client.get("/?model=H100").text


def test_answers__asked_for_by_another_site__may_be_read_there(client: TestClient) -> None:
    answer = client.get("/v1/network", headers={"origin": "https://elsewhere.example"})
    assert answer.headers["access-control-allow-origin"] == "*"
    asked = client.options(
        "/v1/network", headers={"origin": "https://elsewhere.example", "access-control-request-method": "GET"}
    )
    assert asked.status_code == 200
    posts = {"origin": "https://elsewhere.example", "access-control-request-method": "POST"}
    assert client.options("/relay/v1/leases/1/jobs", headers=posts).status_code == 400

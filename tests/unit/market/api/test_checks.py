"""Renters' signed results: taken from who paid for a lease on the chain, and from nobody else."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from fastapi.testclient import TestClient

from assay.market.api.app import create_app
from assay.market.api.context import Context
from assay.market.api.status import Status
from assay.market.events.lease_events import LeaseStarted
from assay.market.events.record import Address, Event
from assay.market.follow.check_book import CheckBook
from assay.market.follow.index import MarketIndex
from assay.market.queries.search import SearchTable
from assay.protocol.hexadecimal import to_hex
from assay.protocol.messages import CheckResult
from assay.protocol.signing import Domain, address_of
from assay.wire.checks import SignedCheck
from tests.unit.market.scenario import DEVICES, PROVIDER_KEYS, PROVIDERS, account, batch, founding, h, opened, timestamp

ESCROW = Domain(31337, account("escrow"))
KEYS = tuple(h(f"renter key {n}") for n in range(3))
RENTERS = tuple(Address(address_of(key)) for key in KEYS)
OPENED, NOW = 10, 80  # blocks of 12 s: 14 minutes later
RESULT = CheckResult(1, timestamp(NOW - 1), gpus=1, score_gops=90, disk_read_mbs=2_000)


def begun(lease: int, renter: Address, block: int, provider: int = 0, rate: int = 10**20) -> list[tuple[int, Event]]:
    """A lease of this renter that has run since this block."""
    started = LeaseStarted(lease, bytes(32), timestamp(block), timestamp(block) + 3_600, 1)
    return [(block, replace(opened(lease, provider, rate=rate), renter=renter)), (block, started)]


@pytest.fixture
def client(index: MarketIndex) -> TestClient:
    index.apply(batch(founding(), 5, seats=True))
    events = [
        *begun(1, RENTERS[0], OPENED),
        *begun(2, RENTERS[1], OPENED),
        *begun(3, RENTERS[0], OPENED),
        *begun(4, PROVIDERS[0], OPENED),
        (OPENED, replace(opened(5), renter=RENTERS[2])),  # never started
        *begun(6, RENTERS[2], NOW - 1),  # of seconds
        *begun(7, RENTERS[2], OPENED, rate=0),
    ]
    index.apply(batch(events, NOW))
    status = Status("test", 31337, clock=lambda: timestamp(NOW))
    status.move(index.tip(), NOW)
    context = Context(index.engine, status, SearchTable(index.engine), checks=CheckBook(index, ESCROW))
    return TestClient(create_app(context, rate=1e9, burst=1 << 30, pages=False))


def signed(result: CheckResult = RESULT, key: bytes = KEYS[0], domain: Domain = ESCROW) -> dict[str, Any]:
    return SignedCheck(result, result.sign(domain, key)).to_json()


def kept(client: TestClient, device: int = 0) -> list[Any]:
    return list(client.get(f"/v1/devices/{to_hex(DEVICES[device])}/checks").json()["data"])


def refused(client: TestClient, body: Any) -> str:
    before = kept(client)
    answer = client.post("/v1/checks", json=body)
    assert answer.status_code == 422 and kept(client) == before, answer.text
    return str(answer.json()["error"])


def test_take__from_who_paid_for_the_lease__is_shown_as_one_renters_word(client: TestClient) -> None:
    assert client.post("/v1/checks", json=signed()).status_code == 200
    (row,) = kept(client)
    assert (row["leaseId"], row["renter"], row["scoreGops"]) == (1, RENTERS[0], 90)
    # Whoever asks can check it: the same bytes under the same signature.
    again = SignedCheck.from_json(signed())
    assert row["signature"] == to_hex(again.signature) and again.signer(ESCROW) == RENTERS[0]
    for path in ("devices", "listings"):
        said = client.get(f"/v1/{path}/{to_hex(DEVICES[0])}").json()["data"]["testimony"]
        assert said["scoreGops"] == {"value": 90, "unit": "Gop/s", "source": "renters", "by": 1}
        assert set(said) == {"gpus", "scoreGops", "diskReadMbs"}
    assert kept(client, 2) == []


def test_take__of_two_renters__each_counts_once_and_the_median_stands(client: TestClient) -> None:
    for result, key in (
        (RESULT, KEYS[0]),
        (replace(RESULT, lease_id=3, checked_at=RESULT.checked_at + 1, disk_read_mbs=500), KEYS[0]),
        (replace(RESULT, lease_id=2, disk_read_mbs=900), KEYS[1]),
    ):
        assert client.post("/v1/checks", json=signed(result, key)).status_code == 200
    said = client.get(f"/v1/devices/{to_hex(DEVICES[0])}").json()["data"]["testimony"]
    assert len(kept(client)) == 3
    assert (said["diskReadMbs"]["value"], said["diskReadMbs"]["by"]) == (500, 2)


def test_take__of_somebody_elses_lease__is_refused(client: TestClient) -> None:
    assert "was opened by" in refused(client, signed(key=KEYS[1]))


def test_take__of_a_providers_own_lease__is_refused(client: TestClient) -> None:
    assert "provider's own" in refused(client, signed(replace(RESULT, lease_id=4), PROVIDER_KEYS[0]))


@pytest.mark.parametrize(
    "lease, why",
    [(5, "has not started"), (6, "12 s of the lease have been paid for"), (7, "costs nothing"), (99, "no lease 99"),
     (1 << 80, "no lease")],
)  # fmt: skip
def test_take__of_a_lease_that_was_not_paid_for__is_refused(client: TestClient, lease: int, why: str) -> None:
    assert why in refused(client, signed(replace(RESULT, lease_id=lease), KEYS[2]))


def test_take__forged_or_changed_on_the_way__is_refused(client: TestClient) -> None:
    body = signed()
    assert "was opened by" in refused(client, body | {"scoreGops": 91})
    assert "was opened by" in refused(client, signed(domain=Domain(1, ESCROW.verifying_contract)))
    assert "was opened by" in refused(client, signed(domain=Domain(31337, account("oracle"))))
    for bad in ("0x" + "00" * 64, "0x" + "ff" * 64, "0x12", "", "z"):
        refused(client, body | {"signature": bad})


def test_take__a_second_one_for_a_lease__only_a_newer_one_takes_its_place(client: TestClient) -> None:
    newer = replace(RESULT, checked_at=RESULT.checked_at + 5, score_gops=10)
    for body in (signed(), signed(), signed(newer)):
        assert client.post("/v1/checks", json=body).status_code == 200
    assert [row["scoreGops"] for row in kept(client)] == [10]
    # A replay of the older one, and another of the same second.
    assert "only a newer one" in refused(client, signed())
    assert "only a newer one" in refused(client, signed(replace(newer, score_gops=99)))


@pytest.mark.parametrize("at", [0, timestamp(OPENED) - 1, timestamp(NOW) + 121, 1 << 63])
def test_take__made_before_the_lease_or_in_days_to_come__is_refused(client: TestClient, at: int) -> None:
    assert "checkedAt" in refused(client, signed(replace(RESULT, checked_at=at)))


def test_take__off_its_form_or_too_large__is_refused_and_nothing_is_kept(client: TestClient) -> None:
    body = signed()
    for bad in (
        {}, [], "x", 3, None, body | {"luck": 1}, {**body, "scoreGops": -1}, {**body, "scoreGops": "1e9"},
        {**body, "scoreGops": 1 << 64}, {**body, "leaseId": None}, {**body, "scoreGops": True},
    ):  # fmt: skip
        refused(client, bad)
    assert "beyond" in refused(client, signed(replace(RESULT, score_gops=1 << 63)))
    assert client.post("/v1/checks", content=b"x" * (65 << 10)).status_code == 413
    assert client.post("/v1/checks", content=b"[" * (60 << 10)).status_code in (400, 422)
    assert kept(client) == []


def test_rollback__below_what_a_result_stands_on__takes_it_away(client: TestClient, index: MarketIndex) -> None:
    assert client.post("/v1/checks", json=signed()).status_code == 200
    index.roll_back(5)
    assert kept(client) == []

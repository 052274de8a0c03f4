"""What a renter of several devices sees over HTTP: offers, proofs, the start, jobs, notice."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from eth_utils.address import to_checksum_address

from assay.chain.contracts.leases import Lease, LeaseStatus
from assay.protocol.hexadecimal import to_hex
from assay.protocol.keccak import keccak
from assay.protocol.messages import LeaseStart, Offer
from assay.protocol.signing import expand, signed_by
from assay.provider.devices.device import OwnDevice
from assay.provider.errors import Conflict, Unavailable
from assay.wire.measurement import live_digest
from tests.unit.provider.api_bench import CONTRACT, NOW, ROOTS, Api, login_of_a_contract, serving
from tests.unit.provider.conftest import DEVICES, ESCROW, NODE, OFFER, PROVIDER, ChainFake, key, lease_on


@pytest.fixture
async def api(tmp_path: Path, chain: ChainFake, device: OwnDevice, lease: Lease) -> AsyncIterator[Api]:
    async with serving(tmp_path, chain, device, lease) as one:
        yield one


def node_runs(api: Api, **changes: Any) -> Lease:
    """Lease 3 is one of a whole node, and runs."""
    api.chain.offers[3] = NODE
    running = {"status": LeaseStatus.ACTIVE, "rate": NODE.rate, "start": NOW - 10, "stop": NOW + 100, "devices": 3}
    api.chain.leases[3] = lease_on(NODE, **{**running, "notice": NODE.notice, **changes})
    return api.chain.leases[3]


async def test_jobs__of_a_node__get_all_its_cards_and_as_many_times_the_machine(api: Api) -> None:
    node_runs(api)
    for number in range(12):
        assert (await api.job(environment={"N": str(number)})).status_code == 200
    refused = await api.job(environment={"N": "last"})
    assert refused.status_code == 409 and "12 jobs" in refused.json()["error"]
    workload = api.jobs.shell_workload(3, NOW + 100.0, ("sh",))
    assert workload.gpus == tuple(f"gpu={one[:2].hex()}" for one in NODE.device_ids)
    assert (workload.limits.disk_bytes, workload.limits.processors) == (30_000, 3.0)
    assert (await api.signed("PUT", "/files/a", bytes(29_000))).status_code == 200


async def test_lease__notice_given__is_told_with_the_second_it_runs_out(api: Api) -> None:
    node_runs(api)
    told = (await api.signed("GET", "")).json()
    assert (told["notice"], told["noticeAt"], told["endsFrom"], told["leftEarly"]) == (600, None, None, False)
    assert told["deviceIds"] == [to_hex(one) for one in NODE.device_ids]
    node_runs(api, notice_at=NOW - 5)
    told = (await api.signed("GET", "", at=NOW + 1)).json()
    assert (told["noticeAt"], told["endsFrom"]) == (NOW - 5, NOW + 595)


def pending(api: Api, offer: Offer = NODE) -> Lease:
    api.chain.offers[3] = offer
    api.chain.leases[3] = lease_on(offer)
    return api.chain.leases[3]


async def handed_over(api: Api, device_id: bytes, at: int = NOW) -> httpx2.Response:
    body = json.dumps({"nonce": to_hex(keccak(b"x")), "deviceId": to_hex(device_id)}).encode()
    return await api.signed("POST", "/handover", body, at=at)


async def test_handover__bond_is_not_there__refused_with_its_values_before_any_work(api: Api) -> None:
    pending(api)
    reason = "the bond is 12 USD; 0x33 has 5 of bond credit"
    api.conditions.obstacle = Unavailable(reason)
    answer = await handed_over(api, NODE.device_ids[0])
    assert (answer.status_code, answer.json()["error"]) == (503, reason)
    assert (await api.signed("GET", "")).json()["obstacle"] == reason


async def test_handover__all_devices_of_a_node__the_chain_is_asked_once(api: Api) -> None:
    pending(api)
    assert (await api.signed("GET", "")).json()["obstacle"] is None
    for at, device_id in enumerate(NODE.device_ids):
        answer = await handed_over(api, device_id, NOW + at)
        assert answer.json()["deviceId"] == to_hex(device_id)
    assert api.conditions.looked == 1
    body = json.dumps({"x": to_hex(keccak(b"y")), "deviceId": to_hex(NODE.device_ids[1])}).encode()
    assert (await api.signed("POST", "/handover/opening", body)).content == NODE.device_ids[1] + keccak(b"y")


async def started(
    api: Api,
    lease: Lease,
    offer: Offer,
    roots: bytes = ROOTS,
    signer: str = "renter",
    until: int = NOW + 600,
    signed_offer: Offer | None = None,
    at: int = NOW,
) -> httpx2.Response:
    word = LeaseStart(lease.lease_id, (signed_offer or offer).struct_hash(), roots, until)
    body = {"resultRoots": to_hex(roots), "validUntil": until, "signature": to_hex(word.sign(ESCROW, key(signer)))}
    return await api.signed("POST", "/start", json.dumps(body).encode(), at=at)


async def test_start__renters_word_for_these_proofs__bond_and_offer_go_to_the_escrow(api: Api) -> None:
    lease = pending(api)
    assert (await started(api, lease, NODE)).status_code == 200
    ((sent, offer, roots, until, signature),) = api.escrow.started
    assert (sent, offer, roots, until, len(signature)) == (lease, NODE, ROOTS, NOW + 600, 64)


async def test_start__signed_by_a_browsers_wallet__in_its_own_form_is_taken_too(api: Api) -> None:
    lease = pending(api)
    word = LeaseStart(3, NODE.struct_hash(), ROOTS, NOW + 600)
    long = expand(word.sign(ESCROW, key("renter")))
    body = {"resultRoots": to_hex(ROOTS), "validUntil": NOW + 600}
    for forged in (long[:64] + bytes([55 - long[64]]), long[:64] + b"\x05", long + b"\x00"):
        answer = await api.signed("POST", "/start", json.dumps({**body, "signature": to_hex(forged)}).encode())
        assert answer.status_code == 401, forged[64:]
    answer = await api.signed("POST", "/start", json.dumps({**body, "signature": to_hex(long)}).encode())
    assert answer.status_code == 200
    assert api.escrow.started[0][0] == lease and api.escrow.started[0][4] == long


@pytest.mark.parametrize(
    ("changes", "status", "said"),
    [
        ({"roots": keccak(b"other")}, 409, "handed over were"),
        ({"signer": "stranger"}, 401, "not signed by"),
        ({"signed_offer": OFFER}, 401, "not signed by"),  # a word for another offer under the same number
        ({"until": NOW}, 409, "which is over"),
    ],
)
async def test_start__word_for_something_else__nothing_is_sent(
    api: Api, changes: dict[str, Any], status: int, said: str
) -> None:
    answer = await started(api, pending(api), NODE, **changes)
    assert answer.status_code == status and said in answer.json()["error"]
    assert api.escrow.started == []


async def test_start__bond_spent_since_the_handover__nothing_is_sent(api: Api) -> None:
    lease = pending(api)
    api.conditions.obstacle = Conflict("device 0x12 is leased until 99 (lease 8)")
    answer = await started(api, lease, NODE)
    assert answer.status_code == 409 and "lease 8" in answer.json()["error"]
    api.chain.leases[3] = lease_on(NODE, status=LeaseStatus.ACTIVE)
    assert "is active" in (await started(api, lease, NODE, at=NOW + 1)).json()["error"]
    assert api.escrow.started == []


async def test_start__renter_is_a_contract__its_own_kind_of_signature_is_passed_on(api: Api) -> None:
    api.chain.contract = to_checksum_address(CONTRACT)
    pending(api)
    word = LeaseStart(3, NODE.struct_hash(), ROOTS, NOW + 600)
    api.chain.leases[3] = lease_on(NODE, renter=api.chain.contract)
    token = (await login_of_a_contract(api, api.chain.contract)).json()["token"]
    body = {"resultRoots": to_hex(ROOTS), "validUntil": NOW + 600, "signature": to_hex(word.digest(ESCROW) * 20)}
    headers = {"authorization": f"Bearer {token}"}
    assert (await api.client.post("/v1/leases/3/start", json=body, headers=headers)).status_code == 200
    assert api.escrow.started[0][4] == word.digest(ESCROW) * 20


@pytest.mark.parametrize(
    "body",
    [
        {"deviceIds": []},
        {"deviceIds": ["0x" + "11" * 32] * 17},
        {"deviceIds": "0x" + "11" * 32},
        {"deviceIds": ["0x11"]},
        {"deviceId": "0x" + "11" * 32},
        {},
    ],
)
async def test_quotes__devices_off_their_form__are_refused(api: Api, body: dict[str, Any]) -> None:
    answer = await api.client.post("/v1/quotes", json={"renter": PROVIDER, "seconds": 60, **body})
    assert answer.status_code in (400, 422) and answer.json()["error"]


async def test_live__each_device_of_a_leased_node__signs_for_itself(api: Api) -> None:
    node_runs(api)
    nonce = keccak(b"nonce")
    for one in DEVICES:
        answer = (await api.client.get(f"/v1/devices/{one.name}/live?nonce={to_hex(nonce)}")).json()
        signature = bytes.fromhex(answer["signature"][2:])
        assert [signed_by(live_digest(one.device_id, nonce), signature, other.address) for other in DEVICES] == [
            other is one for other in DEVICES
        ]
        told = (await api.client.get(f"/v1/devices/{one.name}")).json()
        assert (told["served"], told["lease"]) == (True, 3)

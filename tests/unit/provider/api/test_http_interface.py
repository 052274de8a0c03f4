"""The HTTP interface from outside: limits, authentication, errors. In process, without a socket."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx2
import pytest

from assay.chain.contracts.leases import Lease, LeaseStatus
from assay.network.body_limit import BodyLimit
from assay.protocol.hexadecimal import to_hex
from assay.protocol.keccak import keccak
from assay.protocol.messages import LeaseRequest, Wiped
from assay.protocol.signing import signed_by
from assay.provider.api.json_bodies import body_limit
from assay.provider.devices.device import OwnDevice
from assay.provider.runtime.workload import output_path
from assay.wire.measurement import live_digest
from tests.unit.provider.api_bench import NOW, Api, serving
from tests.unit.provider.conftest import DEVICE_ADDRESS, DEVICE_ID, ESCROW, NODE, PROVIDER, ChainFake, key, lease_on


@pytest.fixture
async def api(tmp_path: Path, chain: ChainFake, device: OwnDevice, lease: Lease) -> AsyncIterator[Api]:
    async with serving(tmp_path, chain, device, lease) as one:
        yield one


async def test_jobs__renters_request__starts_one_with_its_files_until_the_stop(api: Api, tmp_path: Path) -> None:
    files = {"in/a.txt": base64.b64encode(b"content").decode()}
    answer = await api.job(files=files, environment={"A": "1"})
    assert answer.status_code == 200
    assert list(api.runtime.running.values()) == [NOW + 100]
    assert (tmp_path / "leases/3/workspace/in/a.txt").read_bytes() == b"content"
    state = (await api.signed("GET", f"/jobs/{answer.json()['jobId']}")).json()
    assert (state["status"], state["exitCode"]) == ("running", None)


STRANGERS: list[tuple[dict[str, Any], int]] = [
    ({"signer": "stranger"}, 403),
    ({"signer": "provider"}, 403),
    ({"at": NOW - 121}, 401),
    ({"lease_id": 4}, 403),
]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/jobs"), ("GET", "/jobs"), ("GET", "/jobs/x"), ("DELETE", "/jobs/x"), ("GET", "/jobs/x/output"),
        ("GET", "/files"), ("GET", ""), ("POST", "/notebook"), ("GET", "/files/a"), ("PUT", "/files/a"),
        ("POST", "/handover"), ("POST", "/handover/opening"), ("POST", "/start"),
    ],
)  # fmt: skip
async def test_every_lease_route__not_its_renter__gets_401_or_403_and_nothing_more(
    api: Api, method: str, path: str
) -> None:
    bodies = {
        "/jobs": b'{"command":["true"]}',
        "/notebook": b"{}",
        "/handover": json.dumps({"nonce": "0x" + "00" * 32, "deviceId": to_hex(DEVICE_ID)}).encode(),
        "/handover/opening": json.dumps({"x": "0x" + "00" * 32, "deviceId": to_hex(DEVICE_ID)}).encode(),
        "/start": json.dumps(
            {"resultRoots": "0x" + "00" * 32, "validUntil": 1, "signature": "0x" + "00" * 64}
        ).encode(),
    }
    body = bodies.get(path, b"") if method == "POST" else b""
    for options, status in STRANGERS:
        answer = await api.signed(method, path, body, **options)
        assert answer.status_code == status, options
        assert set(answer.json()) == {"error"}
    assert api.runtime.running == {}


async def test_every_lease_route__no_signature_at_all__is_401(api: Api) -> None:
    assert (await api.client.get("/v1/leases/3/jobs")).status_code == 401


async def test_lease_that_is_not_ours_or_unknown__is_404(api: Api, lease: Lease) -> None:
    api.chain.leases[3] = replace(lease, provider="0x" + "99" * 20)
    assert (await api.signed("GET", "/jobs")).status_code == 404
    api.chain.offers[3] = replace(NODE, device_ids=tuple(sorted([*NODE.device_ids, bytes([1]) * 32])))
    api.chain.leases[3] = lease_on(api.chain.offers[3])
    assert (await api.signed("GET", "/jobs")).status_code == 404  # one device of it is served elsewhere
    api.chain.leases.clear()
    assert (await api.signed("GET", "/jobs")).status_code == 404


@pytest.mark.parametrize(
    "change", [{"status": LeaseStatus.PENDING}, {"status": LeaseStatus.ENDED}, {"stop": NOW}, {"left_early": True}]
)
async def test_jobs__lease_not_running__is_409(api: Api, change: dict[str, Any]) -> None:
    api.chain.leases[3] = replace(api.chain.leases[3], **change)
    assert (await api.job()).status_code == 409
    assert api.runtime.running == {}


@pytest.mark.parametrize(
    "fields",
    [
        {"command": []}, {"command": "rm -rf /"}, {"command": ["a\x00b"]}, {"command": ["x"] * 300},
        {"files": {"a": "not base64!"}}, {"files": {"../a": ""}}, {"files": {"/etc/cron.d/a": ""}},
        {"environment": {"A=B": ""}}, {"environment": {"LD_PRELOAD\n": ""}}, {"limits": {"memoryBytes": 0}},
        {"limits": {"unknown": 1}}, {"unknown": 1},
    ],
)  # fmt: skip
async def test_jobs__malformed__is_refused_and_starts_nothing(api: Api, fields: dict[str, Any]) -> None:
    answer = await api.job(**fields)
    assert answer.status_code in (400, 422)
    assert api.runtime.running == {}


async def test_jobs__beyond_their_number__is_409(api: Api) -> None:
    for _ in range(4):
        assert (await api.job(environment={"N": str(len(api.runtime.running))})).status_code == 200
    assert (await api.job(environment={"N": "last"})).status_code == 409


async def test_files__beyond_the_leases_share__is_413(api: Api) -> None:
    assert (await api.signed("PUT", "/files/a", bytes(9_000))).status_code == 200
    assert (await api.signed("PUT", "/files/b", bytes(2_000))).status_code == 413
    assert (await api.signed("GET", "/files/a")).content == bytes(9_000)


async def test_files__encoded_way_up__reaches_nothing(api: Api, tmp_path: Path) -> None:
    (tmp_path / "provider.json").write_text("secret")
    for path in ("/files/..%2f..%2fprovider.json", "/files/%2e%2e/%2e%2e/provider.json"):
        answer = await api.signed("GET", path)
        assert answer.status_code >= 400 and b"secret" not in answer.content


async def test_output__from_an_offset__gives_the_rest(api: Api) -> None:
    job_id = (await api.job()).json()["jobId"]
    log = output_path(api.jobs.control(3, job_id))
    log.parent.mkdir(parents=True)
    log.write_bytes(b"one\ntwo\n")
    assert (await api.signed("GET", f"/jobs/{job_id}/output")).content == b"one\ntwo\n"
    assert (await api.signed("GET", f"/jobs/{job_id}/output?offset=4")).content == b"two\n"
    assert (await api.signed("GET", "/jobs/unknown/output")).status_code == 404


async def test_output__reader_cut_off__goes_on_as_browsers_do(api: Api) -> None:
    job_id = (await api.job()).json()["jobId"]
    log = output_path(api.jobs.control(3, job_id))
    log.parent.mkdir(parents=True)
    log.write_bytes(b"one\ntwo\n")
    whole = f"/v1/leases/3/jobs/{job_id}/output"
    request = LeaseRequest(3, f"GET {whole}", keccak(b""), NOW)
    signature = {"x-assay-signature": "0x" + request.sign(ESCROW, key("renter")).hex(), "x-assay-issued-at": str(NOW)}
    events = await api.client.get(whole, headers={**signature, "accept": "text/event-stream", "last-event-id": "4"})
    two = base64.b64encode(b"two\n").decode()
    assert events.text == f"id: 8\ndata: {two}\n\nevent: end\ndata:\n\n"
    for wrong in ("-1", "x", "9" * 40, "٣"):
        headers = {**signature, "last-event-id": wrong.encode()}
        assert (await api.client.get(whole, headers=headers)).content == b"one\ntwo\n"


async def test_job__while_its_image_is_fetched__says_how_far_it_is(api: Api) -> None:
    job_id = (await api.job()).json()["jobId"]
    control = api.jobs.control(3, job_id)
    control.mkdir(parents=True)
    assert (await api.signed("GET", f"/jobs/{job_id}")).json()["phase"] == "running"
    lines = [
        {"status": "Pulling from library/python"},
        {"id": "a", "status": "Downloading", "progressDetail": {"current": 5, "total": 20}},
        {"id": "b", "status": "Pull complete", "progressDetail": {}},
    ]
    (control / "pull.log").write_text("\n".join(json.dumps(line) for line in lines) + '\n{"id": "half')
    state = (await api.signed("GET", f"/jobs/{job_id}")).json()
    assert (state["phase"], state["pull"]) == ("pulling", {"layers": 2, "done": 1, "bytes": 5, "totalBytes": 20})
    (control / "pulled").touch()
    assert (await api.signed("GET", f"/jobs/{job_id}")).json()["phase"] == "running"


async def test_lease__after_its_files_were_wiped__shows_the_providers_signed_word(api: Api, lease: Lease) -> None:
    await api.signed("PUT", "/files/a", b"12345")
    before = (await api.signed("GET", "")).json()
    assert (before["stop"], before["fetchUntil"], before["wiped"]) == (NOW + 100, NOW + 1000, None)
    api.wipes.note(3, api.jobs.wipe(3), NOW + 1001)
    api.wipes.note(3, api.jobs.wipe(3), NOW + 2000)
    told = (await api.signed("GET", "")).json()["wiped"]
    signature = bytes.fromhex(told.pop("signature")[2:])
    assert told.pop("signer") == PROVIDER
    assert Wiped.from_json(told) == Wiped(3, NOW + 1001, 1, 5, 0)
    assert Wiped.from_json(told).recover_signer(ESCROW, signature) == PROVIDER


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{", b'{"signature": 5}', b"null", b"[" * 50_000, b"x" * 70_000], ids=range(7)
)
@pytest.mark.parametrize("path", ["/v1/challenges", "/v1/openings"])
async def test_messages__garbage__is_refused_with_a_reason(api: Api, path: str, body: bytes) -> None:
    answer = await api.client.post(path, content=body)
    assert answer.status_code in (400, 413, 422)
    assert answer.json()["error"]


@pytest.mark.parametrize(
    ("path", "most"),
    [
        ("/v1/leases/3/jobs", 64 << 20),
        ("/v1/leases/3/files/a", 64 << 20),
        ("/v1/leases/3/start", 64 << 10),
        ("/v1/challenges", 64 << 10),
        ("/", 64 << 10),
        ("/leases/3/jobs", 64 << 10),
    ],
)
def test_body_limit__of_a_path__is_large_for_uploads_only(path: str, most: int) -> None:
    assert body_limit(path) == most


async def test_body_limit__declared_or_actual__is_413() -> None:
    async def reached(scope: Any, receive: Any, send: Any) -> None:
        raise AssertionError("reached")

    async def stream() -> AsyncIterator[bytes]:
        for _ in range(20):
            yield bytes(10)

    transport = httpx2.ASGITransport(app=BodyLimit(reached, most=lambda path: 100))
    async with httpx2.AsyncClient(transport=transport, base_url="http://provider") as client:
        assert (await client.post("/", content=bytes(101))).status_code == 413
        assert (await client.post("/", content=stream())).status_code == 413


@pytest.mark.parametrize("path", ["/v1/lanes", "/v1/openings"])
async def test_openings__asked_for_by_a_stranger_without_end__are_held_to_its_share(api: Api, path: str) -> None:
    body = {"epoch": 5, "deviceId": "0x", "rho": "0x", "content": {"deviceId": "0x", "rho": "0x"}}
    statuses = [(await api.client.post(path, json=body)).status_code for _ in range(100 + 8 * 4 + 2)]
    assert statuses == [400] * 132 + [429] * 2


async def test_files__with_names_that_are_no_text__are_listed_fetched_and_missed_in_ascii(api: Api) -> None:
    name = "caf\udce9\n%41?#"
    quoted = "caf%E9%0A%2541%3F%23"
    assert (await api.signed("PUT", f"/files/{quoted}?mode=640", b"x")).json() == {"size": 1}
    listed = await api.signed("GET", "/files")
    assert listed.json()["files"] == [{"path": name, "size": 1, "mode": 0o640}] and listed.content.isascii()
    assert (await api.signed("GET", f"/files/{quoted}")).content == b"x"
    missing = await api.signed("GET", "/files/%FF%0A")
    assert missing.status_code == 404 and missing.content.isascii() and "udcff" in missing.json()["error"]


async def test_files__signed_for_one_name_and_sent_for_another__are_refused(api: Api) -> None:
    whole = "/v1/leases/3/files/a%3Fb"
    request = LeaseRequest(3, "GET /v1/leases/3/files/a?b", keccak(b""), NOW)
    headers = {
        "x-assay-signature": to_hex(request.sign(ESCROW, key("renter"))),
        "x-assay-issued-at": str(NOW),
    }
    assert (await api.client.get(whole, headers=headers)).status_code == 403


@pytest.mark.parametrize("query", ["mode=9", "mode=77777", "kind=device", "kind=link"])
async def test_put__of_what_is_no_file_folder_or_link__is_refused(api: Api, query: str) -> None:
    assert (await api.signed("PUT", f"/files/x?{query}")).status_code in (400, 422)
    assert not (api.jobs.workspace(3) / "x").exists()


async def test_live__nonce__is_signed_by_the_device_key(api: Api) -> None:
    nonce = keccak(b"nonce")
    answer = (await api.client.get(f"/v1/devices/0x{DEVICE_ID.hex()}/live?nonce=0x{nonce.hex()}")).json()
    signature = bytes.fromhex(answer["signature"][2:])
    assert signed_by(live_digest(DEVICE_ID, nonce), signature, DEVICE_ADDRESS)
    assert (await api.client.get(f"/v1/devices/0x{'00' * 32}/live?nonce=0x{nonce.hex()}")).status_code == 404

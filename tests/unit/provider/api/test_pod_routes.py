"""What a renter asks of its pod, over the HTTP interface and in process."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import structlog

from assay.chain.contracts.leases import Lease, LeaseStatus
from assay.provider.devices.device import OwnDevice
from assay.provider.errors import Conflict, NotFound, TooManyRequests, Unavailable
from assay.provider.images.lease_images import CHECK_BURST, LeaseImages
from assay.templates.loading import shipped
from assay.wire.pods import PodBody
from tests.unit.provider.api_bench import NOW, Api, serving
from tests.unit.provider.conftest import RENTER, ChainFake
from tests.unit.provider.pods_memory import MemoryImages, MemoryPods

LOGIN = {"user": "me", "password": "hunter2-7d"}


class Steady:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Parts:
    def __init__(self, unpaid: int = 1_000) -> None:
        self.images, self.pods, self.now = MemoryImages(), MemoryPods(), Steady()
        self.leases = LeaseImages(self.images, self.pods, shipped(), unpaid, self.now)


@pytest.fixture
def parts() -> Parts:
    return Parts()


@pytest.fixture
async def api(tmp_path: Path, chain: ChainFake, device: OwnDevice, lease: Lease, parts: Parts) -> AsyncIterator[Api]:
    async with serving(tmp_path, chain, device, lease, images=parts.leases, pod_control=parts.pods) as one:
        yield one


async def put(api: Api, **fields: Any) -> Any:
    return await api.signed("PUT", "/pod", json.dumps(fields).encode())


async def settled(parts: Parts, lease_id: int = 3, renter: str = RENTER) -> None:
    """Waits for the lease's pull to be over."""
    if task := parts.leases.pull_of(lease_id):
        await asyncio.wait([task], timeout=30)
    assert parts.leases.state(lease_id, renter).phase not in ("pulling", "unpacking")


async def test_choose__image__is_looked_at_then_fetched_and_the_pod_stands_on_it(api: Api, parts: Parts) -> None:
    parts.images.hold.clear()
    answer = (await put(api, image="python:3.12", start=["python3"], environment={"A": "1"})).json()
    assert (answer["phase"], answer["image"], answer["state"]) == ("pulling", "docker.io/library/python:3.12", "absent")
    await asyncio.sleep(0)
    shown = (await api.signed("GET", "/pod")).json()
    assert shown["pull"] == {"layers": 3, "layersDone": 1, "bytes": 40, "totalBytes": 100, "resumed": 0}
    parts.images.hold.set()
    await settled(parts)
    shown = (await api.signed("GET", "/pod")).json()
    assert (shown["phase"], shown["state"], shown["start"], shown["pull"]) == ("ready", "running", ["python3"], None)
    assert shown["notes"] == ["it names the user 'me'; in a pod you are root"]
    assert shown["share"]["shmBytes"] == 8 << 30 and shown["endsAt"] > 0
    assert parts.pods.show(3, RENTER).image.environment == (("A", "1"),)  # type: ignore[union-attr]


async def test_choose__template__is_filled_in_and_what_is_said_goes_before_it(api: Api, parts: Parts) -> None:
    answer = await put(api, template="vllm", environment={"MODEL": "mine"})
    assert answer.status_code == 200
    await settled(parts)
    image = parts.pods.show(3, RENTER).image
    assert image is not None and image.ports == (8000,) and dict(image.environment)["MODEL"] == "mine"
    assert dict(image.environment)["HF_HOME"].startswith("/workspace")
    assert (await put(api, template="vllm", image="good")).status_code == 200
    await settled(parts)
    other = parts.pods.show(3, RENTER).image
    assert other is not None and other.reference.endswith("good:latest") and other.ports == (8000,)
    refused = await put(api, template="nothing-such")
    assert refused.status_code == 404 and "cuda-pytorch" in refused.json()["error"]


async def test_choose__image_that_is_not_there__is_told_before_anything_is_fetched(api: Api, parts: Parts) -> None:
    refused = await put(api, image="owner/absent:1")
    assert (refused.status_code, parts.images.fetched) == (422, [])
    assert "there is none" in refused.json()["error"]


async def test_choose__pull_that_fails__is_shown_with_the_reason_and_the_pod_keeps_what_it_had(
    api: Api, parts: Parts
) -> None:
    await put(api, image="good")
    await settled(parts)
    parts.images.failure = Unavailable("the registry broke off")
    await put(api, image="bad")
    await settled(parts)
    shown = (await api.signed("GET", "/pod")).json()
    assert (shown["phase"], shown["failure"], shown["state"]) == ("failed", "the registry broke off", "running")
    assert parts.pods.show(3, RENTER).image.reference == "docker.io/library/good:latest"  # type: ignore[union-attr]


async def test_choose__another_while_one_is_fetched__ends_the_first(api: Api, parts: Parts) -> None:
    parts.images.hold.clear()
    await put(api, image="first")
    await asyncio.sleep(0)
    await put(api, image="second")
    parts.images.hold.set()
    await settled(parts)
    assert parts.images.fetched == ["docker.io/library/second:latest"]


async def test_choose__pending_lease__may_so_that_nothing_streams_before_and_one_that_is_over_may_not(
    api: Api, parts: Parts
) -> None:
    running = api.chain.leases[3]
    api.chain.leases[3] = replace(running, status=LeaseStatus.PENDING, start=0, stop=0)
    assert (await put(api, image="debian")).status_code == 200
    api.chain.leases[3] = replace(running, status=LeaseStatus.ENDED)
    assert (await put(api, image="debian:12")).status_code == 409
    assert (await api.signed("POST", "/pod/restart", b"{}")).status_code == 409


async def test_restart__of_a_pod__counts_and_without_one_is_refused(api: Api, parts: Parts) -> None:
    assert (await api.signed("POST", "/pod/restart", b"{}")).status_code == 404
    await put(api, image="debian")
    await settled(parts)
    assert (await api.signed("POST", "/pod/restart", b"{}", at=NOW + 1)).json()["restarts"] == 1


@pytest.mark.parametrize(("method", "path"), [("PUT", "/pod"), ("GET", "/pod"), ("POST", "/pod/restart")])
async def test_every_route__not_its_renter__goes_nowhere(api: Api, parts: Parts, method: str, path: str) -> None:
    body = b'{"image":"debian"}' if method == "PUT" else b""
    for signer, at in (("stranger", 1_000_000), ("provider", 1_000_000), ("renter", 999_000)):
        answer = await api.signed(method, path, body, signer=signer, at=at)
        assert answer.status_code in (401, 403)
    assert (await api.client.request(method, f"/v1/leases/3{path}", content=body)).status_code in (401, 422)
    assert parts.images.checked == []


@pytest.mark.parametrize(
    "fields",
    [
        {"image": ""}, {"template": "Debian 12"}, {"image": "x" * 256}, {"digest": "sha256:x"},
        {"login": {"user": "a:b", "password": "p"}}, {"login": {"user": "a"}}, {"ports": [0]}, {"ports": [65536]},
        {"environment": {"1": "x"}}, {"environment": {"A": "\x00"}}, {"start": [""]}, {"extra": 1},
        {"start": ["a"] * 257},
    ],
)  # fmt: skip
async def test_choose__off_the_form__is_refused(api: Api, parts: Parts, fields: dict[str, Any]) -> None:
    assert (await put(api, **fields)).status_code == 422
    assert parts.images.checked == []


async def test_choose__with_a_login__hands_it_on_once_and_shows_it_nowhere(
    api: Api, parts: Parts, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    parts.images.failure = Unavailable("broke off")
    with structlog.testing.capture_logs() as logged:
        answers = [await put(api, image="private", login=LOGIN), await put(api, image="x", login={**LOGIN, "extra": 1})]
        await settled(parts)
        answers.append(await api.signed("GET", "/pod"))
    assert parts.images.checked[0][1].password == LOGIN["password"]  # type: ignore[union-attr]
    said = "".join(answer.text for answer in answers) + repr(logged) + caplog.text + "".join(capfd.readouterr())
    assert "broke off" in said and LOGIN["password"] not in said
    assert LOGIN["password"] not in repr(PodBody(image="x", login=LOGIN))
    assert LOGIN["password"] not in repr(parts.leases.__dict__)


async def test_templates__asked_by_anybody__are_listed(api: Api) -> None:
    listed = (await api.client.get("/v1/templates")).json()["templates"]
    assert {one["name"] for one in listed} == set(shipped())


async def test_choose__again_and_again__is_slowed_down_lease_by_lease(parts: Parts) -> None:
    for _ in range(CHECK_BURST):
        await parts.leases.choose(3, RENTER, PodBody(image="debian"), paid=True)
    with pytest.raises(TooManyRequests):
        await parts.leases.choose(3, RENTER, PodBody(image="debian"), paid=True)
    await parts.leases.choose(4, RENTER, PodBody(image="debian"), paid=True)
    parts.now.now += 60
    await parts.leases.choose(3, RENTER, PodBody(image="debian"), paid=True)
    await parts.leases.close()


async def test_choose__leases_that_have_not_begun__fetch_no_more_in_a_day_than_they_may() -> None:
    parts = Parts(unpaid=250)
    for lease_id in (1, 2):
        await parts.leases.choose(lease_id, RENTER, PodBody(image="debian"), paid=False)
    with pytest.raises(Conflict, match="start the lease, then `assay pod set`"):
        await parts.leases.choose(3, RENTER, PodBody(image="debian"), paid=False)
    await parts.leases.choose(3, RENTER, PodBody(image="debian"), paid=True)
    parts.now.now += 86_400
    await parts.leases.choose(4, RENTER, PodBody(image="debian"), paid=False)
    await parts.leases.close()


async def test_choose__by_whoever_had_the_number_before_a_reorganisation__is_nobody_elses(
    api: Api, parts: Parts
) -> None:
    await parts.leases.choose(3, "0xBefore", PodBody(image="theirs", environment={"SECRET": "x"}), paid=False)
    await settled(parts, renter="0xBefore")
    shown = (await api.signed("GET", "/pod")).json()
    assert (shown["phase"], shown["image"], shown["digest"]) == ("none", None, None)


async def test_sweep__lease_that_is_over__ends_its_pull_and_no_other(parts: Parts) -> None:
    parts.images.hold.clear()
    for lease_id in (1, 2):
        await parts.leases.choose(lease_id, RENTER, PodBody(image="debian"), paid=True)
    await asyncio.sleep(0)

    async def may_want(lease_id: int) -> bool:
        return lease_id == 2

    await parts.leases.sweep(may_want)
    assert parts.leases.state(1, RENTER).phase == "failed" and parts.leases.state(2, RENTER).phase == "pulling"
    parts.images.hold.set()
    await settled(parts, 2)
    assert set(parts.pods.pods) == {2}
    assert list(parts.leases.chosen()) == [parts.pods.show(2, RENTER).image.image_id]  # type: ignore[union-attr]


async def test_choose__where_jobs_run_without_pods__is_refused_with_the_reason(
    tmp_path: Path, chain: ChainFake, device: OwnDevice, lease: Lease
) -> None:
    async with serving(tmp_path, chain, device, lease) as api:
        answer = await put(api, image="debian")
        assert answer.status_code == 409 and "without pods" in answer.json()["error"]
        assert (await api.client.get("/v1/templates")).json() == {"templates": []}


async def test_choose__fault_of_ours__leaves_the_lease_and_the_daemon_alone(parts: Parts) -> None:
    def broken(lease_id: int, renter: str, image: Any) -> None:
        raise RuntimeError("no")

    parts.pods.set_image = broken  # type: ignore[method-assign]
    await parts.leases.choose(3, RENTER, PodBody(image="debian"), paid=True)
    await settled(parts)
    assert parts.leases.state(3, RENTER).failure == "a fault here: RuntimeError"
    with pytest.raises(NotFound):
        await parts.leases.choose(3, RENTER, PodBody(template="none-such"), paid=True)


async def test_job__with_an_image__gets_what_was_fetched_for_it_and_never_a_name_of_the_engines(
    api: Api, parts: Parts
) -> None:
    assert (await api.job(image="ghcr.io/owner/tool:1")).status_code == 200
    assert parts.images.fetched == ["ghcr.io/owner/tool:1"]
    assert [one.image for one in api.runtime.launched][-1] == "ghcr.io/owner/tool:1"  # as the images name it
    refused = await api.job(image="owner/absent:1")
    assert refused.status_code == 422 and "there is none" in refused.json()["error"]
    assert len(parts.leases.chosen()) == 1


async def test_job__whose_image_takes_long__is_told_and_finds_it_the_next_time(
    api: Api, parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("assay.provider.images.lease_images.JOB_WAIT_S", 0.0)
    parts.images.hold.clear()
    answer = await api.job(image="large")
    assert answer.status_code == 503 and "still being fetched" in answer.json()["error"]
    monkeypatch.undo()
    parts.images.hold.set()
    assert await parts.leases.for_job(3, "large") == "docker.io/library/large:latest"
    assert len(parts.images.checked) <= 2

"""Requests of browsers reach the lease's provider as the wallet signed them, and nothing else does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest
from fastapi.testclient import TestClient
from starlette.requests import ClientDisconnect

from assay.market.api.app import create_app
from assay.market.api.context import Context, Links
from assay.market.api.status import Status
from assay.market.errors import SourceFault
from assay.market.events.device_events import DeviceEndpoint
from assay.market.follow.index import MarketIndex
from assay.market.queries.search import SearchTable
from assay.market.sources.http_fetch import Asked
from assay.network.client import Stream
from assay.network.origins import Endpoint
from assay.network.request_buckets import asker
from tests.unit.market.scenario import DEVICES, batch, founding, h, opened

SIGNED = {"x-assay-signature": "0x" + "11" * 64, "x-assay-issued-at": "1700000000"}


class Provider:
    """What reaches the provider, and its answer."""

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self.fails = False

    @asynccontextmanager
    async def passed_on(self, asked: Asked, max_bytes: int, max_seconds: float) -> AsyncIterator[Stream]:
        if self.fails:
            raise SourceFault("no answer in time")
        self.asked.append(asked)

        async def pieces() -> AsyncIterator[bytes]:
            yield b'{"error": '
            yield b'"not yours"}'

        yield Stream(403, "application/json", pieces())


@pytest.fixture
def provider() -> Provider:
    return Provider()


@pytest.fixture
def client(index: MarketIndex, provider: Provider) -> TestClient:
    events = [
        *founding(),
        (5, DeviceEndpoint(DEVICES[0], "https://gpu.test:8443/", h("certificate"))),
        (5, opened(7)),
    ]
    index.apply(batch(events, 6, seats=True))
    context = Context(index.engine, Status("test", 31337), SearchTable(index.engine), links=Links(fetch=provider))
    return TestClient(create_app(context, rate=1e9, burst=1 << 30))


def test_request__signed__is_passed_on_to_the_letter_with_the_registrys_certificate(
    client: TestClient, provider: Provider
) -> None:
    path = "/v1/leases/7/jobs/ab12/output?offset=0&follow=true"
    answer = client.get("/relay" + path, headers={**SIGNED, "cookie": "secret=1", "authorization": "Bearer x"})
    assert (answer.status_code, answer.json()) == (403, {"error": "not yours"})
    (asked,) = provider.asked
    assert (asked.method, asked.path) == ("GET", path)
    assert asked.endpoint == Endpoint("https://gpu.test:8443/", h("certificate"))
    assert dict(asked.headers) == {**SIGNED, "content-type": "application/json"}
    assert answer.headers["cache-control"] == "no-store"


def test_request__about_the_lease_itself__is_passed_on(client: TestClient, provider: Provider) -> None:
    client.get("/relay/v1/leases/7", headers=SIGNED)
    assert [(asked.method, asked.path) for asked in provider.asked] == [("GET", "/v1/leases/7")]


@pytest.mark.parametrize(
    ("other", "status"),
    [
        (DeviceEndpoint(DEVICES[2], "https://gpu.test:8443/", h("certificate")), 403),
        (DeviceEndpoint(DEVICES[2], "https://elsewhere.test:8443/", h("certificate")), 502),
        (DeviceEndpoint(DEVICES[2], "https://gpu.test:8443/", h("another")), 502),
        (DeviceEndpoint(DEVICES[2], "", h("certificate")), 404),
    ],
)
def test_request__about_a_node__goes_to_the_one_place_that_all_its_devices_announce(
    index: MarketIndex, client: TestClient, provider: Provider, other: DeviceEndpoint, status: int
) -> None:
    index.apply(batch([(7, other), (8, opened(8, 0, 2))], 9))
    assert client.get("/relay/v1/leases/8/jobs", headers=SIGNED).status_code == status
    assert len(provider.asked) == (status == 403)


def test_request__with_a_body__carries_the_bytes_that_were_signed(client: TestClient, provider: Provider) -> None:
    client.post("/relay/v1/leases/7/handover", content=b'{"nonce":"0x00"}', headers=SIGNED)
    assert provider.asked[0].body == b'{"nonce":"0x00"}'


@pytest.mark.parametrize(
    "method, path, status",
    [
        ("GET", "/relay/v1/leases/7/files", 404),
        ("POST", "/relay/v1/leases/7/pod", 404),
        ("PUT", "/relay/v1/leases/7/files", 404),
        ("PUT", "/relay/v1/leases/7/pod/restart", 404),
        ("GET", "/relay/v1/leases/7/handover", 404),
        ("GET", "/relay/v1/leases/7/jobs/../../../status", 404),
        ("GET", "/relay/v1/leases/7/jobs/%2e%2e/output", 404),
        ("GET", "/relay/v1/leases/8/jobs", 404),
        ("PUT", "/relay/v1/leases/7/jobs", 404),
        ("POST", "/relay/v1/leases/7", 405),
        ("POST", "/relay/v1/leases/7/", 404),
    ],
)
def test_request__for_anything_else__goes_nowhere(
    client: TestClient, provider: Provider, method: str, path: str, status: int
) -> None:
    assert client.request(method, path, headers=SIGNED).status_code == status
    assert provider.asked == []


def test_request__without_a_signature_or_too_long__goes_nowhere(client: TestClient, provider: Provider) -> None:
    assert client.get("/relay/v1/leases/7/jobs").status_code == 401
    long = client.post("/relay/v1/leases/7/jobs", content=b"x" * 70_000, headers=SIGNED)
    assert long.status_code == 413
    assert provider.asked == []


def test_request__to_a_provider_that_is_away__says_so(client: TestClient, provider: Provider) -> None:
    provider.fails = True
    answer = client.get("/relay/v1/leases/7/jobs", headers=SIGNED)
    assert answer.status_code == 502
    assert "does not answer" in answer.json()["error"]


def test_requests__with_a_signature_that_is_no_ascii__are_refused_and_leave_room_for_others(
    client: TestClient, provider: Provider
) -> None:
    odd = {**SIGNED, "x-assay-signature": "0x\xe9".encode("latin-1")}
    assert {client.get("/relay/v1/leases/7", headers=odd).status_code for _ in range(100)} == {401}
    assert client.get("/relay/v1/leases/7", headers=SIGNED).status_code == 403
    assert len(provider.asked) == 1


def request_from(address: str, send: Any) -> tuple[dict[str, Any], Any, Any]:
    headers = [(name.encode(), value.encode()) for name, value in SIGNED.items()]
    path = "/relay/v1/leases/7"
    scope = {
        "type": "http", "asgi": {"version": "3.0", "spec_version": "2.3"}, "http_version": "1.1", "method": "GET",
        "scheme": "http", "path": path, "raw_path": path.encode(), "query_string": b"", "root_path": "",
        "headers": headers, "client": (address, 1), "server": ("market", 80), "state": {},
    }  # fmt: skip

    asked = [{"type": "http.request", "body": b"", "more_body": False}]

    async def receive() -> dict[str, Any]:
        if not asked:
            await asyncio.Event().wait()
        return asked.pop()

    return scope, receive, send


async def test_slot__of_an_asker_who_is_gone_before_the_first_byte__is_given_back(client: TestClient) -> None:
    app: Any = client.app

    async def gone(_: Any) -> None:
        raise OSError("connection lost")

    for _ in range(3):
        with pytest.raises((OSError, ClientDisconnect)):
            await app(*request_from("192.0.2.1", gone))
    assert app.state.context.passing.taken == 0


async def test_slot__of_an_asker_who_goes_while_the_provider_is_silent__is_given_back(
    client: TestClient, provider: Provider
) -> None:
    app: Any = client.app
    began = asyncio.Event()

    async def send(_: Any) -> None:
        """Takes everything, as a server does whose client is gone."""

    @asynccontextmanager
    async def passed_on(*_: Any) -> AsyncIterator[Stream]:
        async def pieces() -> AsyncIterator[bytes]:
            began.set()
            await asyncio.Event().wait()
            yield b"never"

        yield Stream(200, "text/plain", pieces())

    async def receive() -> dict[str, Any]:
        if asked:
            return asked.pop()
        await began.wait()
        return {"type": "http.disconnect"}

    provider.passed_on = passed_on  # type: ignore[method-assign]
    asked = [{"type": "http.request", "body": b"", "more_body": False}]
    scope, _, _ = request_from("192.0.2.1", send)
    await asyncio.wait_for(app(scope, receive, send), 10)
    assert app.state.context.passing.taken == 0


@pytest.mark.parametrize("fault", [RuntimeError("broken"), asyncio.CancelledError(), SourceFault("no answer")])
async def test_slot__of_a_request_that_fails_with_anything__is_given_back(
    client: TestClient, provider: Provider, fault: BaseException
) -> None:
    app: Any = client.app
    told: list[Any] = []

    async def send(message: Any) -> None:
        told.append(message)

    @asynccontextmanager
    async def passed_on(*_: Any) -> AsyncIterator[Stream]:
        raise fault
        yield

    provider.passed_on = passed_on  # type: ignore[method-assign]
    with suppress(type(fault), RuntimeError):  # a middleware's, for a request that was cancelled
        await app(*request_from("192.0.2.1", send))
    assert app.state.context.passing.taken == 0


async def test_slot__of_an_answer_that_breaks_in_the_middle__is_given_back_and_the_provider_let_go(
    client: TestClient, provider: Provider
) -> None:
    app: Any = client.app
    ended: list[bool] = []

    async def send(message: Any) -> None:
        if message.get("body"):
            assert app.state.context.passing.taken == 1

    @asynccontextmanager
    async def passed_on(*_: Any) -> AsyncIterator[Stream]:
        async def pieces() -> AsyncIterator[bytes]:
            yield b"half"
            raise SourceFault("gone in the middle")

        try:
            yield Stream(200, "text/plain", pieces())
        finally:
            ended.append(True)

    provider.passed_on = passed_on  # type: ignore[method-assign]
    with pytest.raises(SourceFault):
        await app(*request_from("192.0.2.1", send))
    assert app.state.context.passing.taken == 0 and ended == [True]


def test_requests__of_one_address_beyond_its_share__are_refused_and_leave_room_for_others(
    client: TestClient, provider: Provider
) -> None:
    passing = client.app.state.context.passing  # type: ignore[attr-defined]
    held = [passing.take("testclient") for _ in range(passing.most_each)]
    refused = client.get("/relay/v1/leases/7", headers=SIGNED)
    assert (refused.status_code, refused.headers["retry-after"]) == (429, "30")
    passing.take("192.0.2.9")
    held[0].give_back()
    assert client.get("/relay/v1/leases/7", headers=SIGNED).status_code == 403


async def test_requests__of_one_ipv6_network__share_its_slots(client: TestClient) -> None:
    app: Any = client.app
    told: list[Any] = []

    async def send(message: Any) -> None:
        told.append(message)

    passing = app.state.context.passing
    for n in range(passing.most_each):
        passing.take(asker(f"2001:db8:0:1::{n:x}"))
    await app(*request_from("2001:db8:0:1:ffff::1", send))
    await app(*request_from("2001:db8:0:2::1", send))
    assert [message["status"] for message in told if "status" in message] == [429, 403]

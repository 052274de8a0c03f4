"""What a renter asks so that anybody can call its pod, over the HTTP interface and in process."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from assay.chain.contracts.leases import Lease, LeaseStatus
from assay.provider.devices.device import OwnDevice
from assay.provider.errors import NotFound
from assay.wire.pods import EndpointBody, EndpointsBody, ExposeBody
from tests.unit.provider.api_bench import NOW, Api, serving
from tests.unit.provider.conftest import ChainFake


class Endpoints:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.opened: list[tuple[int, ExposeBody]] = []
        self.renters: list[str] = []

    def open(self, lease_id: int, asked: ExposeBody, renter: str) -> EndpointBody:
        self.opened.append((lease_id, asked))
        self.renters.append(renter)
        return self.shown(lease_id).endpoints[-1]

    def close(self, lease_id: int, protocol: str, public: int) -> None:
        if public != 30_000:
            raise NotFound(f"lease {lease_id} has no endpoint at {protocol} port {public}")
        self.opened.clear()

    def close_name(self, lease_id: int, name: str) -> None:
        if name != "a.gpu.test":
            raise NotFound(f"lease {lease_id} has no endpoint with the name {name!r}")
        self.opened.clear()

    def shown(self, lease_id: int) -> EndpointsBody:
        found = [
            EndpointBody(protocol=one.protocol, port=one.port, public_port=30_000, listening="no", opened_at=NOW)
            for _, one in self.opened
        ]
        return EndpointsBody(endpoints=found, most=8)


@pytest.fixture
def endpoints() -> Endpoints:
    return Endpoints()


@pytest.fixture
async def api(
    tmp_path: Path, chain: ChainFake, device: OwnDevice, lease: Lease, endpoints: Endpoints
) -> AsyncIterator[Api]:
    async with serving(tmp_path, chain, device, lease, endpoints=endpoints) as one:
        yield one


async def post(api: Api, signer: str = "renter", **fields: Any) -> Any:
    return await api.signed("POST", "/endpoints", json.dumps(fields).encode(), signer=signer)


async def test_endpoint__of_the_renter__is_opened_listed_and_closed(api: Api, endpoints: Endpoints) -> None:
    opened = await post(api, port=8000, protocol="udp")
    assert opened.status_code == 200 and opened.json()["publicPort"] == 30_000
    assert endpoints.opened == [(3, ExposeBody(port=8000, protocol="udp"))]
    listed = EndpointsBody.model_validate((await api.signed("GET", "/endpoints")).json())
    assert [one.port for one in listed.endpoints] == [8000]
    assert (await api.signed("DELETE", "/endpoints/udp/1")).status_code == 404
    closed = await api.signed("DELETE", "/endpoints/udp/30000")
    assert closed.status_code == 200 and closed.json()["endpoints"] == []


LOGIN = {"user": "ann", "hash": "A" * 43 + "=", "salt": "A" * 22 + "=="}


async def test_name__of_the_renter__is_opened_for_its_account_and_closed_by_its_name(
    api: Api, endpoints: Endpoints, lease: Lease
) -> None:
    opened = await post(api, port=8000, protocol="https", domain="llm.example.org", login=LOGIN)
    assert opened.status_code == 200 and endpoints.renters == [lease.renter]
    assert endpoints.opened[0][1].login is not None and endpoints.opened[0][1].domain == "llm.example.org"
    assert (await api.signed("DELETE", "/endpoints/https/b.gpu.test")).status_code == 404
    assert (await api.signed("DELETE", "/endpoints/https/a.gpu.test", signer="provider")).status_code in (401, 403)
    assert (await api.signed("DELETE", "/endpoints/https/a.gpu.test")).status_code == 200 and endpoints.opened == []


@pytest.mark.parametrize(
    "fields",
    [
        {"protocol": "tcp", "domain": "llm.example.org"},
        {"protocol": "udp", "login": LOGIN},
        {"protocol": "https", "publicPort": 30_000},
        {"protocol": "https", "login": {**LOGIN, "hash": "plain"}},
        {"protocol": "https", "login": {**LOGIN, "user": "a:b"}},
        {"protocol": "https", "login": {**LOGIN, "user": "{env.HOME}"}},
        {"protocol": "https", "domain": "a" * 254},
    ],
)
async def test_name__asked_for_off_the_form__is_refused(api: Api, fields: dict[str, Any]) -> None:
    assert (await post(api, port=8000, **fields)).status_code == 422


async def test_endpoint__of_another_or_off_the_form_or_over__is_refused(api: Api, endpoints: Endpoints) -> None:
    assert (await post(api, signer="provider", port=8000)).status_code in (401, 403)
    for method, path in (("GET", "/endpoints"), ("DELETE", "/endpoints/tcp/30000")):
        assert (await api.signed(method, path, signer="provider")).status_code in (401, 403)
        # Signed by the right one, for another lease.
        assert (await api.signed(method, path, lease_id=4)).status_code in (401, 403)
    for fields in ({}, {"port": 0}, {"port": 65_536}, {"port": 1, "protocol": "icmp"}, {"port": 1, "publicPort": 0}):
        assert (await post(api, **fields)).status_code == 422
    assert (await api.signed("DELETE", "/endpoints/icmp/30000")).status_code == 422
    api.chain.leases[3] = replace(api.chain.leases[3], status=LeaseStatus.ENDED, stop=NOW - 10**6)
    assert (await post(api, port=8000)).status_code >= 400
    assert endpoints.opened == []


async def test_endpoint__where_there_are_no_public_ports__is_refused_with_another_way(
    tmp_path: Path, chain: ChainFake, device: OwnDevice, lease: Lease
) -> None:
    async with serving(tmp_path, chain, device, lease) as api:
        for answer in (await api.signed("GET", "/endpoints"), await post(api, port=8000)):
            assert answer.status_code == 409 and "assay ssh LEASE -L" in answer.json()["error"]

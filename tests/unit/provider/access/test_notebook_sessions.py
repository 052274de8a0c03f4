"""Who reaches a lease's notebook through the provider, and what its answers may set in a browser."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from assay.chain.contracts.leases import Lease
from assay.provider.access.reverse_proxy import coming_out
from assay.provider.devices.device import OwnDevice
from tests.unit.provider.api_bench import NOW, Api, serving
from tests.unit.provider.conftest import ChainFake


@pytest.fixture
async def api(tmp_path: Path, chain: ChainFake, device: OwnDevice, lease: Lease) -> AsyncIterator[Api]:
    async with serving(tmp_path, chain, device, lease) as one:
        yield one


async def test_notebook__started_twice__is_one_job_and_opens_once_for_the_ticket(api: Api) -> None:
    first, second = [(await api.signed("POST", "/notebook", b"{}", at=NOW + n)).json() for n in range(2)]
    assert first["jobId"] == second["jobId"] and len(api.runtime.running) == 1
    answer = await api.client.get(first["path"])
    assert answer.status_code == 303 and answer.headers["location"] == "lab"
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie and "samesite=strict" in cookie and "path=/v1/leases/3/notebook/" in cookie
    assert (await api.client.get(first["path"])).status_code == 401
    api.chain.leases[4] = replace(api.chain.leases[3], lease_id=4)
    assert (await api.client.get(second["path"].replace("/3/", "/4/"))).status_code == 403


OUTSIDERS: list[dict[str, str]] = [
    {},
    {"cookie": "assay_notebook_3=forged"},
    {"authorization": "Bearer forged"},
    {"cookie": "assay_notebook_3="},
]


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE"])
async def test_notebook__without_its_session__is_401_and_reaches_nothing(api: Api, method: str) -> None:
    await api.signed("POST", "/notebook", b"{}")
    for headers in OUTSIDERS:
        answer = await api.client.request(method, "/v1/leases/3/notebook/api/contents", headers=headers)
        assert answer.status_code == 401 and set(answer.json()) == {"error"}, headers


async def test_notebook__page_of_another_site__may_not_use_the_session(api: Api) -> None:
    path = (await api.signed("POST", "/notebook", b"{}")).json()["path"]
    token = (await api.client.get(path)).cookies["assay_notebook_3"]
    headers = {"cookie": f"assay_notebook_3={token}", "origin": "https://evil.example"}
    assert (await api.client.get("/v1/leases/3/notebook/api", headers=headers)).status_code == 401


async def test_notebook__page_of_another_lease__may_not_use_the_session(api: Api) -> None:
    """All leases of a provider share an origin, so that a browser sends the cookie along with such a request."""
    path = (await api.signed("POST", "/notebook", b"{}")).json()["path"]
    token = (await api.client.get(path)).cookies["assay_notebook_3"]
    api.chain.leases[4] = replace(api.chain.leases[3], lease_id=4)
    asked = "/v1/leases/3/notebook/api/contents"
    for other in ("/v1/leases/4/notebook/lab", "/v1/leases/33/notebook/", "/v1/leases/3/notebook/../../4/notebook/lab"):
        refused = await api.client.get(
            asked, headers={"cookie": f"assay_notebook_3={token}", "referer": f"http://provider{other}"}
        )
        assert refused.status_code == 401, other
    for cookie in (f"assay_notebook_4={token}", f"assay_notebook={token}", "assay_notebook_3=other"):
        assert (await api.client.get(asked, headers={"cookie": cookie})).status_code == 401
    elsewhere = await api.client.get(
        "/v1/leases/4/notebook/api/contents", headers={"cookie": f"assay_notebook_4={token}"}
    )
    assert elsewhere.status_code == 403


@pytest.mark.parametrize(
    ("cookie", "kept"),
    [
        ("_xsrf=1; Path=/v1/leases/3/notebook/; HttpOnly", "_xsrf=1; HttpOnly; Path=/v1/leases/3/notebook/"),
        ("_xsrf=1; Path=/v1/leases/3/notebook/lab", "_xsrf=1; Path=/v1/leases/3/notebook/lab"),
        ("_xsrf=1", "_xsrf=1; Path=/v1/leases/3/notebook/"),
        ("a=1; path=/; Domain=provider; Secure", "a=1; Secure; Path=/v1/leases/3/notebook/"),
        ("a=1; Path=/v1/leases/4/notebook/", "a=1; Path=/v1/leases/3/notebook/"),
        ("a=1; Path=/v1/leases/3/notebook/../../4/", "a=1; Path=/v1/leases/3/notebook/"),
        ("assay_notebook_4=mine; Path=/v1/leases/4/notebook/", None),
        ("Assay_Notebook_3=mine", None),
        ("__Host-a=1; Path=/; Secure", None),
        ("nonsense", None),
    ],
)
def test_proxy__cookie_of_a_workload__reaches_no_other_lease(cookie: str, kept: str | None) -> None:
    out = coming_out([(b"Set-Cookie", cookie.encode())], b"/v1/leases/3/notebook/", b"assay_notebook_")
    assert out == ([] if kept is None else [(b"set-cookie", kept.encode())])


def test_proxy__headers_of_a_workload_that_reach_the_whole_origin__are_left_out() -> None:
    headers = [
        (b"Service-Worker-Allowed", b"/"),
        (b"Clear-Site-Data", b'"*"'),
        (b"Connection", b"close"),
        (b"ETag", b"x"),
    ]
    assert coming_out(headers, b"/v1/leases/3/notebook/", b"assay_notebook_") == [(b"etag", b"x")]

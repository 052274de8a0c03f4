"""Requests to what strangers announce go to the address that was looked at, and to no private one."""

from __future__ import annotations

from collections.abc import Sequence

import httpx2
import pytest

from assay.market.errors import SourceFault
from assay.market.sources.http_fetch import Asked, HttpFetch

PUBLIC, OTHER, PRIVATE = "93.184.216.34", "1.1.1.1", "10.0.0.7"


class Network:
    """A name server that answers differently each time, and servers that say what reached them."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self.answers = list(answers)
        self.requests: list[httpx2.Request] = []

    async def resolve(self, host: str, port: int) -> Sequence[str]:
        return self.answers.pop(0)

    def handle(self, request: httpx2.Request) -> httpx2.Response:
        self.requests.append(request)
        return httpx2.Response(200, content=b"x" * 100)

    def fetch(self, allow_private: bool = False) -> HttpFetch:
        return HttpFetch(allow_private, self.resolve, httpx2.MockTransport(self.handle))


async def test_fetch__of_a_name__goes_to_the_address_it_resolved_to_once() -> None:
    network = Network([PUBLIC], [PRIVATE])
    assert await network.fetch()("https://gpu.example:8443/v1/offers") == b"x" * 100
    (request,) = network.requests
    assert (request.url.host, request.url.port, request.url.path) == (PUBLIC, 8443, "/v1/offers")
    assert request.headers["host"] == "gpu.example:8443"
    assert request.extensions["sni_hostname"] == "gpu.example"
    assert len(network.answers) == 1  # nobody asked again, so nobody could answer otherwise


@pytest.mark.parametrize(
    "addresses",
    [
        [PRIVATE],
        [PUBLIC, PRIVATE],
        ["127.0.0.1"],
        ["169.254.169.254"],
        ["::1"],
        ["::ffff:10.0.0.1"],
        ["fe80::1%eth0"],
        [],
    ],
)
async def test_fetch__of_what_is_not_public__is_refused_before_anything_is_sent(addresses: list[str]) -> None:
    network = Network(addresses)
    with pytest.raises(SourceFault):
        await network.fetch()("http://gpu.example/v1/offers")
    assert network.requests == []


async def test_fetch__on_a_local_chain__reaches_loopback() -> None:
    network = Network(["127.0.0.1"])
    assert await network.fetch(allow_private=True)("http://localhost:1/x")


@pytest.mark.parametrize("url", ["ftp://h/x", "http://u:p@h/x", "http://", "nonsense", "http://[::1/x"])
async def test_fetch__of_no_address__is_refused(url: str) -> None:
    with pytest.raises(SourceFault):
        await Network([PUBLIC]).fetch()(url)


async def test_fetch__answered_with_too_much__stops() -> None:
    with pytest.raises(SourceFault, match="more than 99 bytes"):
        await Network([PUBLIC]).fetch()("http://h/x", 99)


async def test_request__passed_on__keeps_its_headers_and_stops_at_the_limit() -> None:
    network = Network([PUBLIC], [PUBLIC])
    asked = Asked("POST", "http://gpu.example/v1/leases/1/start", b"{}", {"x-assay-signature": "0x01"}, bytes(32))
    async with network.fetch().passed_on(asked, 100, 5) as answer:
        assert (answer.status, b"".join([piece async for piece in answer.pieces])) == (200, b"x" * 100)
    assert network.requests[0].headers["x-assay-signature"] == "0x01"
    assert network.requests[0].content == b"{}"
    with pytest.raises(SourceFault, match="more than 99"):
        async with network.fetch().passed_on(asked, 99, 5) as answer:
            async for _ in answer.pieces:
                pass

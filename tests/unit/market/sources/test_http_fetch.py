"""What the market fetches from strangers: bounded, and each fault told as one of a source."""

from __future__ import annotations

import pytest

from assay.market.errors import SourceFault
from assay.market.sources.http_fetch import Asked, HttpFetch
from assay.network.client import Client
from assay.network.origins import Endpoint
from tests.stand_in import Reply, StandIn

PIN = b"\1" * 32


def fetching(reply: Reply) -> tuple[HttpFetch, StandIn]:
    network = StandIn(lambda _: reply)
    return HttpFetch(Client(network)), network


async def test_fetch__of_an_endpoint__takes_any_certificate_since_the_content_proves_itself() -> None:
    fetch, network = fetching(Reply(body=b"x" * 100))
    assert await fetch("https://gpu.example:8443/", "/v1/offers") == b"x" * 100
    (request,) = network.requests
    assert (request.origin.url, request.path, request.fingerprint) == (
        "https://gpu.example:8443",
        "/v1/offers",
        None,
    )


@pytest.mark.parametrize("endpoint", ["ftp://h", "http://u:p@h", "http://", "nonsense", "http://[::1", "http://h/x"])
async def test_fetch__of_no_origin__is_refused_before_anything_is_sent(endpoint: str) -> None:
    fetch, network = fetching(Reply())
    with pytest.raises(SourceFault):
        await fetch(endpoint, "/v1/offers")
    assert network.requests == []


async def test_fetch__answered_with_too_much_or_a_refusal__is_a_fault() -> None:
    with pytest.raises(SourceFault, match="longer than 99 bytes"):
        await fetching(Reply(body=b"x" * 100))[0]("http://h", "/x", 99)
    with pytest.raises(SourceFault, match="HTTP 302"):
        await fetching(Reply(302))[0]("http://h", "/x")


async def test_request__passed_on__keeps_its_headers_and_pin_and_stops_at_the_limit() -> None:
    asked = Asked(
        "POST", Endpoint("https://gpu.example", PIN), "/v1/leases/1/start", b"{}", {"x-assay-signature": "0x"}
    )
    fetch, network = fetching(Reply(403, [b"x" * 50, b"x" * 50]))
    async with fetch.passed_on(asked, 100, 5) as answer:
        assert (answer.status, b"".join([piece async for piece in answer.pieces])) == (403, b"x" * 100)
    (request,) = network.requests
    assert request.headers["x-assay-signature"] == "0x"
    assert (request.body, request.fingerprint) == (b"{}", PIN)
    with pytest.raises(SourceFault, match="longer than 99"):
        async with fetch.passed_on(asked, 99, 5) as answer:
            async for _ in answer.pieces:
                pass

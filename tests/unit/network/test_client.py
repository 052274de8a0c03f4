"""The client's limits, over a network of functions."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from assay.network.backoff import Backoff, Failures
from assay.network.client import Client
from assay.network.errors import BadOrigin, RequestFailed
from assay.network.exchange import Request
from assay.network.origins import Endpoint
from tests.stand_in import Reply, StandIn

HOST = Endpoint("https://a.example")
RIGHT, WRONG = b"\1" * 32, b"\2" * 32


def get(client: Client, endpoint: Endpoint = HOST, path: str = "/x", timeout_s: float = 5.0):
    return client.request("GET", endpoint, path, max_bytes=100, timeout_s=timeout_s)


async def test_request__answered__is_one_whole_answer_and_gives_the_connection_back():
    reply = Reply(418, [b"a", b"b"])
    network = StandIn(lambda _: reply)
    answer = await Client(network).request("POST", HOST, "/x?y=1", body=b"{}", max_bytes=2, timeout_s=5.0)
    assert (answer.status, answer.body, reply.closed) == (418, b"ab", True)
    (sent,) = network.requests
    assert (sent.method, sent.path, sent.body, sent.headers) == (
        "POST",
        "/x?y=1",
        b"{}",
        {"content-type": "application/json"},
    )


@pytest.mark.parametrize("path", ["", "x", "/a b", "/a\r\nHost: b", "/\xe9", "/a\0"])
async def test_request__path_that_would_split_the_request__never_leaves(path):
    network = StandIn(lambda _: Reply())
    with pytest.raises(RequestFailed, match="is not a request path"):
        await get(Client(network), path=path)
    assert network.requests == []


async def test_request__endpoint_that_is_no_origin__never_leaves():
    network = StandIn(lambda _: Reply())
    with pytest.raises(BadOrigin):
        await get(Client(network), Endpoint("https://["))
    assert network.requests == []


async def test_request__longer_than_its_limit__is_given_up_and_closed():
    reply = Reply(200, [b"x" * 60] * 3)
    with pytest.raises(RequestFailed, match="longer than 100 bytes"):
        await get(Client(StandIn(lambda _: reply)))
    assert reply.closed


class Drip(Reply):
    """A byte at a time, without end."""

    async def pieces(self) -> AsyncIterator[bytes]:
        while True:
            yield b"x"
            await asyncio.sleep(0)
            await asyncio.Event().wait()


async def test_request__that_drips_or_never_begins__ends_with_its_deadline():
    async def never(_: Request) -> Reply:
        await asyncio.Event().wait()
        raise AssertionError

    for network in (StandIn(lambda _: Drip()), StandIn(never)):
        with pytest.raises(RequestFailed, match="no complete answer within"):
            await get(Client(network), timeout_s=0.01)


async def test_stream__past_its_time_or_size__is_given_up():
    for options, reason in (({"timeout_s": 0.01}, "not finished within"), ({"max_bytes": 0}, "longer than 0")):
        with pytest.raises(RequestFailed, match=reason):
            async with Client(StandIn(lambda _: Drip())).stream("GET", HOST, "/x", **options) as answer:
                async for _ in answer.pieces:
                    pass


async def test_pin__wrong_one_announced_by_another_account__changes_nothing_for_the_right_one():
    def answer(request: Request) -> Reply:
        if request.fingerprint != RIGHT:
            raise RequestFailed("another certificate")
        return Reply(200, b"{}")

    client = Client(StandIn(answer), backoff=Backoff(1e6, 2.0, 1e6))
    for _ in range(3):
        with pytest.raises(RequestFailed):
            await get(client, Endpoint(HOST.url, WRONG), timeout_s=0.01)
        assert (await get(client, Endpoint(HOST.url, RIGHT))).status == 200


def test_backoff__failure_after_failure__grows_to_its_longest_and_ends_with_an_answer():
    backoff, now = Backoff(first_s=1.0, factor=2.0, longest_s=5.0, free=1), [0.0]
    assert [backoff.after(count) for count in range(7)] == [0.0, 0.0, 1.0, 2.0, 4.0, 5.0, 5.0]
    assert backoff.after(10**6) == 5.0
    failures = Failures(backoff, lambda: now[0])
    for _ in range(3):
        failures.failed("a")
    assert (failures.wait("a"), failures.wait("b")) == (2.0, 0.0)
    now[0] = 1.5
    assert failures.wait("a") == 0.5
    failures.answered("a")
    failures.failed("a")
    assert failures.wait("a") == 0.0


async def test_request__to_who_does_not_answer__is_spaced_out():
    def refuse(_: Request) -> Reply:
        raise RequestFailed("nobody there")

    network = StandIn(refuse)
    client = Client(network, backoff=Backoff(first_s=1e6, factor=2.0, longest_s=1e6, free=1))
    for _ in range(5):
        with pytest.raises(RequestFailed):
            await get(client, timeout_s=0.01)
    assert len(network.requests) == 2

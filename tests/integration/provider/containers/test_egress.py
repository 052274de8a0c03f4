"""The proxy that is a workload's only way out: what it passes on, and what it refuses, on real sockets."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from ipaddress import ip_address

import pytest

from assay.provider.runtime.egress_proxy import Address, EgressProxy, Streams
from assay.provider.runtime.egress_rules import EgressRules

PUBLIC = "93.184.216.34"


class Outside:
    """A web server that stands for the internet, and the names that lead to it or elsewhere."""

    def __init__(self) -> None:
        self.names = {"example.org": [PUBLIC], "inside.org": ["10.0.0.1"], "both.org": ["169.254.169.254", PUBLIC]}
        self.dialled: list[str] = []
        self.heads: list[bytes] = []
        self.port = 0

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.heads.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello")
        writer.close()

    async def look_up(self, host: str, port: int) -> list[Address]:
        if host not in self.names:
            try:
                return [ip_address(host)]
            except ValueError:
                raise OSError("no such name") from None
        return [ip_address(one) for one in self.names[host]]

    async def dial(self, address: Address, port: int) -> Streams:
        self.dialled.append(f"{address}:{port}")
        return await asyncio.open_connection("127.0.0.1", self.port)


@pytest.fixture
async def outside() -> AsyncIterator[Outside]:
    world = Outside()
    web = await asyncio.start_server(world.answer, "127.0.0.1", 0)
    world.port = web.sockets[0].getsockname()[1]
    async with web:
        yield world


async def ask(outside: Outside, rules: list[str], request: bytes, then: bytes = b"") -> bytes:
    """Everything that the proxy answers to one request."""
    listening = socket.create_server(("127.0.0.1", 0))
    proxy = EgressProxy(EgressRules.parse(rules), outside.look_up, outside.dial)
    serving = asyncio.create_task(proxy.serve(listening))
    reader, writer = await asyncio.open_connection(*listening.getsockname())
    writer.write(request)
    answer = b""
    if then:
        answer = await reader.readuntil(b"\r\n\r\n")
        writer.write(then)
    answer += await asyncio.wait_for(reader.read(), 10)
    writer.close()
    serving.cancel()
    await asyncio.gather(serving, return_exceptions=True)
    return answer


async def test_plain_request__to_the_internet__is_passed_on_as_one_without_what_is_the_proxys(outside: Outside) -> None:
    request = b"GET http://example.org:8080/a?b=1 HTTP/1.1\r\nHost: example.org\r\nProxy-Connection: keep-alive\r\n\r\n"
    assert (await ask(outside, ["internet"], request)).endswith(b"hello")
    assert outside.dialled == [f"{PUBLIC}:8080"]
    assert outside.heads == [b"GET /a?b=1 HTTP/1.1\r\nHost: example.org\r\nconnection: close\r\n\r\n"]


async def test_tunnel__to_the_internet__carries_bytes_both_ways(outside: Outside) -> None:
    answer = await ask(outside, ["internet"], b"CONNECT example.org:443 HTTP/1.1\r\n\r\n", b"opaque\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 200") and answer.endswith(b"hello")
    assert outside.heads == [b"opaque\r\n\r\n"]


async def test_name__with_a_private_and_a_public_address__is_connected_to_the_public_one(outside: Outside) -> None:
    await ask(outside, ["internet"], b"CONNECT both.org:443 HTTP/1.1\r\n\r\n", b"x\r\n\r\n")
    assert outside.dialled == [f"{PUBLIC}:443"]


@pytest.mark.parametrize(
    ("rules", "target"),
    [
        (["internet"], "127.0.0.1:8700"),
        (["internet"], "169.254.169.254:80"),
        (["internet"], "inside.org:443"),
        (["internet"], "[::1]:8700"),
        (["internet"], "[::ffff:127.0.0.1]:8700"),
        (["internet"], "example.org:25"),
        (["internet"], "0.0.0.0:8700"),
        (["data.example.org"], "example.org:443"),
        (["data.example.org"], f"{PUBLIC}:443"),
        (["example.org"], "example.org:22"),
    ],
)
async def test_request__to_the_host_metadata_or_off_the_list__is_403_and_nothing_is_dialled(
    outside: Outside, rules: list[str], target: str
) -> None:
    for request in (f"CONNECT {target} HTTP/1.1\r\n\r\n", f"GET http://{target}/ HTTP/1.1\r\n\r\n"):
        assert (await ask(outside, rules, request.encode())).startswith(b"HTTP/1.1 403 ")
    assert outside.dialled == []


@pytest.mark.parametrize(
    "request_",
    [
        b"garbage\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET ftp://example.org/ HTTP/1.1\r\n\r\n",
        b"CONNECT :443 HTTP/1.1\r\n\r\n",
        b"CONNECT example.org:x HTTP/1.1\r\n\r\n",
        b"CONNECT a\x00b:443 HTTP/1.1\r\n\r\n",
        b"GET http://example.org/ FTP/9\r\n\r\n",
    ],
)
async def test_request__malformed__is_400(outside: Outside, request_: bytes) -> None:
    assert (await ask(outside, ["internet"], request_)).startswith(b"HTTP/1.1 400 ")
    assert outside.dialled == []


async def test_request__endless_head_or_unknown_name__ends(outside: Outside) -> None:
    assert await ask(outside, ["internet"], b"GET " + b"a" * 40_000) == b""
    assert (await ask(outside, ["internet"], b"CONNECT nowhere.org:443 HTTP/1.1\r\n\r\n")).startswith(b"HTTP/1.1 502 ")

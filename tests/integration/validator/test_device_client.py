"""The client that devices are asked with, against real sockets: whom it speaks to, how much it reads, what it times."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from assay.chain.certificate import create_certificate, server_context
from assay.network import exchange
from assay.network.addresses import Addresses
from assay.network.client import Client
from assay.network.exchange import HttpExchange
from assay.validator.device_client import DeviceClient
from assay.validator.errors import DeviceFailure
from assay.validator.rules.values import Device

HEAD = b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n"
DEVICE = Device(bytes(32), "", "", 1, "", leased=False)
Write = Callable[[asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def device(write: Write, ssl=None):
    """A device whose every answer is what `write` writes."""

    async def served(reader, writer):
        while await reader.readline():
            head = await reader.readuntil(b"\r\n\r\n")
            length = [int(line[16:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length: ")]
            await reader.readexactly(sum(length))
            await write(writer)

    server = await asyncio.start_server(served, "127.0.0.1", 0, ssl=ssl)
    scheme = "https" if ssl else "http"
    try:
        yield replace(DEVICE, endpoint=f"{scheme}://127.0.0.1:{server.sockets[0].getsockname()[1]}/")
    finally:
        server.close()


@pytest.fixture
async def client():
    client = DeviceClient(Client(HttpExchange(Addresses(allow_private=True))))
    yield client
    await client.close()


async def plain(writer: asyncio.StreamWriter) -> None:
    writer.write(HEAD % 4 + b"rows")


async def test_device__announced_certificate_or_another__only_the_announced_one_is_spoken_to(tmp_path, client):
    own = create_certificate(tmp_path / "own", "assay-provider")
    other = create_certificate(tmp_path / "other", "assay-provider")
    async with device(plain, ssl=server_context(tmp_path / "own")) as asked:
        assert await client.opening(replace(asked, tls_fingerprint=own), b"{}", 10, 5.0) == b"rows"
        with pytest.raises(DeviceFailure, match="certificate"):
            await client.opening(replace(asked, tls_fingerprint=other), b"{}", 10, 5.0)
        with pytest.raises(DeviceFailure, match="self-signed"):
            await client.opening(asked, b"{}", 10, 5.0)


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (HEAD % 13 + b"r" * 13, "longer than 11 bytes"),
        (b"HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n", "HTTP 302"),
        (b"HTTP/1.1 503 No\r\ncontent-length: 4\r\n\r\nbusy", "HTTP 503: b'busy'"),
        (b"\0" * 64 + b"\r\n\r\n", "400"),
        (b"HTTP/1.1 200 OK\r\nx: " + b"y" * (1 << 20) + b"\r\n\r\n", "400"),
    ],
    ids=["too long", "redirect", "busy", "no HTTP", "long header"],
)
async def test_device__answer_that_is_none__refused(client, answer, reason):
    async def write(writer):
        writer.write(answer)

    async with device(write) as asked:
        with pytest.raises(DeviceFailure, match=reason):
            await client.opening(asked, b"{}", 10, 5.0)


async def test_device__compressed_answer__left_as_it_is(client):
    async def write(writer):
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 4\r\n\r\nrows")

    async with device(write) as asked:
        assert await client.opening(asked, b"{}", 10, 5.0) == b"rows"


async def test_device__answer_byte_by_byte__given_up_in_time(client):
    async def write(writer):
        writer.write(HEAD % 1_000)
        for _ in range(1_000):
            writer.write(b"r")
            await asyncio.sleep(0.01)

    async with device(write) as asked:
        started = time.monotonic()
        with pytest.raises(DeviceFailure):
            await client.opening(asked, b"{}", 1_000, 0.2)
        assert time.monotonic() - started < 5


@pytest.mark.parametrize("endpoint", ["", "http://", "ftp://127.0.0.1", "http://127.0.0.1:99999", "http://127.0.0.1:1"])
async def test_device__endpoint_that_leads_nowhere__refused(client, endpoint):
    with pytest.raises(DeviceFailure):
        await client.opening(replace(DEVICE, endpoint=endpoint), b"{}", 10, 5.0)


async def test_device__others_are_connected_to_first__clock_starts_when_its_own_request_leaves(client, monkeypatch):
    monkeypatch.setattr(exchange, "CONNECTING_AT_ONCE", 1)
    sent = []
    async with device(plain) as asked:
        slots = client._client._exchange.session().connector._slots
        await slots.acquire()
        answer = asyncio.create_task(client.challenge(asked, b"{}", 5.0, lambda: sent.append(True)))
        await asyncio.sleep(0.1)
        assert not sent
        slots.release()
        assert await answer == b"rows"
        assert sent == [True]

"""A provider behind a relay, over real sockets and TLS: the pinned client reaches it, and nobody reads on the way."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from assay.chain.certificate import create_certificate, server_context
from assay.chain.key_files import Key
from assay.network.client import Client
from assay.network.connections import ConnectionLimits
from assay.network.errors import RequestFailed
from assay.network.origins import Endpoint, parse_origin
from assay.network.pipe import Duplex
from assay.network.port_range import PortRange
from assay.network.server import listening_socket, server, serving
from assay.protocol.encoding import device_id
from assay.protocol.signing import Domain
from assay.provider.relayed.relay_client import Identity, RelayClient, local_opener, relay_opener
from assay.relay.admission import Listed
from assay.relay.port_book import PortBook, PortRules
from assay.relay.relay import Relay

DOMAIN = Domain(31_337, "0x5FbDB2315678afecb367f032d93F642f64180aa3")
ALICE = "0x1111111111111111111111111111111111111111"
KEY = Key(b"\x01" * 32)
SECRET, LONG = "word-that-no-relay-may-see", 3 << 20
WAIT_S = 60


@dataclass
class Heard:
    """What was read on the way, at the relay and by the provider's side of it, and who called the provider."""

    passed: bytearray = field(default_factory=bytearray)
    callers: list[str] = field(default_factory=list)


@dataclass
class Behind:
    """The relayed address, the provider's fingerprint, the relay, its client, what was heard."""

    url: str
    fingerprint: bytes
    relay: Relay
    task: asyncio.Task[None]
    heard: Heard
    port: int


def free_port() -> int:
    with listening_socket("127.0.0.1", 0) as one:
        return int(one.getsockname()[1])


@pytest.fixture
async def behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Behind]:
    heard = Heard()

    async def application(scope: Any, receive: Any, send: Any) -> None:
        heard.callers.append(scope["client"][0])
        body = SECRET.encode() if scope["path"] == "/short" else b"x" * LONG
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": body})

    pin = create_certificate(tmp_path / "provider")
    relay_pin = create_certificate(tmp_path / "relay", "assay-relay")
    port = free_port()
    book = PortBook(":memory:", PortRules(PortRange(port, port), 4, 3_600), lambda: 0.0)

    def listen(number: int) -> Any:
        return listening_socket("127.0.0.1", number, ConnectionLimits(100, 50))

    reading = asyncio.StreamReader.read

    async def overheard(self: asyncio.StreamReader, size: int = -1) -> bytes:
        data = await reading(self, size)
        heard.passed += data
        return data

    monkeypatch.setattr(asyncio.StreamReader, "read", overheard)
    relay = Relay(Listed({device_id(ALICE, KEY.address)}), book, DOMAIN, relay_pin, listen)
    context = server_context(tmp_path / "relay")
    assert context is not None
    listening = listening_socket("127.0.0.1", 0)
    origin = parse_origin(f"https://127.0.0.1:{listening.getsockname()[1]}")
    own = listening_socket("127.0.0.1", 0)
    granted = asyncio.Event()

    def on_ports(ports: Sequence[int] | None) -> None:
        if ports:
            granted.set()

    client = RelayClient(
        relay_opener(origin, relay_pin),
        local_opener([own.getsockname()[1]]),
        Identity(ALICE, KEY.sign_digest, DOMAIN, relay_pin),
        1,
        on_ports,
    )
    taking = await relay.serve(listening, context)
    async with serving(server(application, server_context(tmp_path / "provider")), own):
        task = asyncio.create_task(client.run())
        async with asyncio.timeout(WAIT_S):
            await granted.wait()
        yield Behind(f"https://127.0.0.1:{port}", pin, relay, task, heard, port)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    taking.close()
    await relay.close()
    book.close()


@contextlib.asynccontextmanager
async def renter() -> AsyncIterator[Client]:
    client = Client.over_network(allow_private=True)
    try:
        yield client
    finally:
        await client.close()


async def test_request__of_the_pinned_client__is_answered_and_not_read_on_the_way(behind: Behind) -> None:
    async with renter() as client:
        where = Endpoint(behind.url, behind.fingerprint)
        short = await client.request("GET", where, "/short", max_bytes=100, timeout_s=WAIT_S)
        assert short.body == SECRET.encode()
        long = await client.request("GET", where, "/long", max_bytes=2 * LONG, timeout_s=WAIT_S)
        assert long.body == b"x" * LONG
    assert len(behind.heard.passed) > LONG and SECRET.encode() not in behind.heard.passed
    assert b"x" * 64 not in behind.heard.passed and b"/short" not in behind.heard.passed
    (link,) = behind.relay.links.values()
    assert link.bytes_out > LONG and behind.relay.counts.streams >= 1
    (caller,) = set(behind.heard.callers)
    assert caller.startswith("127.") and caller != "127.0.0.1", "each caller has an address of its own"


async def test_relay__that_ends_tls_itself__is_refused_by_the_pin(behind: Behind, tmp_path: Path) -> None:
    create_certificate(tmp_path / "hostile")
    asked: list[str] = []

    async def reads(scope: Any, receive: Any, send: Any) -> None:
        asked.append(scope["path"])

    listening = listening_socket("127.0.0.1", 0)
    async with serving(server(reads, server_context(tmp_path / "hostile")), listening), renter() as client:
        hostile = f"https://127.0.0.1:{listening.getsockname()[1]}"
        with pytest.raises(RequestFailed, match="the registry names"):
            await client.request(
                "GET", Endpoint(hostile, behind.fingerprint), "/short", max_bytes=100, timeout_s=WAIT_S
            )
    assert asked == []


async def test_provider__shown_another_certificate_by_a_relay__sends_nothing(tmp_path: Path) -> None:
    create_certificate(tmp_path)
    said: list[bytes] = []

    async def hostile(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        said.append(await reader.read(1_000))
        writer.close()

    listening = await asyncio.start_server(hostile, "127.0.0.1", 0, ssl=server_context(tmp_path))
    origin = parse_origin(f"https://127.0.0.1:{listening.sockets[0].getsockname()[1]}")
    with pytest.raises(ssl.SSLCertVerificationError):
        await relay_opener(origin, b"\x07" * 32)()
    listening.close()
    assert not any(said)


async def test_provider__that_goes_away__frees_its_port_and_its_streams_end(behind: Behind) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", behind.port)
    streams = Duplex(reader, writer)
    behind.task.cancel()
    async with asyncio.timeout(WAIT_S):
        while behind.relay.links:  # noqa: ASYNC110 - the relay tells nobody
            await asyncio.sleep(0.01)
    listening_socket("127.0.0.1", behind.port).close()
    assert behind.relay.book.held() == 1
    streams.abort()

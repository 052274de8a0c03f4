"""What strangers do to a daemon's server, over real sockets."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from starlette.requests import Request
from starlette.types import Receive, Scope, Send

from assay.chain.certificate import create_certificate, server_context
from assay.network import server as module
from assay.network.connections import ConnectionLimits
from assay.network.server import listening_socket, server, serving

HEADERS_S = 0.3
HALF = b"GET / HTTP/1.1\r\nhost: a\r\nx-a: "
WHOLE = b"GET / HTTP/1.1\r\nhost: a\r\n\r\n"
Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def fine(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"{}"})


@asynccontextmanager
async def served(
    limits: ConnectionLimits, app=fine, tls: ssl.SSLContext | None = None, headers_s: float = HEADERS_S
) -> AsyncIterator[int]:
    listening = listening_socket("127.0.0.1", 0, limits)
    port = int(listening.getsockname()[1])
    async with serving(server(app, tls, headers_s), listening):
        yield port


async def connect(port: int, local: str = "127.0.0.2") -> Connection:
    return await asyncio.open_connection("127.0.0.1", port, local_addr=(local, 0))


async def answers(connection: Connection) -> bool:
    reader, writer = connection
    try:
        writer.write(WHOLE)
        return b"200" in await asyncio.wait_for(reader.readline(), 2)
    except OSError:
        return False


async def is_closed(connection: Connection, within_s: float) -> bool:
    try:
        return await asyncio.wait_for(connection[0].read(1), within_s) == b""
    except ConnectionError:
        return True
    except TimeoutError:
        return False


def strict(in_all: int = 100, of_one: int = 1_000) -> ConnectionLimits:
    return ConnectionLimits(in_all, of_one, exempt=lambda _: False)


@pytest.mark.parametrize("secure", [False, True])
async def test_connections__half_sent_from_one_address__leave_room_for_others(secure: bool, tmp_path) -> None:
    create_certificate(tmp_path)
    limits = strict()
    async with served(limits, tls=server_context(tmp_path) if secure else None, headers_s=60) as port:
        held = [await connect(port) for _ in range(120)]
        for _, writer in held:
            writer.write(b"" if secure else HALF)
        await asyncio.sleep(0.2)
        assert limits.open == 25
        if not secure:
            assert await answers(await connect(port, "127.0.0.3"))
        for _, writer in held:
            writer.close()


async def test_connection__tls_that_never_shakes_hands__is_closed_when_its_time_is_over(tmp_path) -> None:
    create_certificate(tmp_path)
    limits = strict()
    async with served(limits, tls=server_context(tmp_path)) as port:
        connection = await connect(port)
        assert await is_closed(connection, 4 * HEADERS_S)
        assert limits.open == 0


@pytest.mark.parametrize("begun", [b"", HALF, WHOLE + HALF])
async def test_connection__request_half_sent__is_closed_when_its_time_is_over(begun: bytes) -> None:
    limits = strict()
    async with served(limits) as port:
        connection = await connect(port)
        connection[1].write(begun)
        if begun.startswith(WHOLE):
            await connection[0].readuntil(b"{}")
        for _ in range(8):  # a byte now and then buys no time
            await asyncio.sleep(HEADERS_S / 4)
            connection[1].write(b"x" if begun else b"")
        assert await is_closed(connection, 1)
        connection[1].close()
        await asyncio.sleep(0.05)
        assert limits.open == 0


async def test_connection__idle_between_requests_or_slow_to_be_answered__stays() -> None:
    async def slow(scope: Scope, receive: Receive, send: Send) -> None:
        await asyncio.sleep(2 * HEADERS_S)
        await fine(scope, receive, send)

    async with served(strict(), slow) as port:
        connection = await connect(port)
        for _ in range(2):
            assert await answers(connection)
            await connection[0].readuntil(b"{}")
            await asyncio.sleep(2 * HEADERS_S)
        connection[1].close()


async def test_connection__refused_body_that_goes_on__is_closed_when_its_time_is_over() -> None:
    async with served(strict()) as port:
        connection = await connect(port)
        connection[1].write(b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 9999\r\n\r\nx")
        await connection[0].readuntil(b"{}")
        for _ in range(8):
            connection[1].write(b"x")
            await asyncio.sleep(HEADERS_S / 4)
        assert await is_closed(connection, 1)
        connection[1].close()


@pytest.mark.parametrize("begun", [False, True])
async def test_request__not_answered_when_the_daemon_stops__is_told_or_cut_off_and_no_error_of_ours(
    begun: bool, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(module, "SHUTDOWN_S", 0.2)
    asked = asyncio.Event()

    async def never(scope: Scope, receive: Receive, send: Send) -> None:
        if begun:
            await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"9")]})
            await send({"type": "http.response.body", "body": b"half", "more_body": True})
        asked.set()
        await asyncio.Event().wait()

    async with served(strict(), never) as port:
        reader, writer = await connect(port)
        writer.write(WHOLE)
        await asyncio.wait_for(asked.wait(), 5)
    said = await asyncio.wait_for(reader.read(), 5)
    if begun:
        assert said.endswith(b"\r\n\r\nhalf")
    else:
        assert said.startswith(b"HTTP/1.1 503 ") and said.endswith(b'{"error":"this daemon stops"}')
    assert not [record for record in caplog.records if record.exc_info]
    writer.close()


async def test_request__hung_up_in_the_middle_of_its_body__is_no_error_of_ours(
    caplog: pytest.LogCaptureFixture,
) -> None:
    ended = asyncio.Event()

    async def reads(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await Request(scope, receive).body()
        finally:
            ended.set()

    async with served(strict(), reads) as port:
        _, writer = await connect(port)
        writer.write(b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 100\r\n\r\nhalf")
        await writer.drain()
        await asyncio.sleep(0.1)
        writer.close()
        await asyncio.wait_for(ended.wait(), 5)
    assert not caplog.records


async def test_connection__accepted__waits_for_no_acknowledgement_between_two_writes() -> None:
    found: list[int] = []
    done = asyncio.Event()

    def accepted(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        found.append(writer.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
        writer.close()
        done.set()

    listening = listening_socket("127.0.0.1", 0, strict())
    serving_it = await asyncio.start_server(accepted, sock=listening)
    _, writer = await connect(int(listening.getsockname()[1]))
    async with asyncio.timeout(60):
        await done.wait()
    writer.close()
    serving_it.close()
    assert found == [1]

"""An answer that is passed on and breaks off midway must not look whole to whoever asked."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress

import pytest
from fastapi import FastAPI

from assay.market.sources.http_fetch import Asked, HttpFetch
from assay.network.client import Client
from assay.network.connections import ConnectionLimits
from assay.network.errors import NetworkError
from assay.network.origins import Endpoint
from assay.network.server import listening_socket, server, serving
from assay.network.slots import SlotResponse, Slots

HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
BROKEN = {
    "length": HEAD + b"content-length: 100\r\n\r\n{}",
    "chunks": HEAD + b"transfer-encoding: chunked\r\n\r\n2\r\n{}\r\n",
    "in a chunk": HEAD + b"transfer-encoding: chunked\r\n\r\n20\r\n{}",
}
WHOLE = {
    "length": HEAD + b"content-length: 2\r\n\r\n{}",
    "chunks": HEAD + b"transfer-encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
}


@asynccontextmanager
async def saying(answer: bytes) -> AsyncIterator[Endpoint]:
    """A provider that says this and closes the connection."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError):
            await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        await writer.drain()
        writer.close()

    listening = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with listening:
        yield Endpoint(f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}", own=True)


@asynccontextmanager
async def relay(provider: Endpoint) -> AsyncIterator[tuple[Endpoint, Slots]]:
    """Passes on as the market does."""
    app, slots = FastAPI(), Slots(4, 4)
    fetch = HttpFetch(Client.over_network(allow_private=True))

    @app.get("/", response_model=None)
    async def pass_on() -> SlotResponse:
        stack = AsyncExitStack()
        asked = Asked("GET", provider, "/", b"", {})
        answer = await stack.enter_async_context(fetch.passed_on(asked, 1 << 20, 10.0))
        return SlotResponse(slots.take("a"), answer.pieces, media_type="application/json", stack=stack)

    listening = listening_socket("127.0.0.1", 0, ConnectionLimits(10, 10))
    async with serving(server(app), listening):
        yield Endpoint(f"http://127.0.0.1:{listening.getsockname()[1]}", own=True), slots
    await fetch.close()


async def asked_whole(client: Client, endpoint: Endpoint) -> bytes:
    return (await client.request("GET", endpoint, "/", max_bytes=1_000, timeout_s=5)).body


async def asked_in_pieces(client: Client, endpoint: Endpoint) -> bytes:
    async with client.stream("GET", endpoint, "/") as answer:
        return b"".join([piece async for piece in answer.pieces])


@pytest.mark.parametrize("ask", [asked_whole, asked_in_pieces])
@pytest.mark.parametrize("answer", BROKEN)
async def test_answer__broken_off_on_the_way__is_no_answer_here_or_behind_a_relay(
    answer: str, ask: Callable[[Client, Endpoint], object]
) -> None:
    client = Client.over_network(allow_private=True)
    async with saying(BROKEN[answer]) as provider, relay(provider) as (passing_on, slots):
        for endpoint in (provider, passing_on):
            with pytest.raises(NetworkError):
                await ask(client, endpoint)  # type: ignore[misc]
        assert slots.taken == 0
    await client.close()


@pytest.mark.parametrize("answer", WHOLE)
async def test_answer__whole__is_passed_on_as_it_came(answer: str) -> None:
    client = Client.over_network(allow_private=True)
    async with saying(WHOLE[answer]) as provider, relay(provider) as (passing_on, _):
        assert await asked_in_pieces(client, passing_on) == b"{}"
    await client.close()

"""What strangers do to whoever asks them, over real sockets."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from assay.chain.certificate import create_certificate, server_context
from assay.network.addresses import Addresses
from assay.network.client import Client
from assay.network.errors import RefusedAddress, RequestFailed, Silence
from assay.network.exchange import HttpExchange
from assay.network.origins import Endpoint
from assay.renter.http_client import HttpClient

HEAD = b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n"
Answer = Callable[[asyncio.StreamWriter], Awaitable[None]]


class Stranger:
    """A server on this machine that counts who comes."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        self.came = 0
        self.port = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.came += 1
        try:
            await reader.readuntil(b"\r\n\r\n")
            await self._answer(writer)
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def stranger(answer: Answer, tls: Path | None = None) -> AsyncIterator[Stranger]:
    one = Stranger(answer)
    server = await asyncio.start_server(one.serve, "127.0.0.1", 0, ssl=server_context(tls) if tls else None)
    one.port = server.sockets[0].getsockname()[1]
    try:
        yield one
    finally:
        server.close()


@asynccontextmanager
async def asking(*answers: Sequence[str], allow_private: bool = True) -> AsyncIterator[Client]:
    """A client whose name server answers differently each time."""
    left = list(answers)

    async def resolve(host: str, port: int) -> Sequence[str]:
        return left.pop(0)

    client = Client(HttpExchange(Addresses(allow_private, resolve)))
    try:
        yield client
    finally:
        await client.close()


async def get(client: Client, endpoint: Endpoint, timeout_s: float = 5.0, **options):
    return await client.request("GET", endpoint, "/x", most_bytes=1_000, timeout_s=timeout_s, **options)


async def fine(writer: asyncio.StreamWriter) -> None:
    writer.write(HEAD % 2 + b"{}")
    await writer.drain()


async def drip(writer: asyncio.StreamWriter) -> None:
    writer.write(HEAD % 900)
    for _ in range(900):
        writer.write(b"x")
        await writer.drain()
        await asyncio.sleep(0.02)


async def begin_and_stall(writer: asyncio.StreamWriter) -> None:
    writer.write(HEAD % 900 + b"line\n")
    await writer.drain()
    await asyncio.sleep(3600)


async def stall(writer: asyncio.StreamWriter) -> None:
    await asyncio.sleep(3600)


@pytest.mark.parametrize("host", ["gpu.example", "127.0.0.1"])
async def test_request__led_into_our_own_network__makes_no_connection(host: str) -> None:
    async with stranger(fine) as inside, asking(["127.0.0.1"], allow_private=False) as client:
        with pytest.raises(RefusedAddress):
            await get(client, Endpoint(f"http://{host}:{inside.port}"))
        assert inside.came == 0


async def test_request__name_that_answers_otherwise_the_second_time__goes_to_the_address_looked_at() -> None:
    async with stranger(fine) as inside, asking(["127.0.0.1"], ["203.0.113.1"]) as client:
        assert (await get(client, Endpoint(f"http://gpu.example:{inside.port}"))).body == b"{}"
        assert inside.came == 1


async def test_request__address_named_by_whoever_runs_us__may_be_inside() -> None:
    async with stranger(fine) as inside, asking(allow_private=False) as client:
        assert (await get(client, Endpoint(f"http://127.0.0.1:{inside.port}", own=True))).status == 200


@pytest.mark.parametrize("answer", [drip, begin_and_stall, stall])
async def test_request__answered_at_a_byte_now_and_then__ends_with_its_deadline(answer: Answer) -> None:
    async with stranger(answer) as slow, asking() as client:
        started = time.monotonic()
        with pytest.raises(RequestFailed):
            await get(client, Endpoint(f"http://127.0.0.1:{slow.port}"), timeout_s=0.3)
        assert time.monotonic() - started < 3


async def test_request__tls_that_never_shakes_hands__ends_with_its_deadline() -> None:
    async with stranger(stall) as slow, asking() as client:
        with pytest.raises(RequestFailed):
            await get(client, Endpoint(f"https://127.0.0.1:{slow.port}", b"\1" * 32), timeout_s=0.3)


async def test_following__through_a_proxy_that_forgets_the_connection__ends_after_a_silence() -> None:
    async with stranger(begin_and_stall) as forgetful, asking() as client:
        endpoint = Endpoint(f"http://127.0.0.1:{forgetful.port}")
        with pytest.raises(Silence):
            async with client.stream("GET", endpoint, "/x", read_s=0.2) as answer:
                assert [piece async for piece in answer.pieces] == [b"line\n"]
        followed = [piece async for piece in HttpClient(client).pieces_of(endpoint, "/x", read_s=0.2)]
        assert followed == [b"line\n"]


async def test_pin__wrong_one_announced_for_anothers_address__does_not_stop_the_right_one(tmp_path: Path) -> None:
    right = create_certificate(tmp_path / "tls")
    wrong = bytes(31) + b"\1"
    async with stranger(fine, tmp_path / "tls") as one, asking() as client:
        url = f"https://127.0.0.1:{one.port}"
        for pin in (wrong, right, wrong, right):
            if pin == right:
                assert (await get(client, Endpoint(url, pin))).status == 200
            else:
                with pytest.raises(RequestFailed, match="certificate"):
                    await get(client, Endpoint(url, pin))
        with pytest.raises(RequestFailed, match="self-signed"):
            await get(client, Endpoint(url))
        assert (await get(client, Endpoint(url), verified=False)).status == 200


async def test_redirect__into_our_own_network__is_not_followed() -> None:
    async def elsewhere(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 302 Found\r\nlocation: http://169.254.169.254/\r\ncontent-length: 0\r\n\r\n")
        await writer.drain()

    async with stranger(elsewhere) as one, asking() as client:
        assert (await get(client, Endpoint(f"http://127.0.0.1:{one.port}"))).status == 302

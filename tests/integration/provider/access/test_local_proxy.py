"""A port of this machine that leads to a provider: bytes pass only to the certificate that the registry names."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import pytest

from assay.chain.certificate import create_certificate, server_context
from assay.network.addresses import Addresses
from assay.network.origins import Endpoint
from assay.renter.errors import BadInput
from assay.renter.session.local_proxy import local_proxy

ANSWER = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}"

ANYWHERE = Addresses(allow_private=True)


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[tuple[str, bytes]]:
    """An https address and its certificate's fingerprint."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert b"GET /x" in await reader.readuntil(b"\r\n\r\n")
        writer.write(ANSWER)
        await writer.drain()
        writer.close()

    fingerprint = create_certificate(tmp_path / "tls")
    server = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=server_context(tmp_path / "tls"))
    yield f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}", fingerprint
    server.close()


async def test_local_proxy__certificate_of_the_registry__passes_on_what_a_browser_sends(
    served: tuple[str, bytes],
) -> None:
    async with (
        local_proxy(Endpoint(*served), ANYWHERE) as address,
        httpx2.AsyncClient(trust_env=False) as browser,
    ):
        assert address.startswith("http://127.0.0.1:")
        answers = await asyncio.gather(*(browser.get(f"{address}/x") for _ in range(3)))
        assert [answer.text for answer in answers] == ["{}"] * 3
        port = int(address.rsplit(":", 1)[1])
        with pytest.raises(BadInput, match=f"127.0.0.1:{port}"):
            async with local_proxy(Endpoint(*served), ANYWHERE, port):
                pass


async def test_local_proxy__another_certificate__passes_nothing_on(served: tuple[str, bytes]) -> None:
    async with (
        local_proxy(Endpoint(served[0], bytes(31) + b"\x01"), ANYWHERE) as address,
        httpx2.AsyncClient(trust_env=False) as browser,
    ):
        with pytest.raises(httpx2.HTTPError):
            await browser.get(f"{address}/x")

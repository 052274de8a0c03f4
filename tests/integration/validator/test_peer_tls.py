"""Seats speak to each other over TLS with the certificate that the chain announces, and to no other."""

from __future__ import annotations

import asyncio

import pytest

from assay.chain.certificate import create_certificate, server_context
from assay.network.client import Client
from assay.network.origins import Endpoint
from assay.validator.errors import PeerFailure
from assay.validator.peer_client import PeerClient

ACCOUNT = "0x" + "11" * 20
ANSWER = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}"


async def served(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(ANSWER)
    await writer.drain()
    writer.close()


async def asked(endpoint: Endpoint) -> int:
    peers = PeerClient(Client.over_network(allow_private=True))
    peers.update({ACCOUNT: endpoint})
    try:
        return (await peers.get(ACCOUNT, "/v1/status", 1_000, 5.0)).status
    finally:
        await peers.close()


async def test_peer__announced_certificate_or_another__only_the_announced_one_is_spoken_to(tmp_path):
    own = create_certificate(tmp_path / "own", "assay-validator")
    other = create_certificate(tmp_path / "other", "assay-validator")
    server = await asyncio.start_server(served, "127.0.0.1", 0, ssl=server_context(tmp_path / "own"))
    url = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    assert await asked(Endpoint(url, own)) == 200
    with pytest.raises(PeerFailure, match="certificate"):
        await asked(Endpoint(url, other))
    with pytest.raises(PeerFailure):  # no certificate announced: the system's authorities do not know it
        await asked(Endpoint(url))
    server.close()


@pytest.mark.parametrize("url", ["http://10.0.0.1:1", "http://validator.example", "http://[::2]:1"])
async def test_peer__plain_address_beyond_this_machine__is_not_spoken_to(url):
    with pytest.raises(PeerFailure, match="neither https nor http on this machine"):
        await asked(Endpoint(url))

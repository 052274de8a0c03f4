"""TLS without a certificate authority: the fingerprint decides, on real sockets."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from assay.chain.certificate import create_certificate, fingerprint_in, server_context
from assay.chain.errors import BadCertificate
from assay.network.client import Client
from assay.network.origins import Endpoint
from assay.network.server import listening_socket, server
from assay.renter.errors import Unreachable
from assay.renter.http_client import HttpClient


async def application(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"{}"})


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[tuple[str, bytes]]:
    """An https address and its certificate's fingerprint."""
    fingerprint = create_certificate(tmp_path / "tls")
    listening = listening_socket("127.0.0.1", 0)
    web = server(application, server_context(tmp_path / "tls"))
    task = asyncio.create_task(web.serve(sockets=[listening]))
    yield f"https://127.0.0.1:{listening.getsockname()[1]}", fingerprint
    web.should_exit = True
    await task


async def test_request__certificate_of_the_registry__is_answered(served: tuple[str, bytes]) -> None:
    http = HttpClient(Client.over_network(allow_private=True))
    assert await http.json_of("GET", Endpoint(served[0], served[1]), "/x") == {}
    await http.close()


async def test_request__another_certificate__fails_before_anything_is_sent(served: tuple[str, bytes]) -> None:
    http = HttpClient(Client.over_network(allow_private=True))
    with pytest.raises(Unreachable, match="the registry names"):
        await http.json_of("GET", Endpoint(served[0], bytes(31) + b"\x01"), "/x")
    await http.close()


async def test_request__no_fingerprint_announced__is_left_to_authorities_and_fails(served: tuple[str, bytes]) -> None:
    http = HttpClient(Client.over_network(allow_private=True))
    with pytest.raises(Unreachable, match="CERTIFICATE_VERIFY_FAILED"):
        await http.json_of("GET", Endpoint(served[0], bytes(32)), "/x")
    await http.close()


def test_certificate__made_once__key_is_the_owners_alone_and_never_overwritten(tmp_path: Path) -> None:
    fingerprint = create_certificate(tmp_path)
    assert fingerprint_in(tmp_path) == fingerprint
    assert (tmp_path / "key.pem").stat().st_mode & 0o777 == 0o600
    with pytest.raises(BadCertificate, match="already"):
        create_certificate(tmp_path)
    assert fingerprint_in(tmp_path) == fingerprint

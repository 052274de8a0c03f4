"""Connections to the SSH port are counted before anybody has logged in."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import asyncssh
import pytest

from assay.network.connections import ConnectionLimits, Listener
from assay.provider.access import ssh_socket as module
from assay.provider.access.ssh_socket import ssh_socket


async def banner(port: int, local: str) -> tuple[bytes, asyncio.StreamWriter]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=(local, 0))
    try:
        return await asyncio.wait_for(reader.readline(), 5), writer
    except ConnectionError:
        return b"", writer


@asynccontextmanager
async def listening(**given: Callable[[str], bool]) -> AsyncIterator[tuple[int, ConnectionLimits]]:
    sock = ssh_socket("127.0.0.1", 0, **given)
    assert isinstance(sock, Listener)
    key = asyncssh.generate_private_key("ssh-ed25519")
    server = await asyncssh.create_server(asyncssh.SSHServer, sock=sock, server_host_keys=[key])
    try:
        yield int(sock.getsockname()[1]), sock.limits
    finally:
        server.close()
        await server.wait_closed()


async def test_connections__of_loopback__are_limited_in_all_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_OF_ONE", 3)
    monkeypatch.setattr(module, "MAX_IN_ALL", 12)
    async with listening() as (port, limits):
        # Behind a proxy everybody comes from there.
        held = [await banner(port, "127.0.0.2") for _ in range(5)]
        assert [one[0][:4] for one in held] == [b"SSH-"] * 5
        more = [await banner(port, "127.0.0.3") for _ in range(10)]
        assert [one[0][:4] for one in more].count(b"SSH-") == 7
        for _, writer in [*held, *more]:
            writer.close()
        await until(lambda: limits.open == 0)
        said, writer = await banner(port, "127.0.0.4")
        assert said.startswith(b"SSH-")
        writer.close()


async def test_connections__of_one_address_beyond_its_limit__are_let_go_and_others_come_in(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "MAX_OF_ONE", 3)
    async with listening(exempt=lambda _: False) as (port, limits):
        held = [await banner(port, "127.0.0.2") for _ in range(6)]
        assert [one[0][:4] for one in held] == [b"SSH-"] * 3 + [b""] * 3
        assert limits.open == 3
        other, writer = await banner(port, "127.0.0.3")
        assert other.startswith(b"SSH-")
        writer.close()
        held[0][1].close()
        await until(lambda: limits.open == 2)
        said, again = await banner(port, "127.0.0.2")
        assert said.startswith(b"SSH-")
        for _, writer in [*held, (b"", again)]:
            writer.close()


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not true():  # noqa: ASYNC110
            await asyncio.sleep(0.02)

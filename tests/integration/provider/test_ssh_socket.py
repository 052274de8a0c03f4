"""Connections to the SSH port are counted before anybody has logged in."""

from __future__ import annotations

import asyncio

import asyncssh
import pytest

from assay.provider.access import ssh_socket as module
from assay.provider.access.ssh_socket import ssh_socket


async def banner(port: int, local: str) -> tuple[bytes, asyncio.StreamWriter]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=(local, 0))
    try:
        return await asyncio.wait_for(reader.readline(), 5), writer
    except ConnectionError:
        return b"", writer


async def test_connections__of_one_address_and_in_all__are_let_go_beyond_the_limits(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "MAX_OF_ONE", 3)
    monkeypatch.setattr(module, "MAX_IN_ALL", 12)
    listening = ssh_socket("127.0.0.1", 0)
    key = asyncssh.generate_private_key("ssh-ed25519")
    server = await asyncssh.create_server(asyncssh.SSHServer, sock=listening, server_host_keys=[key])
    port = int(listening.getsockname()[1])
    held = [await banner(port, "127.0.0.2") for _ in range(5)]
    # Loopback is exempt from the limit of one, as behind a proxy; in all it is counted.
    assert [one[0][:4] for one in held] == [b"SSH-"] * 5
    more = [await banner(port, "127.0.0.3") for _ in range(10)]
    assert [one[0][:4] for one in more].count(b"SSH-") == 7
    for _, writer in [*held, *more]:
        writer.close()
    await asyncio.sleep(0.2)
    said, writer = await banner(port, "127.0.0.4")
    assert said.startswith(b"SSH-")
    writer.close()
    server.close()
    await server.wait_closed()
    assert listening.limits.of_one == 3  # type: ignore[attr-defined]

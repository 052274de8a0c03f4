"""The relay as the process that its operator starts: it tells its fingerprint, links, and ends when it is told to."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from assay.chain.certificate import fingerprint_in
from assay.chain.deployment import REQUIRED, Deployment
from assay.chain.key_files import Key
from assay.network.client import Client
from assay.network.origins import Endpoint, parse_origin
from assay.network.server import listening_socket
from assay.protocol.encoding import device_id
from assay.protocol.hexadecimal import parse_bytes32, to_hex
from assay.provider.relayed.relay_client import Identity, RelayClient, local_opener, relay_opener

ALICE, KEY = "0x1111111111111111111111111111111111111111", Key(b"\x01" * 32)
WAIT_S = 120


def free_ports(count: int) -> list[int]:
    held = [listening_socket("127.0.0.1", 0) for _ in range(count)]
    ports = [int(one.getsockname()[1]) for one in held]
    for one in held:
        one.close()
    return ports


def deployment(folder: Path) -> Path:
    contracts = {name: {"address": f"0x{i + 1:040x}", "abi": []} for i, name in enumerate(REQUIRED)}
    path = folder / "deployment.json"
    path.write_text(
        json.dumps({"network": "local", "chainId": 31337, "block": 1, "contracts": contracts, "compiler": {}})
    )
    return path


async def start(folder: Path, ports: Sequence[int]) -> tuple[asyncio.subprocess.Process, bytes]:
    """The process and its certificate's fingerprint, once it runs."""
    control, public, health = ports
    settings = folder / "relay.toml"
    settings.write_text(f"relay_metrics_port = {health}\n")
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "assay.cli.app", "relay", "run", "--config", str(settings), "--data-dir",
        str(folder / "data"), "--deployment", str(deployment(folder)), "--host", "127.0.0.1", "--port", str(control),
        "--ports", str(public), "--device", to_hex(device_id(ALICE, KEY.address)), stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stderr is not None
    async with asyncio.timeout(WAIT_S):
        while line := await process.stderr.readline():
            told = json.loads(line)
            if told["event"] == "relay runs":
                return process, parse_bytes32(told["fingerprint"])
    raise AssertionError("the relay ended before it ran")


async def test_relay__as_a_process__links_tells_its_figures_and_ends_when_told(tmp_path: Path) -> None:
    control, public, health = ports = free_ports(3)
    process, pin = await start(tmp_path, ports)
    client = Client.over_network(allow_private=True)
    linked: asyncio.Queue[Any] = asyncio.Queue()
    origin = parse_origin(f"https://127.0.0.1:{control}")
    domain = Deployment.load(tmp_path / "deployment.json").domain("DeviceRegistry")
    identity = Identity(ALICE, KEY.sign_digest, domain, pin)
    provider = RelayClient(relay_opener(origin, pin), local_opener([1]), identity, 1, linked.put_nowait)
    running = asyncio.create_task(provider.run())
    try:
        async with asyncio.timeout(WAIT_S):
            assert await linked.get() == (public,)

        async def told(path: str) -> str:
            where = Endpoint(f"http://127.0.0.1:{health}")
            answer = await client.request("GET", where, path, max_bytes=1 << 20, timeout_s=WAIT_S)
            assert answer.status == 200
            return answer.body.decode()

        assert json.loads(await told("/readyz")) == {"status": "ready"}
        assert json.loads(await told("/v1/status"))["links"][0]["ports"] == [public]
        assert "\nassay_relay_links 1.0\n" in await told("/metrics")
        process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(WAIT_S):
            assert await process.wait() == 0
            assert await linked.get() is None
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await client.close()
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert fingerprint_in(tmp_path / "data" / "tls") == pin, "the certificate that providers pin stays there"

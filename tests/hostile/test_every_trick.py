"""Every trick once, in seconds: what the fuzzer draws from in the network that is attacked for minutes (deep)."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx2
import pytest
import pytest_asyncio

from assay.chain.deployment import Deployment
from assay.chain.rpc.client import Chain
from assay.chain.rpc.endpoint import HttpEndpoint
from assay.chain.rpc.events import read_events
from assay.network.client import Client
from assay.validator.devices.device_client import DeviceClient
from assay.validator.errors import DeviceFailure
from assay.validator.rules.values import EpochDevice
from tests.hostile import device, node, seat, stranger
from tests.hostile.bounds import MAX_DESCRIPTORS, MAX_RSS_MIB, Use
from tests.hostile.device import HostileDevice
from tests.hostile.node import HostileNode
from tests.hostile.tricks import Actor, drawn_from
from tests.integration.validator.local_chain import free_port
from tests.integration.validator.network import Network

ASSAY = [sys.executable, "-m", "assay.cli.app"]
ANSWER_S = 0.5
SEED = 1
CHECKED = b"right" * 100


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def network(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Network]:
    """One chain for all: to deploy on it takes longer than most of what is played."""
    net = Network(tmp_path_factory.mktemp("network"), {"epochs": {"genesis": "now+3600"}})
    try:
        await net.start()
        await net.add_seats(1)
        await net.add_devices([None])
        yield net
    finally:
        await net.stop()


async def _live(port: int, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    async with httpx2.AsyncClient(timeout=5, trust_env=False, verify=False) as client:
        while True:
            try:
                assert (await client.get(f"http://127.0.0.1:{port}/livez")).status_code == 200
                return
            except httpx2.HTTPError:
                assert time.monotonic() < deadline
                await asyncio.sleep(0.1)


@pytest.mark.asyncio(loop_scope="module")
async def test_daemons__every_trick_of_a_stranger_at_once__alive_and_bounded(network: Network, tmp_path: Path) -> None:
    seat, enrolled = network.seats[0], network.devices[0]["deviceId"]
    network.run_seat(seat)
    chain = ["--rpc", network.rpc, "--deployment", network.deployment_file]
    port = free_port()
    market = network.spawn(
        "market", [*ASSAY, "market", "run", *chain, "--database", tmp_path / "market.sqlite", "--port", port]
    )
    daemons = {"validator": (seat.port, seat.process), "market": (port, market)}
    await asyncio.gather(*(_live(port) for port, _ in daemons.values()))

    def target(kind: str, port: int) -> stranger.Target:
        return stranger.Target(kind, port, (enrolled,), (seat.key.address,))

    actors = [
        Actor(kind, stranger.TRICKS, lambda _, k=kind, p=port: target(k, p), SEED)
        for kind, (port, _) in daemons.items()
    ]
    await asyncio.gather(*(actor.every_trick() for actor in actors))
    for actor, (kind, (port, process)) in zip(actors, daemons.items(), strict=True):
        assert set(actor.played.tricks) == set(stranger.TRICKS) and not actor.played.faults, actor.played.faults
        assert process is not None and process.poll() is None, kind
        await _live(port, 5)
        use = Use.of(process.pid)
        assert use.rss_mib < MAX_RSS_MIB and use.descriptors < MAX_DESCRIPTORS, (kind, use)


@pytest.mark.asyncio(loop_scope="module")
async def test_node__every_trick__the_other_endpoint_says_what_is(network: Network) -> None:
    enrolled = bytes.fromhex(network.devices[0]["deviceId"][2:])
    deployment = Deployment.load(network.deployment_file)
    head, status = (
        await network.chain.head(),
        (await network.chain.call("DeviceRegistry", "device", enrolled, at="latest")).status,
    )
    events = await read_events(network.chain, "DeviceRegistry", ["DeviceEnrolled"], 0, head)

    async def read_through(trick: str) -> None:
        async with HostileNode(network.rpc, SEED) as hostile:
            hostile.rate = 1.0
            # Connected while the node is well: one of another chain is refused by name at the start.
            urls = [hostile.url, network.rpc, network.rpc.replace("127.0.0.1", "localhost")]
            chain = await Chain.connect("", deployment, endpoints=[HttpEndpoint(url, timeout_s=2) for url in urls])
            try:
                hostile.play(trick)
                assert (await chain.head()).number >= head.number - 1, trick
                assert (await chain.call("DeviceRegistry", "device", enrolled, at="latest")).status == status, trick
                found = await read_events(chain, "DeviceRegistry", ["DeviceEnrolled"], 0, head)
                assert len(found) == 1 and found == events, trick
                assert (await chain.block(head.number)).hash == head.hash, trick
            finally:
                hostile.play(None)
                await chain.close()

    await asyncio.gather(*(read_through(trick) for trick in node.TRICKS))


@asynccontextmanager
async def _answering() -> AsyncIterator[str]:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\nconnection: close\r\n\r\n" % len(CHECKED) + CHECKED)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def test_device__every_trick__given_up_in_time_and_nothing_is_raised_but_its_failure() -> None:
    async with _answering() as url, HostileDevice(free_port(), url, SEED) as hostile:
        client = DeviceClient(Client.over_network(allow_private=True, connect_s=1.0))
        asked = EpochDevice(bytes(32), "", "", 1, f"http://127.0.0.1:{hostile.port}", leased=False)
        assert await client.opening(asked, b"", len(CHECKED), 5) == CHECKED
        hostile.hostile = True
        for name in device.TRICKS:
            hostile.only = name
            started = time.monotonic()
            for _ in range(3):
                try:
                    assert len(await client.opening(asked, b"", len(CHECKED), ANSWER_S)) <= len(CHECKED)
                except DeviceFailure:
                    continue
            assert time.monotonic() - started < 3 * ANSWER_S + 5, name
        assert set(hostile.played.tricks) == set(device.TRICKS)
        for endpoint in device.ENDPOINTS:
            odd = EpochDevice(bytes(32), "", "", 1, endpoint, leased=False)
            if not endpoint.startswith("http://169.254"):
                with pytest.raises(DeviceFailure):
                    await client.opening(odd, b"", 10, ANSWER_S)
        await client.close()


def test_seat__every_trick__finds_what_it_spoils(tmp_path: Path) -> None:
    """It takes hold of the validator by name, where nothing else would tell of a renaming."""
    command = [*seat.command(SEED, tmp_path), "--help"]
    said = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert said.returncode == 0, said.stderr[-2_000:]


def test_tricks__of_one_seed__are_drawn_alike() -> None:
    def drawn(seed: int) -> list[int]:
        draws = drawn_from(seed, "stranger 0", 3, "odd_paths")
        return [draws.getrandbits(32) for _ in range(5)]

    assert drawn(7) == drawn(7) != drawn(8)

"""Two providers' daemons with pods, and a street between them: what a pod sends to the other's SSH server leaves its
host by the rules of its network, and comes back in from outside."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from assay.chain.contracts.leases import Lease
from assay.provider.access.authorised_keys import AuthorisedKeys
from assay.provider.access.lease_ports import LeasePorts
from assay.provider.access.pod_tools import PodTools
from assay.provider.access.ssh_forwards import AgentFolders
from assay.provider.access.ssh_programs import PodPrograms
from assay.provider.access.ssh_server import serve_ssh
from assay.provider.clusters.clusters import Clusters
from assay.provider.database import open_database
from assay.provider.runtime.workload import Room
from assay.provider.workloads.jobs import OpenShells
from assay.wire.clusters import WayBody

from .conftest import running_lease
from .pod_bench import RENTER, PodBench

STREET = "assay-street"
HERE = "11.22.44.1"  # of the internet, as the rules have it
ADDRESSES = ("11.22.44.10", "11.22.44.11")
PORT = 2222
EVERYWHERE = "0.0.0.0"  # noqa: S104
RELAY = """
import asyncio, sys
async def pipe(reader, writer):
    try:
        while data := await reader.read(1 << 18):
            writer.write(data)
            await writer.drain()
    except OSError:
        pass
    writer.close()
async def main():
    for one in sys.argv[1:]:
        address, port, to, to_port = one.split(",")
        async def relay(reader, writer, to=to, to_port=int(to_port)):
            try:
                other_reader, other_writer = await asyncio.open_connection(to, to_port)
            except OSError:
                writer.close()
                return
            await asyncio.gather(pipe(reader, other_writer), pipe(other_reader, writer))
        await asyncio.start_server(relay, address, int(port))
    print("up", flush=True)
    await asyncio.Event().wait()
asyncio.run(main())
"""


def ip(*arguments: str, check: bool = True) -> None:
    subprocess.run(["ip", *arguments], check=check, capture_output=True)


@contextlib.contextmanager
def street(ports: tuple[int, int]) -> Any:
    """A network of its own in which ADDRESSES lead to these two ports of this host."""
    ip("netns", "del", STREET, check=False)
    ip("netns", "add", STREET)
    try:
        ip("link", "add", "asstreet0", "type", "veth", "peer", "name", "asstreet1", "netns", STREET)
        ip("address", "add", f"{HERE}/24", "dev", "asstreet0")
        ip("link", "set", "asstreet0", "up")
        Path("/proc/sys/net/ipv4/conf/asstreet0/forwarding").write_text("1")
        for address in ADDRESSES:
            ip("-n", STREET, "address", "add", f"{address}/24", "dev", "asstreet1")
        ip("-n", STREET, "link", "set", "asstreet1", "up")
        ways = [f"{address},{PORT},{HERE},{port}" for address, port in zip(ADDRESSES, ports, strict=True)]
        relay = subprocess.Popen(
            ["ip", "netns", "exec", STREET, sys.executable, "-I", "-c", RELAY, *ways], stdout=subprocess.PIPE
        )
        try:
            assert relay.stdout is not None and relay.stdout.readline() == b"up\n"
            yield
        finally:
            relay.kill()
            relay.wait()
    finally:
        ip("link", "del", "asstreet0", check=False)
        ip("netns", "del", STREET)


class Daemon:
    """The part of a provider's daemon that has to do with pods, SSH and clusters. Leases below 50 are RENTER's."""

    def __init__(self, engine: str, folder: Path, port: int, address: str) -> None:
        self.bench = PodBench(engine, folder)
        self.folder, self.port, self.address = folder, port, address
        self.until = time.time() + 600
        self.keys = AuthorisedKeys(open_database(None))
        self.ports = LeasePorts(self._rooms)
        self.clusters = self._made()
        self._task: asyncio.Task[None] | None = None
        self._server: Any = None

    def _made(self) -> Clusters:
        return Clusters(self.bench.pods, self.ports, lambda _: self.until, self.folder / "ssh")

    def _rooms(self, lease_id: int) -> list[Room]:
        pid = self.bench.pods.status(lease_id).pid
        return [] if pid is None else [Room("pod", pid)]

    async def _lease(self, lease_id: int) -> Lease | None:
        return running_lease(lease_id)

    async def start(self) -> None:
        tools = PodTools(self.folder / "tools")
        await asyncio.to_thread(tools.gather)
        programs = PodPrograms(
            self.bench.pods, lambda _: None, tools, lambda _: self.until, time.time, OpenShells(), lambda _: 6
        )
        agents = AgentFolders(self.bench.pods)
        self._server, _ = await serve_ssh(
            EVERYWHERE, self.port, self.folder / "ssh", self.keys, programs, self.ports, self._lease, time.time, agents,
            self.clusters,
        )  # fmt: skip
        self._task = asyncio.create_task(self.clusters.run())

    async def stop(self) -> None:
        """As a daemon that ends: its pods run on."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()

    async def again(self) -> None:
        """As it is once it was started anew."""
        await self.stop()
        self.clusters = self._made()
        await self.start()

    def way(self, lease_id: int, renter: str = RENTER) -> WayBody:
        """As its renter tells the other provider."""
        shown = self.clusters.shown(lease_id, renter, PORT)
        assert shown.host_key is not None
        return WayBody(host=self.address, port=PORT, host_key=shown.host_key, link_key=shown.link_key)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("", 0))
        return int(probe.getsockname()[1])


@asynccontextmanager
async def two_daemons(engine: str, folder: Path) -> AsyncIterator[tuple[Daemon, Daemon]]:
    """Both run, with the street between them."""
    ports = free_port(), free_port()
    with street(ports):
        a, b = (Daemon(engine, folder / n, p, w) for n, p, w in zip("ab", ports, ADDRESSES, strict=True))
        try:
            for one in (a, b):
                await one.start()
            yield a, b
        finally:
            for one in (a, b):
                await one.stop()
                one.ports.close()
                await asyncio.to_thread(one.bench.close)

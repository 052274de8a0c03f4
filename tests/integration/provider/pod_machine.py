"""A lease's pod as its renter reaches it: the provider's SSH server, and OpenSSH's own clients."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from assay.chain.contracts.leases import Lease
from assay.provider.access.authorised_keys import AuthorisedKeys
from assay.provider.access.lease_ports import LeasePorts
from assay.provider.access.pod_tools import PodTools
from assay.provider.access.ssh_forwards import AgentFolders
from assay.provider.access.ssh_programs import PodPrograms
from assay.provider.access.ssh_server import serve_ssh
from assay.provider.database import open_database
from assay.provider.runtime.workload import Room
from assay.provider.workloads.jobs import OpenShells
from assay.renter.session.ssh_access import own_key

from .conftest import running_lease, until


@dataclass
class Machine:
    """A lease's pod as its renter reaches it."""

    pod: Any
    folder: Path
    port: int
    deadline: float
    programs: PodPrograms | None = None
    clients: list[asyncio.subprocess.Process] = field(default_factory=list)

    @property
    def options(self) -> list[str]:
        values = {
            "IdentityFile": self.folder / "key", "IdentitiesOnly": "yes", "BatchMode": "yes", "Port": self.port,
            "StrictHostKeyChecking": "no", "UserKnownHostsFile": "/dev/null", "LogLevel": "ERROR", "User": "lease-3",
        }  # fmt: skip
        return ["-F", "none", *(part for name, value in values.items() for part in ("-o", f"{name}={value}"))]

    async def start(self, *argv: str, **options: object) -> asyncio.subprocess.Process:
        pipes = {name: subprocess.PIPE for name in ("stdin", "stdout", "stderr")}
        self.clients.append(await asyncio.create_subprocess_exec(*argv, **{**pipes, **options}))  # type: ignore[arg-type]
        return self.clients[-1]

    async def run(self, *argv: str, stdin: bytes = b"", seconds: float = 60.0) -> tuple[int, str, str]:
        process = await self.start(*argv)
        out, err = await asyncio.wait_for(process.communicate(stdin), seconds)
        assert process.returncode is not None
        return process.returncode, out.decode(errors="replace"), err.decode(errors="replace")

    async def ssh(self, *rest: str, stdin: bytes = b"", options: tuple[str, ...] = ()) -> tuple[int, str, str]:
        return await self.run("ssh", *self.options, *options, "127.0.0.1", *rest, stdin=stdin)


async def killed(client: asyncio.subprocess.Process) -> None:
    """Returns once it is gone: asyncio waits for what it has not read as well, and holds it up once it is much."""
    client.kill()
    if client.stdout is not None:
        await client.stdout.read()
    await client.wait()


@asynccontextmanager
async def reached(pod: Any, pid: int, tools: PodTools, folder: Path, most: int = 6) -> AsyncIterator[Machine]:
    """The SSH server of a lease with this pod, which runs so many programs at most."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    world = Machine(pod, folder, port, time.time() + 600)
    own_key(folder / "key")
    keys = AuthorisedKeys(open_database(None))
    keys.add(3, (folder / "key.pub").read_text())
    lease = running_lease(3)

    async def read(lease_id: int) -> Lease | None:
        return lease if lease_id == 3 else None

    def rooms(lease_id: int) -> list[Room]:
        return [Room("pod", pid)] if lease_id == 3 else []

    def ready(_: int) -> None:
        """It runs already."""

    programs = PodPrograms(pod, ready, tools, lambda _: world.deadline, time.time, OpenShells(), lambda _: most)
    world.programs = programs
    ports, agents = LeasePorts(rooms), AgentFolders(pod)
    server, _ = await serve_ssh("127.0.0.1", port, folder / "ssh", keys, programs, ports, read, time.time, agents)
    yield world
    for client in world.clients:
        if client.returncode is None:
            await killed(client)
    server.close()
    ports.close()
    await asyncio.to_thread(until, lambda: not programs.processes(3))

"""The example that serves a model, in a container without a network, asked from here through OpenSSH's -L."""

from __future__ import annotations

import asyncio
import json
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy
import pytest

from assay.chain.contracts.leases import Lease
from assay.provider.access.authorised_keys import AuthorisedKeys
from assay.provider.access.lease_ports import LeasePorts
from assay.provider.access.ssh_programs import Shells
from assay.provider.access.ssh_server import serve_ssh
from assay.provider.database import open_database
from assay.provider.images.policy import ImagePolicy
from assay.provider.runtime.container import ContainerRuntime
from assay.provider.runtime.workload import Limits, Workload, output_path
from assay.provider.workloads.jobs import OpenShells
from tests.integration.provider.conftest import running_lease
from tests.integration.provider.podman import IMAGE, PACKAGE_WASTE

EXAMPLE = Path(__file__).parents[4] / "examples/serve_model.py"
WAIT_SECONDS = 30
pytestmark = pytest.mark.skipif(shutil.which("ssh") is None, reason="needs the OpenSSH client")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def serving(engine: str, folder: Path) -> tuple[ContainerRuntime, Workload]:
    """The example as a job of lease 7; the image has Python alone, so that NumPy comes with it."""
    runtime = ContainerRuntime(engine, ImagePolicy(default=IMAGE))
    work = Workload(
        "serve",
        7,
        ("python3", "serve_model.py", "--serve", "8000"),
        folder / "leases/7/workspace",
        folder / "leases/7/jobs/serve",
        time.time() + 120,
        Limits(memory_bytes=1 << 30),
        environment=(("PYTHONPATH", "/workspace/.packages"),),
    )
    package = Path(numpy.__file__).parent
    for source in (package, package.with_name("numpy.libs")):
        if source.exists():
            shutil.copytree(source, work.workspace / ".packages" / source.name, ignore=PACKAGE_WASTE)
    shutil.copy(EXAMPLE, work.workspace)
    runtime.launch(work)
    return runtime, work


def keys_with(path: Path) -> AuthorisedKeys:
    """A new key that lease 7 knows."""
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", path], check=True)
    keys = AuthorisedKeys(open_database(None))
    keys.add(7, path.with_suffix(".pub").read_text())
    return keys


async def test_model__served_by_a_lease__answers_through_ssh_and_its_latency_is_measured_here(
    engine: str, tmp_path: Path
) -> None:
    runtime, work = serving(engine, tmp_path)
    ssh_port, port, now = free_port(), free_port(), int(time.time())
    lease = running_lease(7)
    keys = keys_with(tmp_path / "renter")
    ports = LeasePorts(lambda lease_id: runtime.rooms(work.workspace, []) if lease_id == 7 else [])
    shells = Shells(runtime, lambda *_: work, lambda _: now + 600.0, time.time, OpenShells(), lambda _: 8)

    async def read(lease_id: int) -> Lease | None:
        return lease if lease_id == 7 else None

    server, _ = await serve_ssh("127.0.0.1", ssh_port, tmp_path / "ssh", keys, shells, ports, read, time.time)
    tunnel = await asyncio.create_subprocess_exec(
        "ssh", "-F", "none", "-N", "-i", tmp_path / "renter", "-p", str(ssh_port), "-o", "IdentitiesOnly=yes",
        "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null",
        "-L", f"{port}:localhost:8000", "lease-7@127.0.0.1", stdin=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        out = b""
        async with asyncio.timeout(WAIT_SECONDS):
            while not out:
                asking = await asyncio.create_subprocess_exec(
                    sys.executable, EXAMPLE, "--ask", str(port), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
                )
                out, _ = await asking.communicate()
        measured = json.loads(out)
        assert measured["requests"] == 100
        assert 0 < measured["medianMs"] <= measured["p99Ms"]
        # It is the one in the container that answered: nothing on this machine listens there.
        assert "serving on 8000" in output_path(work.control).read_text()
        print("through ssh -L:", measured)
    finally:
        tunnel.terminate()
        await tunnel.wait()
        runtime.kill(work.control, "over")
        server.close()
        ports.close()

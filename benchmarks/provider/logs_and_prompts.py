"""How long a line takes from a job in a container to its renter, and a shell in one to answer.

    python -m benchmarks.provider.logs_and_prompts OUT.json

On this machine: the renter reads over HTTP from a provider's own routes; the engine is a podman service of its own.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import aiohttp
from fastapi import FastAPI

from assay.chain.contracts.leases import Lease, LeaseStatus
from assay.network.server import listening_socket, server
from assay.provider.access.logins import Logins
from assay.provider.api.job_routes import job_routes
from assay.provider.database import open_database
from assay.provider.images.policy import ImagePolicy
from assay.provider.runtime.container import ContainerRuntime
from assay.provider.runtime.workload import Limits
from assay.provider.workloads.jobs import JobBook, JobRequest

# The engine that the tests start: their folder is not a package.
sys.path.insert(0, str(Path(__file__).parents[2] / "tests/integration/provider"))
from podman import IMAGE, podman_service

LINES, PROMPTS = 200, 10
PRINTER = f"import time\nfor _ in range({LINES}):\n    print(time.time_ns(), flush=True)\n    time.sleep(0.04)"


async def line_delays(jobs: JobBook) -> list[float]:
    """Milliseconds from each line's writing in the container to its arrival over HTTP."""
    now = int(time.time())
    unused: dict[str, Any] = dict.fromkeys(Lease.__dataclass_fields__, 0)
    running = {"lease_id": 3, "renter": "0xR", "status": LeaseStatus.ACTIVE, "start": now, "stop": now + 600}
    lease = Lease(**{**unused, **running})

    async def read(_: int) -> Lease:
        return lease

    async def offer_of(_: Lease) -> Any:
        return SimpleNamespace(device_ids=(bytes(32),))

    async def no_contract(*_: Any) -> bool:
        return False

    logins = Logins(31337, no_contract, time.time)
    token = logins.redeem(logins.ticket(lease), lease)
    services: Any = SimpleNamespace(
        devices={bytes(32): None},
        leases=SimpleNamespace(lease=read),
        lease_offers=SimpleNamespace(of=offer_of),
        jobs=jobs,
        clock=time.time,
        logins=logins,
    )
    application = FastAPI()
    application.include_router(job_routes(services))
    listening = listening_socket("127.0.0.1", 0)
    web = server(application)
    serving = asyncio.create_task(web.serve(sockets=[listening]))
    request = JobRequest(("python3", "-c", PRINTER), {}, Limits())
    job_id = await asyncio.to_thread(jobs.create, 3, now + 600.0, request)
    address = f"http://127.0.0.1:{listening.getsockname()[1]}/v1/leases/3/jobs/{job_id}/output?follow=true"
    delays = []
    async with (
        aiohttp.ClientSession(headers={"authorization": f"Bearer {token}"}) as client,
        client.get(address) as answer,
    ):
        async for line in answer.content:
            delays.append((time.time_ns() - int(line)) / 1e6)
    web.should_exit = True
    await serving
    return delays


def prompt_seconds(jobs: JobBook, runtime: ContainerRuntime) -> float:
    """From the start of a shell's container, as SSH starts it, to its first answer."""
    argv = runtime.shell(jobs.shell_workload(3, time.time() + 60, ("sh", "-i")))
    assert argv is not None
    started = time.perf_counter()
    shell = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert shell.stdin is not None and shell.stdout is not None
    shell.stdin.write(b"echo ready\nexit\n")
    shell.stdin.flush()
    shell.stdout.readline()
    seconds = time.perf_counter() - started
    shell.wait(timeout=60)
    return seconds


def main(out: Path) -> None:
    """Measures, prints and writes."""
    with tempfile.TemporaryDirectory() as name, podman_service(Path(name)) as engine:
        runtime = ContainerRuntime(engine, ImagePolicy(default=IMAGE))
        jobs = JobBook(open_database(None), runtime, Path(name), Limits(), time.time)
        delays = sorted(asyncio.run(line_delays(jobs)))
        prompts = sorted(prompt_seconds(jobs, runtime) for _ in range(PROMPTS))
        jobs.wipe(3)
    result = {
        "what": "log lines from a container to the renter, and prompts of shells in containers, image cached",
        "engine": "podman 4.3 with runc, overlay",
        "lines": len(delays),
        "line_ms": {
            "median": round(statistics.median(delays), 1),
            "p95": round(delays[int(0.95 * len(delays))], 1),
            "most": round(delays[-1], 1),
        },
        "prompts": len(prompts),
        "prompt_s": {"median": round(statistics.median(prompts), 2), "most": round(prompts[-1], 2)},
    }
    out.write_text(json.dumps(result, indent=2) + "\n")
    sys.stdout.write(out.read_text())


if __name__ == "__main__":
    main(Path(sys.argv[1]))

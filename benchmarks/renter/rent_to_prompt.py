"""From `assay rent` to a prompt on the leased device, and how soon a job's log lines arrive.

A network of its own is started, with one provider that runs jobs in containers where podman is here, else without
walls. Each round types what a renter would: `assay rent DEVICE --yes`, `assay ssh LEASE -- echo ready`, `assay end
LEASE --yes`. The handover proof (PROTOCOL section 6) is timed by the renter's own steps and shown apart.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import time
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

from rich.console import Console

from assay.devnet.network import EPOCH_SECONDS, Network, NetworkPlan, network_folder
from assay.devnet.ports import HOST, free_ports
from assay.devnet.progress import Progress
from assay.devnet.providers import PRICE_PER_HOUR
from assay.devnet.starting import start_network
from assay.renter import Renter, RenterSettings
from benchmarks.proof.machine import machine, write
from benchmarks.proof.page import replace_section
from benchmarks.renter.container_engine import container_engine, engine_available

PROVIDER, RENTER = "north", "renter"
OFFER_SECONDS, WIPED_SECONDS, LOOK_SECONDS = 180.0, 60.0, 2.0
PROOF_STEPS = ("proof", "verified")
LOG_LINES = 60
LOG_JOB = ["sh", "-c", f"n=0; while [ $n -lt {LOG_LINES} ]; do cat /proc/uptime; sleep 0.1; n=$((n+1)); done"]
AIM_PROMPT_S, AIM_LOG_MS = 10.0, 200.0


@asynccontextmanager
async def network(
    folder: Path, runtime: str, variables: dict[str, str], epoch_seconds: int = EPOCH_SECONDS
) -> AsyncIterator[Network]:
    """A running network whose one provider has SSH and the runtime."""
    plan = NetworkPlan(folder=folder, providers=(PROVIDER,), skips_rows=frozenset(), epoch_seconds=epoch_seconds)
    with network_folder(plan) as (workspace, processes):
        processes.environment = {**processes.environment, **variables}
        started = await start_network(plan, workspace, processes, Progress(Console(stderr=True)))
        plain = next(child for child in processes.children if child.name == PROVIDER)
        await asyncio.to_thread(processes.stop, plain)
        command = [
            "assay", "provider", "run", "--host", HOST, "--port", started.endpoints[PROVIDER].rsplit(":", 1)[1],
            "--ssh-port", str(free_ports(1)[0]), "--engine", "cpu", "--runtime", runtime,
            "--token", started.deployment.contracts["TestToken"].address,
            "--price-per-hour", PRICE_PER_HOUR[PROVIDER], "--min-duration", "10", *started.options(PROVIDER),
        ]  # fmt: skip
        processes.start(PROVIDER, command, workspace.log(PROVIDER))
        yield started


async def on_offer(net: Network) -> str:
    """The device's id, once it was measured and is on offer. Raises TimeoutError."""
    async with asyncio.timeout(net.plan.patience(OFFER_SECONDS)):
        while True:
            net.processes.check()
            alone = await net.assay(RENTER, "search", "--gpus", "1", "-o", "json", reads_only=True)
            if found := json.loads(alone)["devices"]:
                return str(found[0]["deviceId"])
            await asyncio.sleep(LOOK_SECONDS)


async def one_round(net: Network, device: str) -> dict[str, Any]:
    """Seconds to the prompt, and of them the proof's; ends the lease."""
    began = time.perf_counter()
    rented = json.loads(await net.assay(RENTER, "rent", device, "--duration", "5m", "--yes", "-o", "json"))
    leased = time.perf_counter()
    lease = str(rented["leaseId"])
    said = await net.assay(RENTER, "ssh", lease, after=["--", "echo", "ready"])
    ended = time.perf_counter()
    if said.strip() != "ready":
        raise RuntimeError(f"the shell of lease {lease} said {said!r}")
    await net.assay(RENTER, "end", lease, "--yes")
    proof = sum(rented["steps"][name] for name in PROOF_STEPS)
    return {
        "seconds": round(ended - began, 3),
        "proofSeconds": round(proof, 3),
        "withoutProof": round(ended - began - proof, 3),
        "rentSeconds": round(leased - began, 3),
        "shellSeconds": round(ended - leased, 3),
        "steps": rented["steps"],
    }


async def log_lines(net: Network, device: str) -> list[float]:
    """Milliseconds from the moment a job writes a line (its /proc/uptime, to 10 ms) to the renter's having it."""
    rented = json.loads(await net.assay(RENTER, "rent", device, "--duration", "5m", "--yes", "-o", "json"))
    settings = RenterSettings.of(
        {
            "rpc": net.url,
            "deployment": net.workspace.deployment,
            "key_file": net.participants[RENTER].key_file,
            "password_file": net.workspace.password_file,
            "data_dir": net.workspace.data / RENTER,
        }
    )
    delays: list[float] = []
    rest = b""
    async with Renter.connect(settings) as renter:
        session = await renter.session(int(rented["leaseId"]))
        job = await session.create_job(LOG_JOB, {}, {}, {})
        async for piece in session.output(job, follow=True):
            now = time.clock_gettime(time.CLOCK_BOOTTIME)
            *lines, rest = (rest + piece).split(b"\n")
            delays += [(now - float(line.split()[0])) * 1000 for line in lines]
    await net.assay(RENTER, "end", str(rented["leaseId"]), "--yes")
    return delays


def wait_until_wiped(folder: Path) -> None:
    """Returns once no lease has its disk mounted any more. Raises TimeoutError."""
    below, end = f" {folder.resolve()}/data/", time.monotonic() + WIPED_SECONDS
    while below in Path("/proc/self/mountinfo").read_text():
        if time.monotonic() > end:
            raise TimeoutError(f"leases below {folder} are not wiped after {WIPED_SECONDS:.0f} s")
        time.sleep(LOOK_SECONDS)


def section(result: dict[str, Any]) -> str:
    """What docs/reference/benchmarks.md shows."""
    on, median, logs = result["machine"], result["median"], result["logs"]
    return (
        f"{on['processor']}, {on['threads']} threads, {on['date']}, load {on['loadBefore']} before the run; local "
        f"chain with blocks of one second, final two behind; jobs run by `{result['runtime']}`, image cached; "
        f"{len(result['rounds'])} rounds.\n\n"
        "| median | seconds |\n|---|---|\n"
        f"| from `assay rent` to a running prompt, without the proof (aim below {AIM_PROMPT_S:.0f}) | "
        f"{median['withoutProof']:.1f} |\n"
        f"| the handover proof, made and verified here | {median['proofSeconds']:.2f} |\n"
        f"| of it all: `assay ssh` to the first answer | {median['shellSeconds']:.1f} |\n\n"
        f"Log lines reach the renter in {logs['p50Ms']:.0f} ms (p50) and {logs['p99Ms']:.0f} ms (p99) of "
        f"{logs['lines']} lines; the aim is {AIM_LOG_MS:.0f} ms.\n"
    )


async def measure(folder: Path, runtime: str, rounds: int, variables: dict[str, str]) -> dict[str, Any]:
    """All of it."""
    before = machine()
    async with network(folder, runtime, variables) as net:
        device = await on_offer(net)
        done = [await one_round(net, await on_offer(net)) for _ in range(rounds)]
        delays = sorted(await log_lines(net, device))
        await asyncio.to_thread(wait_until_wiped, folder)
    names = ("seconds", "proofSeconds", "withoutProof", "rentSeconds", "shellSeconds")
    return {
        "machine": before,
        "runtime": runtime,
        "rounds": done,
        "median": {name: round(statistics.median(one[name] for one in done), 3) for name in names},
        "logs": {
            "lines": len(delays),
            "p50Ms": round(statistics.median(delays), 1),
            "p99Ms": round(delays[int(0.99 * (len(delays) - 1))], 1),
            "mostMs": round(delays[-1], 1),
        },
    }


def main() -> None:
    """Measures, writes the result and its section."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path("build/bench-renter"))
    parser.add_argument("--out", type=Path, default=Path("benchmarks/renter/rent_to_prompt.json"))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--runtime", choices=("container", "local"), default=None)
    parser.add_argument("--no-page", action="store_true", help="leave docs/reference/benchmarks.md as it is")
    given = parser.parse_args()
    runtime = given.runtime or ("container" if engine_available() else "local")
    with ExitStack() as stack:
        variables = stack.enter_context(container_engine(given.folder / "podman")) if runtime == "container" else {}
        result = asyncio.run(measure(given.folder, runtime, given.rounds, variables))
    write(given.out, result)
    if not given.no_page:
        replace_section("renter", section(result))
    print(json.dumps({"median": result["median"], "logs": result["logs"]}, indent=2))


if __name__ == "__main__":
    main()

"""Pods of one daemon for measurements and long tests, and what the daemon's own work for them costs.

The work is the daemon's own code in a process of its own: what it does for each pod at every block of one second, and
its samples. Proofs, offers and answers to renters are not in it.
"""

from __future__ import annotations

import asyncio
import io
import json
import multiprocessing
import os
import resource
import subprocess
import tarfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from assay.protocol.types import DeviceId
from assay.provider.database import open_database
from assay.provider.pods.assemble import asker
from assay.provider.pods.engine import PodmanPods
from assay.provider.pods.layout import agent_name, runtime_folder
from assay.provider.pods.lease_pods import LeasePart, LeasePods, PodBook
from assay.provider.pods.network import PodNetwork
from assay.provider.pods.network_rules import NetworkPolicy
from assay.provider.pods.pod import HostShare, PodSpec, Program
from assay.provider.pods.processes.keeper import FIRST, SECOND
from assay.provider.pods.share import KeptBack, read_host
from assay.provider.pods.slots import PodSlots
from assay.provider.watch.use import UseHistory

RENTER = "0xRenter"
BLOCK_S = 1.0
BLOCKS_A_SAMPLE = 15
PAGE = os.sysconf("SC_PAGE_SIZE")


class PodHost:
    """The pods of one daemon below `folder`, all of one image."""

    def __init__(self, engine: str, folder: Path, image: str) -> None:
        self.engine, self.folder, self.image = engine, folder.resolve(), image
        self.pods = daemon_pods(engine, self.folder)
        self.pods.check()

    def start(self, lease_id: int, share: HostShare, cores: Sequence[int], seconds: float = 3_600.0) -> None:
        """Makes and starts one, on these cores and no others."""
        image = self.pods.local_image(self.image)
        self.pods.ensure(PodSpec(lease_id, RENTER, image, share, time.time() + seconds, cpuset=tuple(cores)))

    def run(self, lease_id: int, *command: str, stdin: bytes = b"", seconds: float = 600.0) -> tuple[int, str]:
        """Exit code and all output of a program in the pod."""
        done = subprocess.run(
            self.pods.exec_argv(lease_id, Program(command)), input=stdin, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, timeout=seconds, check=False,
        )  # fmt: skip
        return done.returncode, done.stdout.decode(errors="replace")

    def bring(self, lease_id: int, paths: Sequence[Path]) -> None:
        """Puts files and folders of this machine into the pod, at the same places."""
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w", dereference=True) as archive:
            for path in paths:
                archive.add(path, filter=_no_waste)
        code, said = self.run(lease_id, "/bin/busybox", "tar", "-x", "-C", "/", stdin=packed.getvalue())
        if code:
            raise RuntimeError(f"nothing could be put into the pod: {said[-500:]}")

    def close(self) -> None:
        """Removes every pod."""
        for lease_id in self.pods.known():
            self.pods.remove(lease_id)
        self.pods.network.close()


def daemon_pods(engine: str, folder: Path) -> PodmanPods:
    """As a daemon with this folder has them."""
    network = PodNetwork(agent_name(folder), NetworkPolicy.parse(("internet",)))
    return PodmanPods(folder / "leases", runtime_folder(folder), asker(engine), network, PodSlots())


def with_libraries(*programs: Path) -> list[Path]:
    """Programs and modules of this machine, and what they load."""
    told = subprocess.run(["ldd", *programs], capture_output=True, text=True, check=True).stdout.split()
    return [*programs, *sorted({Path(word) for word in told if word.startswith("/") and not word.endswith(":")})]


def _no_waste(found: tarfile.TarInfo) -> tarfile.TarInfo | None:
    name = Path(found.name).name
    return None if name in ("__pycache__", "test", "tests", "site-packages", "idlelib") else found


# What the daemon does for its pods.


def work_for(host: PodHost, seconds: float) -> dict[str, Any]:
    """Lets a process do the daemon's work for these pods for so long: its processor time as a part of one core, its
    memory, and the same of what stays beside the pods."""
    leases = host.pods.known()
    before = beside_pods(host, leases)
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_work, args=(host.engine, str(host.folder), leases, seconds, theirs))
    process.start()
    theirs.close()
    try:
        told: dict[str, Any] = ours.recv()
    finally:
        process.join()
    after = beside_pods(host, leases)
    return {
        "pods": len(leases),
        **told,
        "besideCores": round((after["seconds"] - before["seconds"]) / told["seconds"], 4),
        "besideMib": after["mib"],
    }


def beside_pods(host: PodHost, leases: Sequence[int]) -> dict[str, float]:
    """Processor seconds and memory (what only they hold, in MiB) of the keepers and the engine's monitors."""
    seconds, kib = 0.0, 0
    for pid in [one for lease_id in leases for one in _beside(host, lease_id)]:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        seconds += (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                kib += int(line.split()[1])
    return {"seconds": seconds, "mib": round(kib / 1024, 1)}


def _beside(host: PodHost, lease_id: int) -> list[int]:
    folders = host.pods.folders(lease_id)
    keepers = [json.loads((folders.run / f"keeper-{role}.json").read_text())["pid"] for role in (FIRST, SECOND)]
    first = Path(f"/proc/{host.pods.status(lease_id).pid}/stat").read_text().rsplit(")", 1)[1].split()
    return [*keepers, int(first[1])]


def _work(engine: str, folder: str, leases: list[int], seconds: float, told: Any) -> None:
    told.send(asyncio.run(_worked(engine, Path(folder), leases, seconds)))


async def _worked(engine: str, folder: Path, leases: list[int], seconds: float) -> dict[str, Any]:
    """The steps of `LeaseKeeper` for leases that run, and the samples of `LeaseUse`."""
    pods = daemon_pods(engine, folder)
    book = PodBook(open_database(folder / "book.sqlite"))
    host = read_host(folder)
    share = {DeviceId(bytes(32)): HostShare()}
    of_leases = LeasePods(
        pods, book, lambda _: LeasePart((), ()), lambda: pods.local_image(""), share, host, KeptBack()
    )
    history = UseHistory(pods)
    for lease_id in leases:
        book.note_renter(lease_id, RENTER)
    until = {lease_id: spec.deadline for lease_id, spec in pods.specs().items()}
    began, used = time.monotonic(), resource.getrusage(resource.RUSAGE_SELF)
    blocks, late = 0, 0.0
    while (now := time.monotonic() - began) < seconds:
        await asyncio.to_thread(pods.sweep, lambda _: True)
        for lease_id in leases:
            await asyncio.to_thread(of_leases.belongs_to, lease_id, RENTER)
            await asyncio.to_thread(of_leases.follow, lease_id, until[lease_id])
        if blocks % BLOCKS_A_SAMPLE == 0:
            await asyncio.to_thread(history.sample)
        blocks += 1
        late = max(late, time.monotonic() - began - now)
        await asyncio.sleep(max(0.0, blocks * BLOCK_S - (time.monotonic() - began)))
    took = time.monotonic() - began
    after = resource.getrusage(resource.RUSAGE_SELF)
    spent = after.ru_utime + after.ru_stime - used.ru_utime - used.ru_stime
    return {
        "seconds": round(took, 2),
        "blocks": blocks,
        "cores": round(spent / took, 4),
        "mib": round(_resident() / (1 << 20), 1),
        "slowestBlockMs": round(late * 1000, 1),
    }


def _resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE

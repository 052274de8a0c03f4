"""SFTP and rsync through a provider's SSH server beside OpenSSH's own, on one machine, in one run, in turn.

Both serve the same programs (OpenSSH's sftp-server, rsync) to the same client over the loopback. A pod's programs get
the same pipes as these do, by the container runtime.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import os
import shutil
import socket
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from benchmarks.proof.machine import machine
from benchmarks.proof.page import replace_section

RESULTS = Path(__file__).with_name("ssh_transfer.json")
SSHD = "/usr/sbin/sshd"
LEASE = 3
FILES, FILE_BYTES = 2_000, 4_096


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def serve_ours(folder: Path, port: int) -> None:
    """The provider's server over the runtime without walls, in a process of its own."""
    from assay.chain.contracts.leases import LeaseStatus
    from assay.provider.access.authorised_keys import AuthorisedKeys
    from assay.provider.access.lease_ports import LeasePorts
    from assay.provider.access.ssh_programs import Shells
    from assay.provider.access.ssh_server import serve_ssh
    from assay.provider.database import open_database
    from assay.provider.runtime.local import LocalRuntime
    from assay.provider.runtime.workload import Limits, Workload
    from assay.provider.workloads.jobs import OpenShells

    limits = Limits(processors=float(os.cpu_count() or 1), disk_bytes=1 << 40, memory_bytes=1 << 40)
    now = int(time.time())
    lease = SimpleNamespace(status=LeaseStatus.ACTIVE, start=now, stop=now + 86_400, left_early=False)

    def workload(lease_id: int, command: tuple[str, ...]) -> Workload:
        return Workload("shell", lease_id, command, folder, folder, 0, limits)

    async def read(_: int) -> Any:
        return lease

    async def run() -> None:
        keys = AuthorisedKeys(open_database(None))
        keys.add(LEASE, (folder / "key.pub").read_text())
        shells = Shells(LocalRuntime(31337), workload, lambda _: now + 86_400.0, time.time, OpenShells(), lambda _: 8)
        await serve_ssh("127.0.0.1", port, folder / "ssh", keys, shells, LeasePorts(lambda _: []), read, time.time)
        await asyncio.Event().wait()

    asyncio.run(run())


@contextmanager
def servers(folder: Path) -> Iterator[dict[str, tuple[int, str]]]:
    """(port, user) of both, by name."""
    ours, theirs = free_port(), free_port()
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / "host"], check=True)
    (folder / "sshd_config").write_text(
        f"Port {theirs}\nListenAddress 127.0.0.1\nHostKey {folder}/host\nAuthorizedKeysFile {folder}/key.pub\n"
        "PermitRootLogin yes\nStrictModes no\nUsePAM no\nPidFile none\n"
        "Subsystem sftp /usr/lib/openssh/sftp-server\n"
    )
    Path("/run/sshd").mkdir(exist_ok=True)
    sshd = subprocess.Popen([SSHD, "-D", "-f", folder / "sshd_config"], stderr=subprocess.DEVNULL)
    process = multiprocessing.get_context("spawn").Process(target=serve_ours, args=(folder, ours))
    process.start()
    try:
        for port in (ours, theirs):
            until = time.monotonic() + 60
            while not listens(port):
                assert time.monotonic() < until, "a server does not listen"
                time.sleep(0.1)
        yield {"assay": (ours, f"lease-{LEASE}"), "sshd": (theirs, "root")}
    finally:
        process.kill()
        process.join()
        sshd.terminate()
        sshd.wait()


def measured(folder: Path, mib: int, runs: int) -> dict[str, Any]:
    """Seconds of every run, by what is done and by server."""
    big, tree = folder / "big", folder / "tree"
    with big.open("wb") as file:
        for _ in range(mib):
            file.write(os.urandom(1 << 20))
    for number in range(FILES):
        (tree / f"d{number % 20}").mkdir(parents=True, exist_ok=True)
        (tree / f"d{number % 20}/f{number}").write_bytes(os.urandom(FILE_BYTES))
    with servers(folder) as found:

        def options(port: int, user: str) -> list[str]:
            values = {
                "Port": port, "User": user, "IdentityFile": folder / "key", "IdentitiesOnly": "yes", "BatchMode": "yes",
                "StrictHostKeyChecking": "no", "UserKnownHostsFile": "/dev/null", "LogLevel": "ERROR",
                "Ciphers": "aes128-gcm@openssh.com",
            }  # fmt: skip
            return ["-F", "none", *(part for name, value in values.items() for part in ("-o", f"{name}={value}"))]

        def sftp(line: str) -> Callable[[list[str]], None]:
            def run(how: list[str]) -> None:
                subprocess.run(["sftp", "-q", "-b", "-", *how, "127.0.0.1"], input=line.encode(), check=True,
                               stdout=subprocess.DEVNULL)  # fmt: skip

            return run

        def rsync(source: str, target: str) -> Callable[[list[str]], None]:
            def run(how: list[str]) -> None:
                subprocess.run(["rsync", "-rW", "-e", "ssh " + " ".join(how), source, target], check=True)

            return run

        there, here = folder / "there", folder / "here"
        work: dict[str, Callable[[list[str]], None]] = {
            "sftp put": sftp(f"put {big} {there}\n"),
            "sftp get": sftp(f"get {big} {here}\n"),
            "rsync put": rsync(str(big), f"127.0.0.1:{there}"),
            "rsync get": rsync(f"127.0.0.1:{big}", str(here)),
            "rsync put of small files": rsync(f"{tree}/", f"127.0.0.1:{there}/"),
            "rsync get of small files": rsync(f"127.0.0.1:{tree}/", f"{here}/"),
        }
        seconds: dict[str, dict[str, list[float]]] = {name: {server: [] for server in found} for name in work}
        for name, run in work.items():
            for _ in range(runs):
                for server, (port, user) in found.items():
                    for left in (there, here):
                        shutil.rmtree(left, ignore_errors=True)
                        left.unlink(missing_ok=True)
                    began = time.perf_counter()
                    run(options(port, user))
                    seconds[name][server].append(round(time.perf_counter() - began, 3))
            print(name, {server: statistics.median(taken) for server, taken in seconds[name].items()}, flush=True)
        return seconds


def section(result: dict[str, Any]) -> str:
    """What docs/reference/benchmarks.md shows."""
    on, (files, size) = result["machine"], result["smallFiles"]
    rows = "".join(
        f"| {name} | {row['median']['assay']:.2f} | {row['median']['sshd']:.2f} | {row['speedOfSshd']:.0%} |\n"
        for name, row in result["transfers"].items()
    )
    runs = len(next(iter(result["transfers"].values()))["seconds"]["assay"])
    return (
        f"{on['processor']}, {on['threads']} threads, {on['date']}, load {on['loadBefore']} before the run; a file of "
        f"{result['bigFileMiB']} MiB, {files:,} of {size:,} bytes; {runs} rounds.\n\n"
        f"| median seconds | ours | OpenSSH's | our speed |\n|---|---|---|---|\n{rows}"
    )


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--mib", type=int, default=512)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--no-page", action="store_true", help="leave docs/reference/benchmarks.md as it is")
    arguments, before = parser.parse_args(), machine()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / "key"], check=True)
        seconds = measured(folder, arguments.mib, arguments.runs)
    rows = {
        name: {
            "seconds": by_server,
            "median": {server: statistics.median(taken) for server, taken in by_server.items()},
            "speedOfSshd": round(statistics.median(by_server["sshd"]) / statistics.median(by_server["assay"]), 3),
        }
        for name, by_server in seconds.items()
    }
    result = {
        "machine": before,
        "bigFileMiB": arguments.mib,
        "smallFiles": [FILES, FILE_BYTES],
        "transfers": rows,
    }
    arguments.out.write_text(json.dumps(result, indent=1) + "\n")
    if not arguments.no_page:
        replace_section("ssh", section(result))
    for name, row in rows.items():
        print(f"{name:26} {row['median']}  {row['speedOfSshd']:.0%} of sshd's speed")


if __name__ == "__main__":
    main()

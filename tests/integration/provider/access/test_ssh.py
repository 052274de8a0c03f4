"""SSH into a lease with the OpenSSH client: who gets in, what they get, and when it ends."""

from __future__ import annotations

import asyncio
import gc
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import asyncssh
import pytest

from assay.chain.contracts.leases import Lease, LeaseStatus
from assay.provider.access.authorised_keys import AuthorisedKeys
from assay.provider.access.lease_ports import LeasePorts
from assay.provider.access.ssh_host_key import public_line
from assay.provider.access.ssh_programs import Shells
from assay.provider.access.ssh_server import lease_of_user, serve_ssh
from assay.provider.database import open_database
from assay.provider.errors import ProviderError, TooLarge
from assay.provider.runtime.local import LocalRuntime
from assay.provider.runtime.workload import Limits, Room, Workload
from assay.provider.workloads.jobs import OpenShells
from assay.renter.session.ssh_access import SshAccess, own_key
from tests.integration.provider.conftest import running_lease, until

pytestmark = pytest.mark.skipif(shutil.which("ssh") is None, reason="needs the OpenSSH client")


def runs(pid: int) -> bool:
    """Whether the process is there and not only waiting to be reaped."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


@dataclass
class Ssh:
    """A server with one lease, and clients of it."""

    folder: Path
    port: int
    keys: AuthorisedKeys
    leases: dict[int, Lease]
    deadline: float
    rooms: dict[int, list[Room]] = field(default_factory=dict)

    def new_key(self, name: str) -> Path:
        path = self.folder / name
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", path], check=True)
        return path

    async def run(
        self, key: Path, *command: str, user: str = "lease-3", options: tuple[str, ...] = (), stdin: bytes = b""
    ) -> tuple[int, str, str]:
        process = await asyncio.create_subprocess_exec(
            "ssh", "-F", "none", "-i", key, "-p", str(self.port), "-o", "IdentitiesOnly=yes", "-o", "BatchMode=yes",
            "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR", *options,
            f"{user}@127.0.0.1", *command,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        out, err = await asyncio.wait_for(process.communicate(stdin), 30)
        assert process.returncode is not None
        return process.returncode, out.decode(), err.decode()


@pytest.fixture
async def ssh(tmp_path: Path) -> AsyncIterator[Ssh]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    now = int(time.time())
    world = Ssh(tmp_path, port, AuthorisedKeys(open_database(None)), {3: running_lease(3)}, now + 600.0)

    def workload(lease_id: int, command: tuple[str, ...]) -> Workload:
        folder = tmp_path / f"leases/{lease_id}"
        (folder / "workspace").mkdir(parents=True, exist_ok=True)
        return Workload("shell", lease_id, command, folder / "workspace", folder / "jobs/shell", 0, Limits())

    async def read(lease_id: int) -> Lease | None:
        return world.leases.get(lease_id)

    shells = Shells(LocalRuntime(31337), workload, lambda _: world.deadline, time.time, OpenShells(), lambda _: 3)
    ports = LeasePorts(lambda lease_id: world.rooms.get(lease_id, []))
    ssh_server, _ = await serve_ssh("127.0.0.1", port, tmp_path / "ssh", world.keys, shells, ports, read, time.time)
    yield world
    ssh_server.close()
    ports.close()


async def test_command__with_the_renters_key__runs_in_the_workspace_and_gives_its_status(ssh: Ssh) -> None:
    key = ssh.new_key("renter")
    ssh.keys.add(3, (ssh.folder / "renter.pub").read_text())
    status, out, err = await ssh.run(key, "pwd; echo problem >&2; exit 9")
    assert (status, out.strip(), err.strip()) == (9, str(ssh.folder / "leases/3/workspace"), "problem")


async def test_command__input__reaches_it(ssh: Ssh) -> None:
    key = ssh.new_key("renter")
    ssh.keys.add(3, (ssh.folder / "renter.pub").read_text())
    assert (await ssh.run(key, "cat", stdin=b"through\n"))[:2] == (0, "through\n")


async def test_command__over__leaves_nothing_of_it_open(ssh: Ssh, recwarn: pytest.WarningsRecorder) -> None:
    key = ssh.new_key("renter")
    ssh.keys.add(3, (ssh.folder / "renter.pub").read_text())
    await ssh.run(key, "true")  # what the first connection opens for good
    before = open_files()
    for _ in range(3):
        assert (await ssh.run(key, "cat", stdin=b"x\n"))[0] == 0
    await asyncio.to_thread(until, lambda: open_files() <= before)
    gc.collect()
    assert [str(one.message) for one in recwarn if "never awaited" in str(one.message)] == []


@pytest.mark.parametrize("name", ["xterm", None])
async def test_shell__in_a_terminal__is_interactive(
    ssh: Ssh, name: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    if name is None:
        monkeypatch.delenv("TERM", raising=False)
    else:
        monkeypatch.setenv("TERM", name)
    key = ssh.new_key("renter")
    ssh.keys.add(3, (ssh.folder / "renter.pub").read_text())
    status, out, _ = await ssh.run(key, options=("-tt",), stdin=b"tty && echo is-$((40+2)); exit 5\n")
    assert status == 5
    assert "/dev/pts/" in out and "is-42" in out


@pytest.mark.parametrize("user", ["lease-3", "lease-4", "root", "lease-", "lease-3x"])
async def test_login__key_that_no_wallet_vouched_for__is_refused(ssh: Ssh, user: str) -> None:
    key = ssh.new_key("stranger")
    other = ssh.new_key("renter")
    ssh.keys.add(3, other.with_suffix(".pub").read_text())
    status, out, err = await ssh.run(key, "id", user=user)
    assert status == 255 and out == "" and "Permission denied" in err


async def test_login__key_of_one_lease__opens_no_other(ssh: Ssh) -> None:
    key = ssh.new_key("renter")
    ssh.keys.add(3, (ssh.folder / "renter.pub").read_text())
    ssh.leases[4] = replace(ssh.leases[3], lease_id=4)
    assert (await ssh.run(key, "id", user="lease-4"))[0] == 255


@pytest.mark.parametrize(
    "change", [{"status": LeaseStatus.ENDED}, {"status": LeaseStatus.PENDING}, {"stop": 1}, {"left_early": True}]
)
async def test_login__lease_not_running__is_refused(ssh: Ssh, change: dict[str, object]) -> None:
    key = ssh.new_key("renter")
    ssh.keys.add(3, (ssh.folder / "renter.pub").read_text())
    ssh.leases[3] = replace(ssh.leases[3], **change)  # type: ignore[arg-type]
    assert (await ssh.run(key, "id"))[0] == 255


@pytest.mark.parametrize("form", ["command", "configuration"])
async def test_access__in_a_folder_of_any_name__reaches_the_lease_with_ssh_itself(ssh: Ssh, form: str) -> None:
    folder = ssh.folder / 'my %h 100% "keys": a\\b #1'
    folder.mkdir()
    key, known = own_key(folder / "id_ed25519"), folder / "known hosts"
    ssh.keys.add(3, key.with_suffix(".pub").read_text())
    host_key = public_line(asyncssh.read_private_key(ssh.folder / "ssh/host_key"))
    known.write_text(f"[127.0.0.1]:{ssh.port} {host_key}\n")
    access = SshAccess(3, "127.0.0.1", ssh.port, "lease-3", key, known)
    if form == "command":
        argv = access.command("echo in")
    else:
        (folder / "config").write_text(access.configuration())
        argv = ["ssh", "-F", str(folder / "config"), access.host_alias, "echo in"]
    process = await asyncio.create_subprocess_exec(
        *argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    out, err = await process.communicate()
    assert (process.returncode, out) == (0, b"in\n"), err


SERVER = """
import os, socket, sys
server = socket.create_server(("127.0.0.1", 8000))
print("listens", flush=True)
while True:
    with server.accept()[0] as one:
        one.sendall(b"lease " + sys.argv[1].encode() + b": " + one.recv(99).upper())
"""


@pytest.fixture(scope="module")
def rooms() -> Iterator[dict[int, Room]]:
    """A server in a network of its own for each of two leases, both on the same port."""
    servers = {}
    for lease_id in (3, 4):
        command = ["unshare", "--net", "sh", "-c", 'ip link set lo up && exec "$@"', "-", sys.executable, "-c", SERVER]
        process = subprocess.Popen([*command, str(lease_id)], stdout=subprocess.PIPE)
        assert process.stdout is not None
        if process.stdout.readline() != b"listens\n":
            pytest.skip("needs the right to make network namespaces")
        servers[lease_id] = process
    yield {lease_id: Room(f"job{lease_id}", process.pid) for lease_id, process in servers.items()}
    for process in servers.values():
        process.kill()
        process.wait()


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "job3"])
async def test_forwarding__to_a_port_of_the_leases_workload__reaches_it(
    ssh: Ssh, rooms: dict[int, Room], host: str
) -> None:
    key = ssh.new_key("renter")
    ssh.keys.add(3, (ssh.folder / "renter.pub").read_text())
    ssh.rooms = {number: [room] for number, room in rooms.items()}
    status, out, err = await ssh.run(key, options=("-W", f"{host}:8000"), stdin=b"hello")
    assert (status, out) == (0, "lease 3: HELLO"), err


@pytest.mark.parametrize("host", ["10.0.0.1", "169.254.169.254", "job4", "0.0.0.1", "::1", "localhost.", ""])
async def test_forwarding__to_another_destination__is_refused(ssh: Ssh, rooms: dict[int, Room], host: str) -> None:
    key = ssh.new_key("renter")
    ssh.keys.add(3, (ssh.folder / "renter.pub").read_text())
    ssh.rooms = {number: [room] for number, room in rooms.items()}
    status, out, _ = await ssh.run(key, options=("-W", f"[{host}]:8000"))
    assert status == 255 and out == ""


async def test_forwarding__to_a_port_of_this_machine__is_refused(ssh: Ssh, rooms: dict[int, Room]) -> None:
    key = ssh.new_key("renter")
    ssh.keys.add(3, (ssh.folder / "renter.pub").read_text())
    ssh.rooms = {3: [rooms[3]]}
    # The SSH server itself listens there on this machine's loopback: the workload's is another.
    status, out, err = await ssh.run(key, options=("-W", f"127.0.0.1:{ssh.port}"))
    assert status == 255 and out == "" and "forwarding failed" in err


async def test_forwarding__back_to_the_renter__is_refused(ssh: Ssh) -> None:
    key = ssh.new_key("renter")
    ssh.keys.add(3, (ssh.folder / "renter.pub").read_text())
    options = ("-R", "0:127.0.0.1:1", "-o", "ExitOnForwardFailure=yes")
    assert (await ssh.run(key, "true", options=options))[0] == 255


async def test_shell__when_the_lease_is_over__is_killed_with_what_it_started(ssh: Ssh) -> None:
    key = ssh.new_key("renter")
    ssh.keys.add(3, (ssh.folder / "renter.pub").read_text())
    running = asyncio.create_task(ssh.run(key, "setsid sleep 300 & echo $! > pid; sleep 300"))
    pid_file = ssh.folder / "leases/3/workspace/pid"
    await asyncio.to_thread(until, lambda: pid_file.exists() and pid_file.read_text().strip() != "")
    ssh.deadline = 0
    assert (await running)[0] != 0
    await asyncio.to_thread(until, lambda: not runs(int(pid_file.read_text())))


def test_keys__not_a_key_or_too_many__are_refused(ssh: Ssh) -> None:
    for text in ("", "ssh-ed25519 AAAA", "x" * 5000, "ssh-ed25519 AAAA\nssh-ed25519 BBBB"):
        with pytest.raises(ProviderError):
            ssh.keys.add(3, text)
    for number in range(8):
        ssh.keys.add(3, ssh.new_key(f"k{number}").with_suffix(".pub").read_text())
    with pytest.raises(TooLarge):
        ssh.keys.add(3, ssh.new_key("k9").with_suffix(".pub").read_text())


@pytest.mark.parametrize(("user", "lease"), [("lease-12", 12), ("lease-", None), ("lease--1", None), ("root", None)])
def test_user__names_its_lease(user: str, lease: int | None) -> None:
    assert lease_of_user(user) == lease


async def test_shells__beyond_the_leases_share__are_refused_and_others_go_on(ssh: Ssh) -> None:
    key = ssh.new_key("renter")
    ssh.keys.add(3, (ssh.folder / "renter.pub").read_text())
    workspace = ssh.folder / "leases/3/workspace"
    clients = [
        await asyncio.create_subprocess_exec(
            "ssh", "-F", "none", "-i", key, "-p", str(ssh.port), "-o", "IdentitiesOnly=yes", "-o", "BatchMode=yes",
            "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR",
            "lease-3@127.0.0.1", f"touch open{n}; cat", stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )
        for n in range(3)
    ]  # fmt: skip
    await asyncio.to_thread(until, lambda: len(list(workspace.glob("open*"))) == 3)
    status, _, err = await ssh.run(key, "id")
    assert status == 1 and "at most 3 shells" in err
    for one in clients:
        out, _ = await one.communicate(b"still here")
        assert out == b"still here"
    assert (await ssh.run(key, "echo again"))[:2] == (0, "again\n")


async def test_connection__left_open_over_the_leases_end__is_closed_and_has_no_channel(
    ssh: Ssh, rooms: dict[int, Room], monkeypatch: pytest.MonkeyPatch
) -> None:
    from assay.provider.access import ssh_server

    monkeypatch.setattr(ssh_server, "LAST_WORDS_S", 0.1)
    key = ssh.new_key("renter")
    ssh.keys.add(3, (ssh.folder / "renter.pub").read_text())
    ssh.rooms = {3: [rooms[3]]}
    control = ssh.folder / "control"
    master = asyncio.create_task(ssh.run(key, options=("-M", "-S", str(control), "-N")))
    await asyncio.to_thread(until, control.exists)
    assert (await ssh.run(key, "echo in", options=("-S", str(control))))[:2] == (0, "in\n")
    ssh.deadline = 0
    assert (await asyncio.wait_for(master, 20))[0] == 255
    folder = ssh.folder / "leases/3"
    shutil.rmtree(folder)
    assert (await ssh.run(key, "echo in"))[0] != 0
    assert (await ssh.run(key, options=("-W", "localhost:8000")))[0] == 255
    assert not folder.exists()

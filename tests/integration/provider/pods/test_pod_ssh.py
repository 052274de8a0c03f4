"""SSH into a pod with the programs that people use: ssh, scp, sftp, rsync, tmux, forwarding, an agent."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from assay.provider.access.pod_tools import PodTools
from assay.provider.access.ssh_forwards import root_of
from tests.integration.provider.conftest import until
from tests.integration.provider.one_pod import OnePod, missing
from tests.integration.provider.pod_bench import PodBench
from tests.integration.provider.pod_machine import Machine, killed, reached

pytestmark = pytest.mark.skipif(missing() is not None, reason=str(missing()))


@pytest.fixture(scope="module")
def pod(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OnePod]:
    one = OnePod(tmp_path_factory.mktemp("pod"))
    yield one
    one.close()


@pytest.fixture(scope="module")
def tools(tmp_path_factory: pytest.TempPathFactory) -> PodTools:
    return PodTools(tmp_path_factory.mktemp("gathered") / "tools")


@pytest.fixture
async def machine(pod: OnePod, tools: PodTools, tmp_path: Path) -> AsyncIterator[Machine]:
    async with reached(pod, pod.pid, tools, tmp_path) as world:
        yield world


async def test_pod_of_the_engine__is_reached_as_any_machine_is(engine: str, tools: PodTools, tmp_path: Path) -> None:
    bench = PodBench(engine, tmp_path / "agent")
    try:
        status = await asyncio.to_thread(bench.start, 3)
        assert status.pid is not None
        async with reached(bench.pods, status.pid, tools, tmp_path) as machine:
            assert (await machine.ssh("id -u; pwd; exit 6"))[:2] == (6, "0\n/workspace\n")
            (tmp_path / "content").write_bytes(os.urandom(2_000_000))
            remote = f"ssh {' '.join(machine.options)}"
            for command in (
                ["scp", *machine.options, f"{tmp_path}/content", "127.0.0.1:one"],
                ["rsync", "-a", "-e", remote, "127.0.0.1:one", f"{tmp_path}/back"],
                ["cmp", f"{tmp_path}/content", f"{tmp_path}/back"],
            ):
                code, out, err = await machine.run(*command)
                assert code == 0, (command[0], out, err)
            assert (await machine.ssh("httpd -h /workspace -p 127.0.0.1:8105"))[0] == 0
            got = await machine.ssh(options=("-W", "localhost:8105"), stdin=b"HEAD /one HTTP/1.0\r\n\r\n")
            assert got[0] == 0 and "2000000" in got[1]
            assert (await machine.ssh("touch /run/assay/x"))[0] != 0
    finally:
        await asyncio.to_thread(bench.close)


async def test_command__in_a_pod__is_roots_there_with_the_images_environment_and_its_own_status(
    machine: Machine,
) -> None:
    code, out, err = await machine.ssh('id -u; pwd; echo "$FROM_IMAGE $SHELL $HOME $USER"; echo oops >&2; exit 7')
    assert (code, out.split(), err.strip()) == (7, ["0", "/workspace", "yes", "/usr/bin/bash", "/root", "root"], "oops")
    assert (await machine.ssh("kill -TERM $$"))[0] in (143, 255)
    assert (await machine.ssh("tr a-z A-Z", stdin=b"through"))[:2] == (0, "THROUGH")


async def test_environment__language_is_taken_and_what_changes_programs_is_not(machine: Machine) -> None:
    options = ("-o", "SetEnv=LANG=de_DE.UTF-8 LD_PRELOAD=/workspace/x.so LC_TIME=C")
    code, out, _ = await machine.ssh('echo "$LANG|$LC_TIME|$LD_PRELOAD|$ASSAY_LEASE"', options=options)
    assert (code, out.strip()) == (0, "de_DE.UTF-8|C||3")


async def test_terminal__has_its_name_and_size_and_follows_a_resize(machine: Machine) -> None:
    master, slave = os.openpty()
    resize(master, 31, 97)
    script = "echo $TERM; stty size; trap 'stty size; exit 4' WINCH; echo ready; while :; do sleep 0.1; done"
    client = await machine.start(
        "ssh", *machine.options, "-tt", "127.0.0.1", script, stdin=slave, stdout=slave, stderr=slave,
        env={**os.environ, "TERM": "xterm"}, start_new_session=True, preexec_fn=lambda: controlling(0),
    )  # fmt: skip
    os.close(slave)
    seen = await asyncio.to_thread(read_until, master, b"ready")
    assert b"xterm" in seen and b"31 97" in seen
    resize(master, 40, 120)
    client.send_signal(signal.SIGWINCH)
    assert b"40 120" in await asyncio.to_thread(read_until, master, b"40 120")
    assert await asyncio.wait_for(client.wait(), 20) == 4
    os.close(master)


async def test_tmux_and_nohup__outlive_the_connection_and_what_stays_in_front_does_not(machine: Machine) -> None:
    script = (
        "tmux -f /dev/null new-session -d -s work 'sleep 7001'; nohup sleep 7002 > /dev/null 2>&1 & "
        "(setsid sleep 7003 > /dev/null 2>&1 < /dev/null &); echo up; exec sleep 7004\n"
    )
    client = await machine.start("ssh", *machine.options, "-tt", "127.0.0.1")
    assert client.stdin and client.stdout
    client.stdin.write(script.encode())
    await asyncio.wait_for(client.stdout.readuntil(b"\nup"), 20)
    await asyncio.to_thread(until, lambda: "sleep 7004" in machine.pod.inside("ps"))
    await killed(client)
    await asyncio.to_thread(until, lambda: "sleep 7004" not in machine.pod.inside("ps"))
    there = machine.pod.inside("ps")
    assert all(f"sleep {number}" in there for number in (7001, 7002, 7003)), there
    _, out, _ = await machine.ssh("tmux list-sessions -F '#{session_name}'; pkill -f 'sleep 700'; tmux kill-server")
    assert out.split() == ["work"]


@pytest.mark.parametrize("legacy", [False, True])
async def test_scp__both_protocols__there_and_back(machine: Machine, legacy: bool) -> None:
    way = ["-O"] if legacy else []
    there = machine.folder / "out"
    (there / "deep/er").mkdir(parents=True)
    (there / "deep/er/datä a+b.bin").write_bytes(os.urandom(300_000))
    (there / "run.sh").write_text("x")
    (there / "run.sh").chmod(0o750)
    name = f"scp-{legacy}"
    code, _, err = await machine.run("scp", *way, "-rp", *machine.options, str(there), f"127.0.0.1:{name}")
    assert code == 0, err
    code, _, err = await machine.run(
        "scp", *way, "-rp", *machine.options, f"127.0.0.1:{name}", f"{machine.folder}/back"
    )
    assert code == 0, err
    assert (await machine.run("diff", "-r", str(there), f"{machine.folder}/back"))[0] == 0
    assert (machine.folder / "back/run.sh").stat().st_mode & 0o777 == 0o750


async def test_sftp__lists_and_copies_with_the_providers_own_server(machine: Machine) -> None:
    content = os.urandom(5_000_000)
    (machine.folder / "big").write_bytes(content)
    batch = f"put {machine.folder}/big big\nls -l big\nrename big bigger\nget bigger {machine.folder}/again\n"
    (machine.folder / "batch").write_text(batch)
    code, out, err = await machine.run("sftp", "-b", f"{machine.folder}/batch", *machine.options, "127.0.0.1")
    assert code == 0 and "5000000" in out, err
    assert (machine.folder / "again").read_bytes() == content
    owner = (machine.pod.folder / "workspace/bigger").stat().st_uid
    assert owner == root_of(machine.pod.pid)[0] > 1 << 30


async def test_rsync__there_and_back__with_an_image_that_has_none(machine: Machine) -> None:
    there = machine.folder / "tree"
    for number in range(40):
        (there / f"d{number % 4}").mkdir(parents=True, exist_ok=True)
        (there / f"d{number % 4}/f{number}").write_bytes(os.urandom(number * 100))
    (there / "empty").mkdir()
    (there / "link").symlink_to("d1/f1")
    remote = f"ssh {' '.join(machine.options)}"
    for source, target in ((f"{there}/", "127.0.0.1:tree/"), ("127.0.0.1:tree/", f"{machine.folder}/back/")):
        code, _, err = await machine.run("rsync", "-a", "-e", remote, source, target)
        assert code == 0, err
    compared = await machine.run("diff", "-r", "--no-dereference", str(there), f"{machine.folder}/back")
    assert compared[0] == 0 and (machine.folder / "back/empty").is_dir()


async def test_tools__inside__cannot_be_written_even_by_root(machine: Machine) -> None:
    assert (await machine.ssh("true"))[0] == 0
    attacks = (
        "echo x > /run/assay/tools/bin/rsync", "rm -rf /run/assay/tools", "mount -o remount,rw /run/assay",
        "touch /run/assay/here", "mount --bind /tmp /run/assay", "umount /run/assay",
        "chmod 777 /run/assay/tools/lib/rsync.bin",
    )  # fmt: skip
    for attack in attacks:
        assert (await machine.ssh(attack))[0] != 0, attack
    kept = machine.pod.folder / "tools/tools/bin/rsync"
    assert kept.read_text().startswith("#!/bin/sh\nexec /run/assay/tools/lib/ld-")


async def test_forwarding_in__reaches_the_pods_loopbacks_and_no_address_of_this_host(machine: Machine) -> None:
    serve = "cd /tmp; echo inside > x; for at in 127.0.0.1:8101 [::1]:8102; do httpd -h /tmp -p $at; done"
    assert (await machine.ssh(serve))[0] == 0
    for where in ("127.0.0.1:8101", "localhost:8101", "[::1]:8102", "localhost:8102", "127.0.0.1:8102", "127.9.9.9:0"):
        code, out, err = await machine.ssh(options=("-W", where), stdin=b"GET /x HTTP/1.0\r\n\r\n")
        if where in ("127.0.0.1:8102", "127.9.9.9:0"):
            assert code == 255
        else:
            assert code == 0 and out.endswith("inside\n"), (where, err)
    for where in (f"127.0.0.1:{machine.port}", "169.254.169.254:80", "10.0.0.1:22", "example.org:80", "[fe80::1]:22"):
        assert (await machine.ssh(options=("-W", where)))[0] == 255, where


async def test_forwarding_back__listens_inside_only(machine: Machine) -> None:
    server = await asyncio.start_server(answer_and_close, "127.0.0.1", 0)
    ours = server.sockets[0].getsockname()[1]
    _, out, err = await machine.ssh(
        "echo ping | nc 127.0.0.1 8203; echo ping | nc ::1 8203; netstat -ltn | grep -c 0.0.0.0:8203",
        options=("-R", f"*:8203:127.0.0.1:{ours}", "-o", "ExitOnForwardFailure=yes"),
    )
    server.close()
    assert out.split() == ["pong", "pong", "0"], err
    with pytest.raises(OSError):
        socket.create_connection(("127.0.0.1", 8203), 1).close()


async def test_forwarding_of_sockets_in_files__is_the_pods_both_ways(machine: Machine) -> None:
    up = await machine.start(
        "ssh", *machine.options, "-R", f"/tmp/coming:{machine.folder}/ours", "-o", "ExitOnForwardFailure=yes",
        "-L", f"{machine.folder}/there:/tmp/coming", "-L", f"{machine.folder}/not-there:{machine.folder}/ours",
        "-N", "127.0.0.1",
    )  # fmt: skip
    server = await asyncio.start_unix_server(answer_and_close, machine.folder / "ours")
    await asyncio.to_thread(until, (machine.folder / "there").exists, 20)
    # Into the pod, to the socket that leads back out of it.
    reader, writer = await asyncio.open_unix_connection(machine.folder / "there")
    writer.write(b"ping\n")
    assert await asyncio.wait_for(reader.readline(), 10) == b"pong\n"
    writer.close()
    assert not await asyncio.to_thread(Path("/tmp/coming").exists)
    # A path of this host is none of the pod's, though somebody listens there.
    reader, writer = await asyncio.open_unix_connection(machine.folder / "not-there")
    assert await asyncio.wait_for(reader.read(), 10) == b""
    writer.close()
    server.close()
    up.kill()
    await up.wait()
    await machine.ssh("rm -f /tmp/coming")


async def test_agent__forwarded__is_inside_for_its_root_and_gone_afterwards(machine: Machine) -> None:
    agent = await machine.start("ssh-agent", "-D", "-a", f"{machine.folder}/agent")
    try:
        await asyncio.to_thread(until, (machine.folder / "agent").exists)
        environment = {**os.environ, "SSH_AUTH_SOCK": str(machine.folder / "agent")}
        add = await machine.start("ssh-add", "-q", f"{machine.folder}/key", env=environment)
        assert await add.wait() == 0
        script = 'ssh-add -l; stat -c "%u %a" "$SSH_AUTH_SOCK" "${SSH_AUTH_SOCK%/*}"; echo "$SSH_AUTH_SOCK"'
        client = await machine.start("ssh", *machine.options, "-A", "127.0.0.1", script, env=environment)
        out, err = await client.communicate()
        lines = out.decode().splitlines()
        assert "ED25519" in lines[0], (out, err)
        assert lines[1:3] == ["0 600", "0 700"]
        assert lines[3].startswith("/run/assay/agents/")
        await asyncio.to_thread(until, lambda: not list((machine.pod.folder / "tools/agents").iterdir()))
        without = await machine.ssh('echo "[$SSH_AUTH_SOCK]"')
        assert without[1].strip() == "[]"
    finally:
        agent.terminate()
        await agent.wait()


async def test_programs__beyond_the_share__are_refused_and_a_slow_reader_holds_up_nobody(machine: Machine) -> None:
    clients = [await machine.start("ssh", *machine.options, "127.0.0.1", "yes") for _ in range(6)]
    for one in clients:
        assert one.stdout is not None
        assert await asyncio.wait_for(one.stdout.readline(), 30) == b"y\n"
    code, _, err = await machine.ssh("true")
    assert code == 1 and "at most 6" in err
    for one in clients:
        await killed(one)
    assert machine.programs is not None
    await asyncio.to_thread(until, lambda: not machine.programs.processes(3))
    assert (await machine.ssh("echo again"))[:2] == (0, "again\n")
    await asyncio.to_thread(until, lambda: "yes" not in machine.pod.inside("ps"))


async def test_program__whose_client_goes__is_told_by_hup_and_has_time_for_it(machine: Machine) -> None:
    script = "trap 'sleep 0.3; echo saved > /workspace/saved; exit' HUP; echo up; while :; do sleep 0.05; done"
    client = await machine.start("ssh", *machine.options, "127.0.0.1", script)
    assert client.stdout is not None
    assert await asyncio.wait_for(client.stdout.readline(), 30) == b"up\n"
    await killed(client)
    await asyncio.to_thread(until, (machine.pod.folder / "workspace/saved").exists, 20)


async def test_lease__over__ends_programs_and_forwards(machine: Machine) -> None:
    client = asyncio.create_task(machine.ssh("sleep 7100"))
    await asyncio.to_thread(until, lambda: "sleep 7100" in machine.pod.inside("ps"))
    machine.deadline = 0
    assert (await asyncio.wait_for(client, 20))[0] != 0
    assert (await machine.ssh("true"))[0] != 0
    assert "sleep 7100" not in machine.pod.inside("ps")


async def answer_and_close(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    assert await reader.readline() == b"ping\n"
    writer.write(b"pong\n")
    writer.close()


def resize(terminal: int, rows: int, columns: int) -> None:
    import fcntl
    import struct
    import termios

    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))


def controlling(terminal: int) -> None:
    import fcntl
    import termios

    fcntl.ioctl(terminal, termios.TIOCSCTTY, 0)


def read_until(terminal: int, wanted: bytes, seconds: float = 20.0) -> bytes:
    seen, end = b"", time.monotonic() + seconds
    os.set_blocking(terminal, False)
    while wanted not in seen and time.monotonic() < end:
        try:
            seen += os.read(terminal, 4096)
        except BlockingIOError:
            time.sleep(0.02)
    return seen

"""What editors and people with many windows do with a pod's SSH: command sequences of VS Code's Remote-SSH and of
JetBrains Gateway, thirty shells at once, connections left open over the lease's end."""

from __future__ import annotations

import asyncio
import os
import socket
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from assay.provider.access.pod_tools import PodTools
from tests.integration.provider.conftest import until
from tests.integration.provider.one_pod import OnePod, missing
from tests.integration.provider.pod_machine import Machine, killed, reached

pytestmark = pytest.mark.skipif(missing() is not None, reason=str(missing()))
SHELLS = 30

# As Remote-SSH sends it to `bash` over its input: a lock, a server in the background with its log in a file, the port
# from that log, and a loop that stays for as long as the connection.
INSTALL = r"""
set -u
DIR=$HOME/.vscode-server; LOG=$DIR/.log; PIDFILE=$DIR/.pid
echo "1234: running"
mkdir -p "$DIR/bin" && umask 077
exec 9> "$DIR/lock" && flock -n 9 && echo "lock acquired"
case "$(uname -s) $(uname -m)" in "Linux x86_64"|"Linux aarch64") ;; *) echo unsupported; exit 1;; esac
if [ -f "$PIDFILE" ] && ps | grep "^ *$(cat "$PIDFILE") " >/dev/null; then
  echo "Found running server..."
else
  printf '%s\n' '#!/bin/sh' 'echo "Extension host agent listening on 8123"' \
    'exec httpd -f -p 127.0.0.1:8123 -h "$HOME/.vscode-server"' > "$DIR/bin/code-server"
  chmod 755 "$DIR/bin/code-server"
  echo "served" > "$DIR/index.html"
  "$DIR/bin/code-server" --start-server --host=127.0.0.1 --port=0 > "$LOG" 2>&1 < /dev/null 9>&- &
  echo $! > "$PIDFILE"
fi
while ! PORT=$(sed -n 's/.*listening on //p' "$LOG") || [ -z "$PORT" ]; do sleep 0.03; done
printenv | sed 's/^/    /'
printf '%s\n' "1234: start" "listeningOn==$PORT==" "exitCode==0==" "SSH_AUTH_SOCK==${SSH_AUTH_SOCK:-}==" "1234: end"
while :; do sleep 1; done
"""


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
    async with reached(pod, pod.pid, tools, tmp_path, most=64) as world:
        yield world


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def through_socks(proxy: int, host: str, port: int, request: bytes) -> bytes:
    """What is answered at the far end of a SOCKS 5 proxy."""
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy)
    writer.write(b"\x05\x01\x00")
    assert await reader.readexactly(2) == b"\x05\x00"
    name = host.encode()
    writer.write(b"\x05\x01\x00\x03" + bytes([len(name)]) + name + port.to_bytes(2, "big"))
    told = await reader.read(10)  # OpenSSH hangs up without a word where the channel is refused
    if not told or told[1]:
        writer.close()
        return b"refused"
    writer.write(request)
    answer = await reader.read()
    writer.close()
    return answer


async def installed(machine: Machine, *options: str) -> tuple[asyncio.subprocess.Process, str]:
    """A connection on which the script has been sent, and what it said."""
    client = await machine.start("ssh", *machine.options, "-T", *options, "127.0.0.1", "bash")
    assert client.stdin and client.stdout
    client.stdin.write(INSTALL.encode())
    await client.stdin.drain()
    said = (await asyncio.wait_for(client.stdout.readuntil(b"1234: end\n"), 60)).decode()
    assert "exitCode==0==" in said
    return client, said


async def test_vs_code__installs_its_server_and_reaches_it_through_socks(machine: Machine) -> None:
    proxy = free_port()
    first, said = await installed(machine, "-D", str(proxy))
    assert "lock acquired" in said and "listeningOn==8123==" in said
    assert f" 127.0.0.1 {machine.port}\n" in said.partition("SSH_CONNECTION=")[2].splitlines(keepends=True)[0]
    got = await through_socks(proxy, "127.0.0.1", 8123, b"GET / HTTP/1.0\r\n\r\n")
    assert got.endswith(b"served\n")
    # Many channels at once, as an editor's window opens them.
    many = await asyncio.gather(
        *(through_socks(proxy, "localhost", 8123, b"GET / HTTP/1.0\r\n\r\n") for _ in range(40))
    )
    assert all(one.endswith(b"served\n") for one in many)
    # What is outside of the pod is not to be had through it, as little as what nobody listens on.
    for host, port in (("127.0.0.1", machine.port), ("127.0.0.1", 8124), ("example.org", 80)):
        assert await through_socks(proxy, host, port, b"x") == b"refused"
    # The laptop sleeps: the server is found again, by a tunnel of the other kind.
    await killed(first)
    local = free_port()
    second, said = await installed(machine, "-L", f"{local}:127.0.0.1:8123")
    assert "Found running server..." in said
    reader, writer = await asyncio.open_connection("127.0.0.1", local)
    writer.write(b"GET / HTTP/1.0\r\n\r\n")
    assert (await reader.read()).endswith(b"served\n")
    writer.close()
    await killed(second)
    await machine.ssh("pkill httpd")


async def test_vs_code__control_connection__carries_commands_files_and_terminals_at_once(machine: Machine) -> None:
    control = ("-o", f"ControlPath={machine.folder}/control")
    master = await machine.start("ssh", *machine.options, *control, "-M", "-N", "127.0.0.1")
    await asyncio.to_thread(until, (machine.folder / "control").exists, 20)
    (machine.folder / "batch").write_text(f"put {machine.folder}/key.pub settings.json\nls -la\n")
    work = [
        machine.ssh("uname -rsv", options=control),
        machine.ssh("bash", stdin=b"echo one\necho two\n", options=control),
        machine.run("sftp", *machine.options, *control, "-b", f"{machine.folder}/batch", "127.0.0.1"),
        machine.run("ssh", *machine.options, *control, "-tt", "127.0.0.1", stdin=b"stty -echo; tty; exit 5\n"),
    ]
    system, script, files, terminal = await asyncio.gather(*work)
    assert system[1].startswith("Linux ") and script[:2] == (0, "one\ntwo\n")
    assert files[0] == 0 and "settings.json" in files[1]
    assert terminal[0] == 5 and "/dev/pts/" in terminal[1]
    await killed(master)


async def test_gateway__probes_uploads_its_worker_and_starts_a_backend(machine: Machine) -> None:
    # One command a channel, as its client opens them; each status and output counts.
    probes = {
        "uname -s": "Linux\n",
        "uname -m": f"{os.uname().machine}\n",
        "sh -c 'echo \"$HOME\"'": "/root\n",
        "/bin/sh -c 'cd \"$HOME\" && pwd'": "/root\n",
        "test -e /root/.cache/JetBrains/worker && echo yes || echo no": "no\n",
        "id -un": "root\n",
    }
    for command, said in probes.items():
        assert (await machine.ssh(command))[:2] == (0, said), command
    assert (await machine.ssh("df -Pk $HOME | tail -n 1 | awk '{print $4}'"))[1].strip().isdigit()
    # The worker goes by SFTP into the cache below the home folder, gets its mode there and its name at the end.
    (machine.folder / "worker").write_text(
        '#!/bin/sh\n[ "$1" = host-status ] && echo \'{"ok":true}\' && exit 0\nexit 9\n'
    )
    (machine.folder / "batch").write_text(
        "mkdir /root/.cache\nmkdir /root/.cache/JetBrains\n"
        f"put {machine.folder}/worker /root/.cache/JetBrains/worker.part\n"
        "chmod 755 /root/.cache/JetBrains/worker.part\n"
        "rename /root/.cache/JetBrains/worker.part /root/.cache/JetBrains/worker\nls -l /root/.cache/JetBrains\n"
    )
    code, out, err = await machine.run("sftp", "-b", f"{machine.folder}/batch", *machine.options, "127.0.0.1")
    assert code == 0 and "-rwxr-xr-x" in out, err
    worker = "/root/.cache/JetBrains/worker"
    assert (await machine.ssh(f"{worker} host-status"))[:2] == (0, '{"ok":true}\n')
    assert (await machine.ssh(worker))[0] == 9
    # Where SFTP is not to be had it writes to `cat`.
    content = os.urandom(300_000)
    assert (await machine.ssh(f"cat > {worker}.2 && wc -c < {worker}.2", stdin=content))[1].strip() == "300000"
    # The backend stays when its channel ends, and is reached on a forwarded port.
    start = "mkdir -p /tmp/ide; cd /tmp/ide; echo backend > status; nohup httpd -f -p 127.0.0.1:5990 >log 2>&1 &"
    assert (await machine.ssh(start))[0] == 0
    local = free_port()
    tunnel = await machine.start("ssh", *machine.options, "-N", "-L", f"{local}:127.0.0.1:5990", "127.0.0.1")

    async def served() -> bytes:
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", local)
        except OSError:
            return b""
        writer.write(b"GET /status HTTP/1.0\r\n\r\n")
        answer = await reader.read()
        writer.close()
        return answer

    end = time.monotonic() + 20
    while not (answer := await served()).endswith(b"backend\n"):
        assert time.monotonic() < end, answer
        await asyncio.sleep(0.1)
    await killed(tunnel)
    await machine.ssh("pkill httpd; rm -rf /tmp/ide /root/.cache")


@pytest.mark.deep
async def test_shells__thirty_at_once_on_one_pod__each_answers(machine: Machine) -> None:
    # Over as few connections as one may open: a lease has sixteen.
    control = [("-o", f"ControlPath={machine.folder}/control{number}") for number in range(3)]
    for one in control:
        await machine.start("ssh", *machine.options, *one, "-M", "-N", "127.0.0.1")
        await asyncio.to_thread(until, Path(one[1].partition("=")[2]).exists, 20)
    shells = [
        await machine.start("ssh", *machine.options, *control[number % 3], "-tt", "127.0.0.1")
        for number in range(SHELLS)
    ]
    for number, one in enumerate(shells):
        assert one.stdin is not None
        one.stdin.write(f"stty -echo; echo shell-$(({number} + 1000)); exec sleep 7300\n".encode())
    for number, one in enumerate(shells):
        assert one.stdout is not None
        await asyncio.wait_for(one.stdout.readuntil(f"shell-{number + 1000}".encode()), 120)
    await asyncio.to_thread(until, lambda: machine.pod.inside("ps").count("sleep 7300") == SHELLS)
    for one in machine.clients:
        if one.returncode is None:
            await killed(one)
    await asyncio.to_thread(until, lambda: "sleep 7300" not in machine.pod.inside("ps"), 60)


async def test_connections__left_open_over_the_leases_end__are_closed_with_all_they_forward(machine: Machine) -> None:
    assert (await machine.ssh("httpd -p 127.0.0.1:8130 -h /tmp"))[0] == 0
    local, back = free_port(), 8131
    server = await asyncio.start_server(lambda _, writer: writer.write(b"ours\n"), "127.0.0.1", 0)
    ours = server.sockets[0].getsockname()[1]
    forwards = ("-L", f"{local}:127.0.0.1:8130", "-R", f"{back}:127.0.0.1:{ours}", "-o", "ExitOnForwardFailure=yes")
    idle = await machine.start("ssh", *machine.options, *forwards, "-N", "127.0.0.1")
    shell = await machine.start("ssh", *machine.options, "-tt", "127.0.0.1")
    assert shell.stdin and shell.stdout
    shell.stdin.write(b"echo up-$((1 + 1))\n")
    await asyncio.wait_for(shell.stdout.readuntil(b"up-2"), 30)

    def listening() -> bool:
        return f"127.0.0.1:{back}" in machine.pod.inside("netstat", "-ltn")

    await asyncio.to_thread(until, listening, 20)
    reader, writer = await asyncio.open_connection("127.0.0.1", local)  # one that is open as the lease ends
    machine.deadline = 0
    began = time.monotonic()
    assert await asyncio.wait_for(idle.wait(), 20) != 0
    assert await asyncio.wait_for(shell.wait(), 20) != 0
    assert time.monotonic() - began < 15
    assert await asyncio.wait_for(reader.read(), 10) == b""
    writer.close()
    await asyncio.to_thread(until, lambda: not listening(), 10)
    # Nothing comes back: no program, no tunnel, no connection that stays.
    for options in (("-W", "127.0.0.1:8130"), ("-N",)):
        try:
            code, _, _ = await asyncio.wait_for(machine.ssh(options=options), 15)
        except TimeoutError:
            pytest.fail(f"{options} stays open beyond the lease")
        assert code != 0
    server.close()
    machine.deadline = time.time() + 600
    await machine.ssh("pkill httpd")

"""What a job under bubblewrap can and cannot do. Skipped where bwrap cannot make namespaces."""

from __future__ import annotations

import asyncio
import os
import subprocess
from pathlib import Path

import pytest

from assay.provider.access.lease_ports import LeasePorts
from assay.provider.errors import NotFound, RuntimeUnavailable
from assay.provider.runtime.bubblewrap import BubblewrapRuntime
from assay.provider.runtime.supervisor import descendants
from assay.provider.runtime.workload import Outcome
from tests.integration.provider.conftest import Bench, until


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    try:
        runtime = BubblewrapRuntime()
        runtime.check()
    except RuntimeUnavailable as error:
        pytest.skip(str(error))
    return Bench(runtime, tmp_path)


def test_job__ordinary__runs_in_its_workspace(bench: Bench) -> None:
    outcome, output = bench.run("sh", "-c", "pwd; id -u; echo made > file; exit 4")
    assert outcome == Outcome("exited", 4, None)
    assert output.split() == ["/workspace", "65534"]
    assert (bench.folder / "leases/7/workspace/file").read_text() == "made\n"


def test_descendants__processes_that_end_while_they_are_counted__are_passed_over() -> None:
    churn = "i=0; while [ $i -lt 1500 ]; do (true; (true)& (true)&)& i=$((i+1)); done; wait"
    shell = subprocess.Popen(["sh", "-c", churn])
    looks = 0
    while shell.poll() is None:
        descendants(os.getpid())
        looks += 1
    assert shell.returncode == 0 and looks > 100


@pytest.mark.parametrize(
    "attempt",
    [
        "cat {secret}", "ls {folder}", "ls /root", "ls /home", "cat /etc/shadow", "cat /etc/passwd",
        "echo x > /usr/bin/planted", "mount -t tmpfs none /mnt", "touch /sys/x", "ls /work",
    ],
)  # fmt: skip
def test_job__reaching_for_the_host__gets_nothing(bench: Bench, attempt: str) -> None:
    secret = bench.folder / "provider.json"
    secret.write_text("SECRET")
    script = attempt.format(secret=secret, folder=bench.folder)
    outcome, output = bench.run("sh", "-c", script)
    assert outcome.status == "exited" and outcome.exit_code != 0
    assert "SECRET" not in output


def test_job__network__has_no_route_to_host_metadata_or_agent(bench: Bench) -> None:
    script = (
        "import socket\n"
        "for address in [('127.0.0.1', 8700), ('169.254.169.254', 80), ('1.1.1.1', 53)]:\n"
        "    try:\n        socket.create_connection(address, 2); print('reached', address)\n"
        "    except OSError as error:\n        print('no', error.errno)\n"
    )
    outcome, output = bench.run("/usr/bin/python3", "-c", script)
    assert outcome.exit_code == 0
    assert output.count("no ") == 3 and "reached" not in output


def test_job__processes__sees_its_own_only(bench: Bench) -> None:
    _, output = bench.run("sh", "-c", "ls /proc | grep -c '^[0-9]'")
    assert int(output) < 10


def test_job__environment__holds_nothing_of_the_daemon(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASSAY_PASSWORD_FILE", "/secret")
    _, output = bench.run("env")
    assert "secret" not in output


def test_job__too_many_processes__is_killed(bench: Bench) -> None:
    outcome, _ = bench.run("sh", "-c", "for i in $(seq 60); do sleep 60 & done; wait", processes=40)
    assert outcome == Outcome("killed", 137, "process limit")


def test_job__too_much_memory_over_several_processes__is_killed(bench: Bench) -> None:
    script = "import os, time\nfor _ in range(3): os.fork()\nx = b'x' * (60 << 20)\ntime.sleep(30)"
    outcome, _ = bench.run("/usr/bin/python3", "-c", script, memory_bytes=200 << 20)
    assert outcome == Outcome("killed", 137, "memory limit")


def test_job__past_its_lease__is_killed_though_it_ran_away(bench: Bench) -> None:
    marker = bench.folder / "leases/7/workspace/beat"
    outcome, _ = bench.run(
        "sh", "-c", "setsid sh -c 'while true; do date +%s%N > beat; sleep 0.05; done' & sleep 60", seconds=1.0
    )
    assert outcome == Outcome("killed", 137, "lease over")
    last = marker.read_text()
    until(lambda: True)
    assert marker.read_text() == last


async def test_port__that_a_job_listens_on__is_reached_from_here_and_by_job(bench: Bench) -> None:
    script = (
        "import os, socket\nserver = socket.create_server(('127.0.0.1', 8000))\nopen('up', 'w')\n"
        "server.accept()[0].sendall(b'inside')"
    )
    job = bench.start("/usr/bin/python3", "-c", script)
    until((bench.folder / "leases/7/workspace/up").exists)
    root = bench.runtime.supervisor_of(job.control)
    assert root is not None
    ports = LeasePorts(lambda lease_id: bench.runtime.rooms(job.workspace, [(job.job_id, root)]))
    with await ports.connect(7, job.job_id, 8000) as inside:
        assert await asyncio.get_running_loop().sock_recv(inside, 99) == b"inside"
    with pytest.raises(NotFound):
        await ports.connect(7, "localhost", 8001)
    ports.close()

"""Jobs in real containers, on a podman service that the tests start. Skipped where there is no podman."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import json
import os
import signal
import socket
from pathlib import Path

import pytest

from assay.provider.access.lease_ports import LeasePorts
from assay.provider.errors import NotFound, ProviderError, RuntimeUnavailable
from assay.provider.images.policy import ImagePolicy
from assay.provider.runtime.container import ContainerRuntime
from assay.provider.runtime.egress_rules import EgressRules
from assay.provider.runtime.workload import Outcome, Workload, output_path
from tests.integration.provider.conftest import Bench, until
from tests.integration.provider.podman import IMAGE, WITH_ENTRY_POINT, WITH_VOLUME_INSIDE, WITH_VOLUMES

POLICY = ImagePolicy(default=IMAGE, allow=("localhost/*",), deny=("localhost/bad*",))


@pytest.fixture
def bench(engine: str, tmp_path: Path) -> Bench:
    runtime = ContainerRuntime(engine, POLICY)
    runtime.check()
    return Bench(runtime, tmp_path)


def test_job__ordinary__runs_in_its_workspace_as_nobody(bench: Bench) -> None:
    outcome, output = bench.run("sh", "-c", "pwd; id -u; echo made > file; exit 4")
    assert outcome == Outcome("exited", 4, None)
    assert output.split() == ["/workspace", "65534"]
    assert (bench.folder / "leases/7/workspace/file").read_text() == "made\n"


ESCAPES = Path(__file__).with_name("escapes.py").read_text()


def test_job__trying_each_escape__gets_nowhere(bench: Bench) -> None:
    secret, other = bench.folder / "provider.json", bench.folder / "leases/8/workspace"
    secret.write_text("SECRET")
    other.mkdir(parents=True)
    (other / "theirs").write_text("SECRET")
    with socket.create_server(("0.0.0.0", 0)) as agent:  # noqa: S104 - as an agent listens
        own = [socket.gethostbyname(socket.gethostname()), "127.0.0.1", "10.0.2.2", "169.254.169.254", "1.1.1.1"]
        asked = {
            "files": [str(secret), str(other / "theirs"), str(bench.folder)],
            "addresses": [[address, agent.getsockname()[1]] for address in own] + [["169.254.169.254", 80]],
            "processes": 40,
        }
        outcome, output = bench.run("python3", "-c", ESCAPES, json.dumps(asked), processes=40)
        agent.setblocking(False)
        with pytest.raises(BlockingIOError):
            agent.accept()
    assert outcome == Outcome("exited", 0, None), output
    tried = json.loads(output)
    assert {name: how for name, how in tried.items() if not how.startswith("refused")} == {}
    # Refused for want of room, not of the right to write there.
    assert tried["fill /tmp"] == f"refused: OSError {errno.ENOSPC}"
    assert len(tried) >= 30 and "SECRET" not in output


def test_job__past_its_lease__is_killed_and_its_container_removed(bench: Bench, engine: str) -> None:
    import docker

    outcome, _ = bench.run("sleep", "600", seconds=3.0)
    assert outcome == Outcome("killed", 137, "lease over")
    assert docker.DockerClient(base_url=engine).containers.list(all=True) == []


@pytest.mark.parametrize(
    ("script", "limits", "reason"),
    [
        ("sleep 600", {"wall_seconds": 1.0}, "time limit"),
        ("yes", {"output_bytes": 100_000}, "output limit"),
        (
            "yes | head -c 200000000 > /tmp/x; x=$(yes | head -c 300000000); sleep 600",
            {"memory_bytes": 64 << 20, "wall_seconds": 30.0},
            None,
        ),
    ],
)
def test_job__beyond_a_limit__is_killed(
    bench: Bench, script: str, limits: dict[str, float], reason: str | None
) -> None:
    outcome, output = bench.run("sh", "-c", script, **limits)
    assert outcome.exit_code == 137 or outcome.status == "killed"
    if reason:
        assert outcome.reason == reason
    assert len(output) <= 16 << 20


def test_job__supervisor_killed__container_is_removed_when_it_is_looked_at(bench: Bench, engine: str) -> None:
    import docker

    job: Workload = bench.start("sleep", "600")
    client = docker.DockerClient(base_url=engine)
    until(lambda: len(client.containers.list()) == 1)
    pid = bench.runtime.supervisor_of(job.control)
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    until(lambda: bench.runtime.inspect(job.control).status == "lost")
    assert client.containers.list(all=True) == []


def test_guard__another_container_with_the_name_of_its_own__leaves_it_alone(bench: Bench, engine: str) -> None:
    import docker

    job = bench.start("sleep", "600")
    client = docker.DockerClient(base_url=engine)
    until(lambda: len(client.containers.list()) == 1)
    (first,) = client.containers.list()
    guards = guards_of(first.id)
    assert len(guards) == 1
    os.kill(guards[0], signal.SIGSTOP)
    bench.runtime.kill(job.control, "stopped")
    second = client.containers.create(IMAGE, ["sleep", "600"], name=first.name)
    try:
        os.kill(guards[0], signal.SIGCONT)
        until(lambda: guards_of(first.id) == [])
        assert [one.id for one in client.containers.list(all=True)] == [second.id]
    finally:
        second.remove(force=True)


def guards_of(container: str) -> list[int]:
    """Processes of ours that name this container on their command line."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            command = (process / "cmdline").read_bytes()
            if b"container_guard" in command and container.encode() in command:
                found.append(int(process.name))
    return found


def test_container__daemon_and_supervisor_killed_outright__is_removed_though_nobody_looks(
    bench: Bench, engine: str
) -> None:
    import docker

    job: Workload = bench.start("sleep", "600")
    client = docker.DockerClient(base_url=engine)
    until(lambda: len(client.containers.list()) == 1)
    pid = bench.runtime.supervisor_of(job.control)
    assert pid is not None
    os.killpg(pid, signal.SIGKILL)
    until(lambda: client.api.containers(all=True) == [])


def test_job__with_hosts_that_it_may_reach__finds_the_proxy_before_it_starts_and_nothing_else(
    engine: str, tmp_path: Path
) -> None:
    bench = Bench(ContainerRuntime(engine, POLICY, egress=EgressRules.parse(["internet"])), tmp_path)
    script = (
        "import os, sys, urllib.request, urllib.error\n"
        "def reach(address):\n"
        "    try: urllib.request.urlopen(f'http://{address}/', timeout=10); return 'reached'\n"
        "    except urllib.error.URLError as error: return getattr(error, 'code', None) or error.reason.errno\n"
        "print([reach(address) for address in sys.argv[1:]])\n"
        "urllib.request.install_opener(urllib.request.build_opener(urllib.request.ProxyHandler({})))\n"
        "print(reach('1.1.1.1'))"
    )
    outcome, output = bench.run("python3", "-c", script, "169.254.169.254", "127.0.0.2:8700", "10.0.0.1")
    assert outcome == Outcome("exited", 0, None), output
    assert output == f"[403, 403, 403]\n{errno.ENETUNREACH}\n"


def test_job__killed_from_here__container_is_removed(bench: Bench, engine: str) -> None:
    import docker

    job = bench.start("sleep", "600")
    client = docker.DockerClient(base_url=engine)
    until(lambda: len(client.containers.list()) == 1)
    assert bench.runtime.kill(job.control, "lease ended") == Outcome("killed", 137, "lease ended")
    assert client.containers.list(all=True) == []


async def test_port__that_a_job_listens_on__is_reached_from_here_through_its_own_network(bench: Bench) -> None:
    job = bench.start("sh", "-c", "echo inside > index.html; httpd -f -p 127.0.0.1:8000")
    ports = LeasePorts(lambda lease_id: bench.runtime.rooms(job.workspace, []))
    answer = b""
    for _ in range(500):
        with contextlib.suppress(NotFound):
            with await ports.connect(7, "localhost", 8000) as inside:
                await asyncio.get_running_loop().sock_sendall(inside, b"GET / HTTP/1.0\r\n\r\n")
                while piece := await asyncio.get_running_loop().sock_recv(inside, 999):
                    answer += piece
            break
        await asyncio.sleep(0.02)
    assert answer.endswith(b"inside\n")
    bench.runtime.kill(job.control, "done")
    with pytest.raises(NotFound):
        await ports.connect(7, "localhost", 8000)
    ports.close()


@pytest.mark.parametrize("image", ["docker.io/library/alpine", "localhost/bad:1"])
def test_policy__image_not_allowed__is_refused(image: str) -> None:
    with pytest.raises(ProviderError, match="not allowed"):
        POLICY.choose(image)


def test_check__no_engine_at_the_socket__is_refused_clearly(tmp_path: Path) -> None:
    with pytest.raises(RuntimeUnavailable, match="does not answer"):
        ContainerRuntime(f"unix://{tmp_path}/none.sock", POLICY).check()


def test_image__with_an_entry_point_of_its_own__runs_the_job_and_not_that(engine: str, tmp_path: Path) -> None:
    bench = Bench(ContainerRuntime(engine, ImagePolicy(default=WITH_ENTRY_POINT)), tmp_path)
    outcome, output = bench.run("sh", "-c", "echo the job; exit 3")
    assert (outcome, output) == (Outcome("exited", 3, None), "the job\n")
    assert bench.run("pwd") == (Outcome("exited", 0, None), "/workspace\n")


def test_image__with_volumes__gets_them_in_memory_and_nothing_on_this_machines_disk(
    engine: str, tmp_path: Path
) -> None:
    import docker

    bench = Bench(ContainerRuntime(engine, ImagePolicy(default=WITH_VOLUMES)), tmp_path)
    outcome, output = bench.run(
        "sh", "-c", "dd if=/dev/zero of=/data/big bs=1M count=80; ls -l /data/big; touch /data/x"
    )
    assert "No space left on device" in output, (outcome, output)
    assert docker.DockerClient(base_url=engine).volumes.list() == []


def test_image__with_a_volume_in_the_workspace__is_refused_clearly(engine: str, tmp_path: Path) -> None:
    bench = Bench(ContainerRuntime(engine, ImagePolicy(default=WITH_VOLUME_INSIDE)), tmp_path)
    outcome, _ = bench.run("true")
    assert (outcome.status, outcome.reason) == (
        "failed",
        "could not start: the image declares a volume at '/workspace/data', which is not taken",
    )


def test_job__in_a_folder_with_colon_space_and_percent__has_its_workspace(engine: str, tmp_path: Path) -> None:
    bench = Bench(ContainerRuntime(engine, POLICY), tmp_path / "a:ro, b%20 c")
    outcome, _ = bench.run("sh", "-c", "echo made > file")
    assert outcome == Outcome("exited", 0, None)
    assert (bench.folder / "leases/7/workspace/file").read_text() == "made\n"


FORKS = """
import os, time
n = 0
try:
    while True:
        if os.fork() == 0:
            time.sleep(99)
        n += 1
except OSError:
    print(n, flush=True)
    time.sleep(99)
"""


def test_job__fork_bomb_of_one_lease__leaves_the_others_their_processes(engine: str, tmp_path: Path) -> None:
    bomb, other = (Bench(ContainerRuntime(engine, POLICY), tmp_path / name) for name in ("one", "two"))
    job = bomb.start("python3", "-c", FORKS, processes=120)
    until(lambda: output_path(job.control).exists() and output_path(job.control).read_text().strip() != "")
    assert int(output_path(job.control).read_text()) < 120
    other.count = 1
    outcome, output = other.run("sh", "-c", "for i in 1 2 3 4; do (sleep 1 &) ; done; echo forked", processes=60)
    assert (outcome, output) == (Outcome("exited", 0, None), "forked\n")
    bomb.runtime.kill(job.control, "done")


def test_sweep__containers_without_keeper_or_lease__go_and_those_of_others_stay(bench: Bench, engine: str) -> None:
    import docker

    client = docker.DockerClient(base_url=engine)
    job = bench.start("sleep", "600")
    until(lambda: len(client.containers.list()) == 1)
    leases = bench.folder / "leases"
    left = {"assay.job": "shell", "assay.workspace": str(leases / "8/workspace"), "assay.keeper": "1:99999999999"}
    client.containers.create(IMAGE, ["sleep", "600"], labels=left).start()
    foreign = client.containers.create(
        IMAGE, ["true"], labels={**left, "assay.workspace": "/elsewhere/leases/8/workspace"}
    )
    assert bench.runtime.sweep(leases, lambda lease_id: True) == 1
    assert bench.runtime.inspect(job.control).status == "running"
    assert bench.runtime.sweep(leases, lambda lease_id: lease_id != 7) == 1
    assert [one.id for one in client.containers.list(all=True)] == [foreign.id]
    foreign.remove()
    until(lambda: bench.runtime.inspect(job.control).final)


def test_clear__of_a_workspace__removes_all_that_runs_with_it(bench: Bench, engine: str) -> None:
    import docker

    client = docker.DockerClient(base_url=engine)
    job = bench.start("sleep", "600")
    other = bench.start("sleep", "600")
    until(lambda: len(client.containers.list()) == 2)
    bench.runtime.clear(job.workspace)
    assert client.containers.list(all=True) == []
    until(lambda: bench.runtime.inspect(job.control).final and bench.runtime.inspect(other.control).final)

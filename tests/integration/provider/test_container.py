"""Jobs in real containers, on a podman service that the test starts. Skipped where there is no podman."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from assay.provider.errors import NotFound, ProviderError, RuntimeUnavailable
from assay.provider.lease_ports import LeasePorts
from assay.provider.runtime.container import ContainerRuntime, ImagePolicy
from assay.provider.runtime.workload import Limits, Outcome, Workload

from .conftest import Bench, until

IMAGE = "localhost/assay-test:1"
POLICY = ImagePolicy(default=IMAGE, allow=("localhost/*",), deny=("localhost/bad*",))


@pytest.fixture(scope="session")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A podman service with an image that holds busybox only."""
    if not shutil.which("podman") or not shutil.which("runc") or not Path("/bin/busybox").exists():
        pytest.skip("needs podman, runc and busybox-static")
    folder = tmp_path_factory.mktemp("podman")
    configuration = folder / "containers.conf"
    configuration.write_text(
        '[engine]\nruntime = "runc"\ncgroup_manager = "cgroupfs"\nevents_logger = "file"\n'
        '[containers]\ndefault_ulimits = ["nofile=1024:1024", "nproc=512:512"]\n'
    )
    environment = {**os.environ, "CONTAINERS_CONF": str(configuration)}
    storage = ["--root", folder / "storage", "--runroot", folder / "run", "--storage-driver", "vfs"]
    root = folder / "rootfs"
    for name in ("bin", "tmp", "workspace", "etc"):
        (root / name).mkdir(parents=True)
    shutil.copy("/bin/busybox", root / "bin/busybox")
    for name in (
        "sh",
        "echo",
        "id",
        "cat",
        "ls",
        "sleep",
        "env",
        "touch",
        "wget",
        "mount",
        "head",
        "yes",
        "seq",
        "pwd",
        "httpd",
    ):
        (root / "bin" / name).symlink_to("busybox")
    archive = folder / "rootfs.tar"
    subprocess.run(["tar", "-C", root, "-cf", archive, "."], check=True)
    subprocess.run(["podman", *storage, "import", "-q", archive, IMAGE], check=True, env=environment)
    socket = folder / "podman.sock"
    service = subprocess.Popen(
        ["podman", *storage, "system", "service", "--time=0", f"unix://{socket}"],
        env=environment,
        stderr=(folder / "service.log").open("w"),
        cwd=folder,  # conmon leaves a file named oom where it stands
    )
    until(socket.exists)
    yield f"unix://{socket}"
    service.terminate()
    service.wait(timeout=30)


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


@pytest.mark.parametrize(
    "attempt",
    [
        "touch /planted", "touch /bin/planted", "cat {secret}", "ls /root", "mount -t tmpfs none /tmp",
        "cat /etc/shadow", "wget -T 2 -O - http://169.254.169.254/", "wget -T 2 -O - http://127.0.0.1:8700/",
        "ls /run/podman/podman.sock /var/run/docker.sock", "touch /proc/sys/kernel/core_pattern",
    ],
)  # fmt: skip
def test_job__reaching_out_of_its_container__gets_nothing(bench: Bench, attempt: str) -> None:
    secret = bench.folder / "provider.json"
    secret.write_text("SECRET")
    outcome, output = bench.run("sh", "-c", attempt.format(secret=secret))
    assert outcome.status == "exited" and outcome.exit_code != 0
    assert "SECRET" not in output


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
        ("yes | head -c 200000000 > /tmp/x; x=$(yes | head -c 300000000); sleep 600",
         {"memory_bytes": 64 << 20, "wall_seconds": 30.0}, None),
    ],
)  # fmt: skip
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


def test_job__killed_from_here__container_is_removed(bench: Bench, engine: str) -> None:
    import docker

    job = bench.start("sleep", "600")
    client = docker.DockerClient(base_url=engine)
    until(lambda: len(client.containers.list()) == 1)
    assert bench.runtime.kill(job.control, "lease ended") == Outcome("killed", 137, "lease ended")
    assert client.containers.list(all=True) == []


def shell(bench: Bench) -> list[str]:
    """Command line of a shell in a container of its own."""
    folder = bench.folder / "leases/7"
    job = Workload("shell", 7, ("sh",), folder / "workspace", folder / "jobs/shell", 0, Limits())
    argv = bench.runtime.shell(job)
    assert argv is not None
    return argv


def test_shell__in_pipes__is_in_a_container_and_gives_its_status(bench: Bench, engine: str) -> None:
    import docker

    done = subprocess.run(
        shell(bench),
        input=b"id -u; touch made; echo problem >&2; exit 3\n",
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (3, b"65534\n", b"problem\n")
    assert (bench.folder / "leases/7/workspace/made").exists()
    assert docker.DockerClient(base_url=engine).containers.list(all=True) == []


def test_shell__told_to_end__takes_its_container_along(bench: Bench, engine: str) -> None:
    import docker

    process = subprocess.Popen(shell(bench), stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    client = docker.DockerClient(base_url=engine)
    until(lambda: len(client.containers.list()) == 1)
    process.send_signal(signal.SIGTERM)
    process.wait(timeout=30)
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

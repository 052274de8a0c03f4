"""Real pods on a podman service that the tests start. Skipped where there is no podman."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from assay.protocol.types import DeviceId
from assay.provider.database import open_database
from assay.provider.errors import Conflict, NotFound
from assay.provider.pods.assemble import pod_limits
from assay.provider.pods.lease_pods import LeasePart, LeasePods, PodBook
from assay.provider.pods.pod import HostShare
from assay.provider.pods.processes.keeper import FIRST, SECOND, deadline_of, is_kept
from assay.provider.pods.runtime import PodDisks, PodRuntime
from assay.provider.pods.share import KeptBack, read_host
from assay.provider.runtime.container import ContainerRuntime, ImagePolicy
from assay.provider.runtime.workload import Limits, Outcome, output_path
from assay.provider.workloads.jobs import JobBook, JobRequest
from tests.integration.provider.conftest import until
from tests.integration.provider.pod_bench import RENTER, SHARE, PodBench
from tests.integration.provider.podman import IMAGE

LEASE = 7


@pytest.fixture(scope="module")
def bench(engine: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[PodBench]:
    made = PodBench(engine, tmp_path_factory.mktemp("pods"))
    made.start(LEASE)
    yield made
    made.close()


@pytest.fixture
def own(engine: str, tmp_path: Path) -> Iterator[PodBench]:
    """Pods of one test alone."""
    made = PodBench(engine, tmp_path)
    yield made
    made.close()


def keepers(bench: PodBench, lease_id: int) -> list[int]:
    run = bench.pods.folders(lease_id).run
    return [json.loads((run / f"keeper-{role}.json").read_text())["pid"] for role in (FIRST, SECOND)]


def test_program__in_a_pod__is_root_there_and_nobody_on_the_host(bench: PodBench) -> None:
    assert bench.sh(LEASE, "id -u; pwd; echo mine > /workspace/file; echo made > /usr/made; cat /usr/made").split() == [
        "0", "/workspace", "made",
    ]  # fmt: skip
    owner, _ = bench.pods.owner(LEASE)
    assert owner >= 1 << 30
    assert (bench.pods.workspace(LEASE) / "file").stat().st_uid == owner
    child = subprocess.Popen(bench.argv(LEASE, "sleep", "600"))
    try:
        inside = bench.pods.status(LEASE).pid
        assert Path(f"/proc/{inside}").stat().st_uid == owner
    finally:
        child.terminate()
        child.wait()


def test_share__of_a_pod__is_what_its_programs_see(bench: PodBench) -> None:
    script = "nproc; ulimit -n; df -Pk / | tail -1; df -Pk /workspace | tail -1; df -Pk /dev/shm | tail -1"
    cores, files, root, workspace, shm = bench.sh(LEASE, script).splitlines()
    assert (cores, files) == ("1", str(SHARE.open_files))
    size = [int(line.split()[1]) << 10 for line in (root, workspace, shm)]
    assert SHARE.disk_bytes * 0.85 < size[0] <= SHARE.disk_bytes and size[1] == size[0]
    assert size[2] == SHARE.memory_bytes // 2


def test_program__ended_from_outside__takes_its_group_with_it(bench: PodBench) -> None:
    script = "(sleep 4321 & sleep 4321) & sleep 4321"
    for number in (signal.SIGTERM, signal.SIGKILL):
        child = subprocess.Popen(bench.argv(LEASE, "sh", "-c", script, group=f"g{number}"))
        until(lambda: processes(4321) == 3)
        child.send_signal(number)
        child.wait()
        until(lambda: processes(4321) == 0, 10)


def test_program__told_by_a_signal__may_do_with_it_what_it_likes(bench: PodBench) -> None:
    script = "trap 'echo hup' HUP; trap 'echo usr1; exit 5' USR1; echo up; while :; do sleep 0.05; done"
    child = subprocess.Popen(bench.argv(LEASE, "sh", "-c", script), stdout=subprocess.PIPE)
    assert child.stdout is not None
    said = []
    for number in (signal.SIGHUP, signal.SIGUSR1):
        said.append(child.stdout.readline())
        child.send_signal(number)
    said.append(child.stdout.readline())
    assert said == [b"up\n", b"hup\n", b"usr1\n"]
    assert child.wait(10) == 5


def processes(seconds: int) -> int:
    """How many sleep that long, anywhere on this host."""
    count = 0
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            count += path.read_bytes() == f"sleep\0{seconds}\0".encode()
        except OSError:
            continue
    return count


def test_program__in_a_terminal__has_one_and_its_size(bench: PodBench) -> None:
    master, slave = os.openpty()
    child = subprocess.Popen(
        bench.argv(LEASE, "sh", "-c", "tty; echo done", tty=None), stdin=slave, stdout=slave, stderr=slave
    )
    os.close(slave)
    output = b""
    while b"done" not in output:
        output += os.read(master, 4096)
    assert b"/dev/pts/" in output
    assert child.wait(10) == 0
    os.close(master)


def test_pod__keepers_killed_one_by_one__runs_on_and_still_ends_to_the_second(own: PodBench) -> None:
    before = own.start(LEASE)
    for which in (0, 1):
        killed = keepers(own, LEASE)[which]
        os.kill(killed, signal.SIGKILL)
        until(lambda gone=killed, n=which: keepers(own, LEASE)[n] != gone, 10)
    assert own.pods.status(LEASE).pid == before.pid
    end = time.time() + 2.0
    own.pods.extend(LEASE, end)
    until(lambda: own.pods.status(LEASE).state == "stopped", 10)
    assert abs(time.time() - end) < 1.0
    assert own.pods.status(LEASE).reason == "lease over"
    # It is dead by now; its number is free once its parent has waited for it.
    until(lambda: not Path(f"/proc/{before.pid}").exists(), 10)


@pytest.mark.deep
def test_pod__daemon_started_anew__is_found_and_keeps_its_files(own: PodBench) -> None:
    before = own.start(LEASE)
    own.sh(LEASE, "echo kept > /usr/kept; echo mine > /workspace/mine")
    own.pods = own.agent()
    own.pods.restore()
    assert own.pods.status(LEASE).pid == before.pid
    own.pods.stop(LEASE, "host restarts")
    own.pods.folders(LEASE).halted.unlink()
    own.pods = own.agent()
    own.pods.restore()
    after = own.pods.status(LEASE)
    assert after.state == "running" and after.pid != before.pid
    assert own.sh(LEASE, "cat /usr/kept /workspace/mine").split() == ["kept", "mine"]


@pytest.mark.deep
def test_pod__with_another_share__is_made_anew_around_its_files(own: PodBench) -> None:
    own.start(LEASE)
    own.sh(LEASE, "echo kept > /usr/kept; rm /bin/seq")
    own.pods.stop(LEASE, "changes")
    own.start(LEASE, share=HostShare(1, 128 << 20, SHARE.disk_bytes, 64, 400))
    # Keepers that saw it stopped are gone, and it is kept by others.
    time.sleep(1.0)
    assert all(is_kept(own.pods.folders(LEASE), role) for role in (FIRST, SECOND))
    assert own.sh(LEASE, "ulimit -n; cat /usr/kept; ls /bin/seq 2>/dev/null || echo gone").split() == [
        "400", "kept", "gone",
    ]  # fmt: skip


@pytest.mark.deep
def test_pod__of_a_lease_that_is_over__is_neither_started_nor_left_running(own: PodBench) -> None:
    with pytest.raises(Conflict):
        own.start(LEASE, seconds=-1.0)
    own.start(LEASE)
    own.start(LEASE + 1)
    assert own.pods.sweep(lambda lease_id: lease_id == LEASE) == [LEASE + 1]
    assert own.pods.status(LEASE).state == "running"
    with pytest.raises(NotFound):
        own.argv(LEASE + 1, "id")


def test_pod__removed__leaves_nothing_on_the_host(own: PodBench) -> None:
    own.start(LEASE)
    folders = own.pods.folders(LEASE)
    left = keepers(own, LEASE)
    own.pods.remove(LEASE)
    assert own.pods.status(LEASE).state == "absent"
    assert not folders.pod.exists() and not folders.run.exists()
    assert str(folders.lease) not in Path("/proc/self/mountinfo").read_text()
    until(lambda: not any(Path(f"/proc/{pid}/cmdline").exists() for pid in left), 10)
    assert deadline_of(folders) == 0.0
    own.pods.remove(LEASE)


def test_jobs__of_a_lease__run_in_its_pod_and_end_with_it(engine: str, tmp_path: Path) -> None:
    bench = PodBench(engine, tmp_path)
    database = open_database(None)
    book = PodBook(database)
    book.note_renter(LEASE, RENTER)
    lease_pods = LeasePods(
        bench.pods, book, lambda lease_id: LeasePart((), ()), lambda: bench.pods.local_image(IMAGE),
        {DeviceId(bytes(32)): SHARE}, read_host(tmp_path), KeptBack(0),
    )  # fmt: skip
    runtime = PodRuntime(ContainerRuntime(engine, ImagePolicy(default=IMAGE)), lease_pods)
    jobs = JobBook(database, runtime, tmp_path, pod_limits(Limits(), SHARE), time.time, PodDisks(lease_pods))
    until_s = time.time() + 600

    def run(script: str, image: str | None = None) -> tuple[Outcome, str]:
        request = JobRequest(("sh", "-c", script), {"given": b"a file\n"}, Limits(), (("SET", "so"),), image)
        job = jobs.create(LEASE, until_s, request)
        until(lambda: jobs.get(LEASE, job).outcome.final)
        return jobs.get(LEASE, job).outcome, output_path(jobs.control(LEASE, job)).read_text()

    try:
        outcome, output = run("id -u; cat given; echo $SET; echo made > /usr/made; echo made > made; exit 4")
        assert (outcome, output.split()) == (Outcome("exited", 4, None), ["0", "a", "file", "so"])
        assert run("cat /usr/made")[1] == "made\n"
        # With an image of its own it has the workspace, and nothing of the pod.
        outcome, output = run("cat made; ls /usr/made; echo theirs > theirs", IMAGE)
        assert output.startswith("made\n") and "No such file" in output
        assert run("cat theirs; rm theirs")[1] == "theirs\n"
        outcome, _ = run("python3 -c 'bytearray(1 << 30)'; exit $?")
        assert outcome == Outcome("killed", 137, "memory limit")
        job = jobs.create(LEASE, until_s, JobRequest(("yes",), {}, Limits(output_bytes=100_000)))
        until(lambda: jobs.get(LEASE, job).outcome.final)
        assert jobs.get(LEASE, job).outcome.reason == "output limit"
        assert output_path(jobs.control(LEASE, job)).stat().st_size <= 100_000
        job = jobs.create(LEASE, until_s, JobRequest(("sh", "-c", "sleep 5432 & sleep 5432"), {}, Limits()))
        until(lambda: processes(5432) == 2)
        assert jobs.stop(LEASE, job, "asked").outcome.reason == "asked"
        until(lambda: processes(5432) == 0, 10)
        job = jobs.create(LEASE, until_s, JobRequest(("sleep", "600"), {}, Limits()))
        lease_pods.stop(LEASE, "lease over")
        until(lambda: jobs.get(LEASE, job).outcome.final, 10)
        removed = jobs.wipe(LEASE)
        assert removed.entries_left == 0 and removed.files > 0
        assert not bench.pods.folders(LEASE).lease.exists()
    finally:
        bench.close()

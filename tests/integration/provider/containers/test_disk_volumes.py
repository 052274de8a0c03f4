"""Disk quotas that the kernel holds: what is beyond a lease's share is not written."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from assay.provider.database import open_database
from assay.provider.errors import ProviderError, RuntimeUnavailable
from assay.provider.images.policy import ImagePolicy
from assay.provider.runtime.bubblewrap import BubblewrapRuntime
from assay.provider.runtime.container import ContainerRuntime
from assay.provider.runtime.local import LocalRuntime
from assay.provider.runtime.workload import Limits, output_path
from assay.provider.workloads import workspace
from assay.provider.workloads.disk_volumes import LoopVolumes, WatchedFolders, choose_disks
from assay.provider.workloads.jobs import JobBook, JobRequest
from tests.integration.provider.conftest import until
from tests.integration.provider.podman import IMAGE

SIZE = 16 << 20


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    try:
        LoopVolumes.check(tmp_path)
    except RuntimeUnavailable as error:
        pytest.skip(str(error))
    yield tmp_path
    LoopVolumes(SIZE).remove(tmp_path / "leases/7")


def test_volume__filled__takes_no_more_than_its_size_and_leaves_nothing(folder: Path) -> None:
    lease = folder / "leases/7"
    volumes = LoopVolumes(SIZE)
    volumes.prepare(lease)
    with pytest.raises(OSError) as full, (lease / "workspace/big").open("wb", buffering=0) as file:
        for _ in range(SIZE >> 20):
            file.write(bytes(1 << 20))
    assert full.value.errno == errno.ENOSPC
    assert 0.8 * SIZE < workspace.total_bytes(lease / "workspace") < SIZE
    volumes.remove(lease)
    assert workspace.wipe(lease) == 0 and not lease.exists()


def test_volume__machine_started_anew__has_its_files_again(folder: Path) -> None:
    lease = folder / "leases/7"
    volumes = LoopVolumes(SIZE)
    volumes.prepare(lease)
    (lease / "workspace/result").write_text("kept")
    image = lease / "workspace.img"
    kept = image.rename(image.with_suffix(".kept"))
    volumes.remove(lease)  # as a reboot leaves it: not mounted
    kept.rename(image)
    assert not (lease / "workspace/result").exists()
    volumes.restore(folder / "leases")
    assert (lease / "workspace/result").read_text() == "kept"


def test_volume__of_a_lease_of_several_devices__is_as_many_times_as_large(folder: Path) -> None:
    volumes = LoopVolumes(SIZE)
    try:
        for lease_id, devices in ((7, 1), (8, 3)):
            volumes.prepare(folder / f"leases/{lease_id}", devices)
        assert [(folder / f"leases/{n}/workspace.img").stat().st_size for n in (7, 8)] == [SIZE, 3 * SIZE]
        one, three = (os.statvfs(folder / f"leases/{n}/workspace") for n in (7, 8))
        assert three.f_blocks * three.f_frsize > 2.5 * one.f_blocks * one.f_frsize
    finally:
        for lease_id in (7, 8):
            volumes.remove(folder / f"leases/{lease_id}")


def test_volume__no_room_for_it__is_said_and_leaves_nothing_behind(folder: Path) -> None:
    with pytest.raises(ProviderError, match="no room"):
        LoopVolumes(1 << 50).prepare(folder / "leases/7")
    assert list((folder / "leases/7").glob("*.partial")) == []


def test_disks__chosen__volumes_where_they_work_else_watched_folders(folder: Path) -> None:
    assert isinstance(choose_disks("auto", folder, SIZE), LoopVolumes)
    assert isinstance(choose_disks("watched", folder, SIZE), WatchedFolders)
    with pytest.raises(ProviderError, match="at least"):
        choose_disks("volume", folder, 1000)


def test_job__filling_its_workspace__is_refused_by_the_kernel_and_wiped_after(engine: str, folder: Path) -> None:
    runtime = ContainerRuntime(engine, ImagePolicy(default=IMAGE))
    jobs = JobBook(open_database(None), runtime, folder, Limits(), time.time, LoopVolumes(SIZE))
    request = JobRequest(("sh", "-c", "dd if=/dev/zero of=big bs=1M count=64; ls -l big"), {"in": b"x"}, Limits())
    job_id = jobs.create(7, time.time() + 60, request)
    until(lambda: jobs.get(7, job_id).outcome.final)
    assert "No space left on device" in output_path(jobs.control(7, job_id)).read_text()
    assert jobs.wipe(7).entries_left == 0 and not jobs.lease_folder(7).exists()


def test_volume__first_used_by_eight_at_once__is_one_sound_file_system(folder: Path) -> None:
    jobs = JobBook(open_database(None), LocalRuntime(31337), folder, Limits(), time.time, LoopVolumes(SIZE))
    faults: list[Exception] = []

    def use(number: int) -> None:
        try:
            jobs.put_file(7, time.time() + 60, f"file{number}", bytes(1000))
        except Exception as error:
            faults.append(error)

    threads = [threading.Thread(target=use, args=(number,)) for number in range(8)]
    for one in threads:
        one.start()
    for one in threads:
        one.join(60)
    assert faults == []
    lease = folder / "leases/7"
    assert Path("/proc/mounts").read_text().count(str(lease)) == 1
    assert len(list((lease / "workspace").iterdir())) == 8
    image = lease / "workspace.img"
    kept = image.rename(image.with_suffix(".kept"))
    LoopVolumes(SIZE).remove(lease)
    assert subprocess.run(["e2fsck", "-fn", kept], capture_output=True, check=False).returncode == 0
    kept.unlink()


def test_volume__of_a_job_in_bubblewrap__is_its_own_to_write(folder: Path) -> None:
    try:
        runtime = BubblewrapRuntime()
        runtime.check()
    except RuntimeUnavailable as error:
        pytest.skip(str(error))
    jobs = JobBook(open_database(None), runtime, folder, Limits(), time.time, LoopVolumes(SIZE))
    job_id = jobs.create(7, time.time() + 60, JobRequest(("sh", "-c", "echo made > file"), {"in": b"x"}, Limits()))
    until(lambda: jobs.get(7, job_id).outcome.final)
    assert jobs.get(7, job_id).outcome.exit_code == 0
    assert (jobs.workspace(7) / "file").read_text() == "made\n"


def test_restore__one_corrupt_volume__is_one_bad_lease(folder: Path) -> None:
    bad, good = folder / "leases/6", folder / "leases/7"
    volumes = LoopVolumes(SIZE)
    volumes.prepare(good)
    (good / "workspace/result").write_text("kept")
    image = good / "workspace.img"
    kept = image.rename(image.with_suffix(".kept"))
    volumes.remove(good)
    kept.rename(image)
    bad.mkdir()
    (bad / "workspace.img").write_bytes(b"\x00" * SIZE)
    jobs = JobBook(open_database(None), LocalRuntime(31337), folder, Limits(), time.time, volumes)
    jobs.restore()
    assert (good / "workspace/result").read_text() == "kept"
    with pytest.raises(ProviderError, match="mount"):
        jobs.put_file(6, time.time() + 60, "x", b"x")
    assert jobs.wipe(6).entries_left == 0 and not bad.exists()


def test_job__that_nests_closes_and_fills__is_wiped_and_its_lease_over(folder: Path) -> None:
    jobs = JobBook(open_database(None), LocalRuntime(31337), folder, Limits(), time.time, WatchedFolders())
    script = (
        "import os\nfor n in range(1500):\n    os.mkdir('d'); os.chdir('d')\n    os.symlink('/etc', 'e')\n"
        "os.chmod('..', 0)\nos.chmod('.', 0)\n"
    )
    job_id = jobs.create(7, time.time() + 60, JobRequest((sys.executable, "-c", script), {}, Limits()))
    until(lambda: jobs.get(7, job_id).outcome.final)
    assert jobs.get(7, job_id).outcome.exit_code == 0
    assert jobs.wipe(7).entries_left == 0 and not jobs.lease_folder(7).exists()
    assert Path("/etc/passwd").exists()

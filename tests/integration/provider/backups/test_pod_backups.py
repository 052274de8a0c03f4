"""Backups of real pods, through their own network, by a storage that is on the internet of the tests."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import tarfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from assay.provider.backups.lease_backups import LeaseBackups
from assay.provider.backups.progress import BACKUP, RESTORE
from assay.provider.backups.root_archive import archived, image_of
from assay.renter.session.pod_archive import write_image
from tests.integration.provider.conftest import until
from tests.integration.provider.outside import OUTSIDE, Outside
from tests.integration.provider.pod_bench import SHARE, PodBench

from .places import BUCKET, PASSWORD, SECRET, missing, repository

pytestmark = [pytest.mark.deep, pytest.mark.skipif(missing() is not None, reason=str(missing()))]
PORT = 9000
OLD, NEW = 7, 8
LARGER = replace(SHARE, memory_bytes=768 << 20, disk_bytes=192 << 20)
SERVE = f"from moto.server import main; main(['-H', '0.0.0.0', '-p', '{PORT}'])"
WAIT_S = 120.0


@pytest.fixture(scope="module")
def storage() -> Iterator[str]:
    with Outside() as outside, ExitStack() as stack:
        line = ["ip", "netns", "exec", outside.name, sys.executable, "-c", SERVE]
        served = subprocess.Popen(line, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        stack.callback(served.wait)
        stack.callback(served.kill)
        made = ["curl", "-sf", "--connect-timeout", "1", "-X", "PUT", f"http://{OUTSIDE}:{PORT}/{BUCKET}"]
        until(lambda: subprocess.run(made, capture_output=True, check=False).returncode == 0, WAIT_S)
        yield f"http://{OUTSIDE}:{PORT}"


@pytest.fixture(scope="module")
def bench(engine: str, tmp_path_factory: pytest.TempPathFactory, storage: str) -> Iterator[PodBench]:
    made = PodBench(engine, tmp_path_factory.mktemp("pods"))
    made.start(OLD, share=LARGER)
    yield made
    made.close()


def test_pod__backed_up_through_its_own_network__is_the_same_in_another_and_saw_nothing_of_the_key(
    bench: PodBench, storage: str
) -> None:
    script = (
        "mkdir -p d && head -c 60000000 /dev/urandom > d/big && echo x > d/own && chown 1000:1000 d/own && ln -s / r"
    )
    bench.sh(OLD, script)
    sums = (
        "find /workspace -type f -exec sha256sum {} + | sort; find /workspace -exec stat -c '%n %u %g %a' {} + | sort"
    )
    before = bench.sh(OLD, sums)
    desk = LeaseBackups(bench.pods)
    asked = {"repository": repository(storage, "pod"), "every": None}
    desk.begin(OLD, BACKUP, asked)
    seen = ""
    while desk.shown(OLD, BACKUP).state == "working":
        seen += bench.sh(
            OLD, "cat /proc/[0-9]*/environ /proc/[0-9]*/cmdline /proc/mounts 2>/dev/null | tr '\\0' ' '; ps"
        )
        time.sleep(0.1)
    shown = desk.shown(OLD, BACKUP)
    assert (shown.state, shown.failure) == ("done", None), shown
    assert len(seen) > 100 and not [word for word in (SECRET, PASSWORD, "restic") if word in seen]
    assert bench.pods.status(OLD).state == "running"
    bench.start(NEW, share=LARGER)
    desk.begin(NEW, RESTORE, {**asked, "snapshot": "latest", "of_lease": OLD})
    until(lambda: desk.shown(NEW, RESTORE).state != "working", WAIT_S)
    assert desk.shown(NEW, RESTORE).failure is None
    assert bench.sh(NEW, sums) == before
    # Its own root may do with them what it likes: they belong to its users, not to those of the pod before.
    bench.sh(NEW, "echo more >> d/own && rm -r d")
    assert bench.pods.owner(NEW) != bench.pods.owner(OLD)
    for path in bench.pods.folders(OLD).pod.glob("*.json"):
        assert SECRET not in path.read_text() and PASSWORD not in path.read_text()


def test_pod__saved_as_an_image__is_taken_by_an_engine_with_what_was_changed_and_without_the_workspace(
    bench: PodBench, tmp_path: Path
) -> None:
    bench.sh(OLD, "echo made > /usr/made; echo kept > /workspace/kept; echo of=all >> /etc/group")
    frames = archived(bench.pods.folders(OLD), bench.pods.root_files(OLD), image_of(bench.pods, OLD))

    async def pieces() -> AsyncIterator[bytes]:
        for frame in frames:
            yield frame

    path = tmp_path / "image.tar"
    asyncio.run(write_image(pieces(), path, lambda count: None))
    with tarfile.open(path) as archive, tarfile.open(fileobj=archive.extractfile(archive.next())) as layer:
        found = {one.name: one for one in layer}
        assert layer.extractfile("./usr/made").read() == b"made\n"
    assert found["./usr/made"].uid == 0 and "./workspace/kept" not in found
    store = ["podman", "--root", str(tmp_path / "store"), "--runroot", str(tmp_path / "run")]
    try:
        loaded = subprocess.run([*store, "load", "-i", str(path)], capture_output=True, text=True, check=False)
        assert loaded.returncode == 0, loaded.stderr
    finally:
        subprocess.run(["umount", tmp_path / "store/overlay"], capture_output=True, check=False)


def test_storage__within_the_providers_own_network__is_not_reached(bench: PodBench) -> None:
    desk = LeaseBackups(bench.pods)
    for address in ("http://127.0.0.1:8700", "http://169.254.169.254", "http://10.0.0.1:9"):
        desk.begin(OLD, BACKUP, {"repository": repository(address, "x"), "every": None})
        until(lambda: desk.shown(OLD, BACKUP).state != "working", 300.0)
        assert desk.shown(OLD, BACKUP).state == "failed"


def test_pod__whose_daemon_was_started_anew__is_backed_up_on(bench: PodBench, storage: str) -> None:
    LeaseBackups(bench.pods).begin(OLD, BACKUP, {"repository": repository(storage, "anew"), "every": 60})
    later = LeaseBackups(bench.agent())
    until(lambda: later.shown(OLD, BACKUP).state == "waiting", WAIT_S)
    assert later.shown(OLD, BACKUP).last is not None
    assert later.stop(OLD).state == "stopped"

"""Backups by restic itself: whole again elsewhere, opaque to the storage, with the key nowhere to be seen; and what a
hostile pod, a hostile repository and a full disk do."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from assay.provider.backups import restic
from assay.provider.backups.lease_backups import LeaseBackups
from assay.provider.backups.progress import BACKUP, RESTORE, BackupProgress
from tests.integration.provider.conftest import until

from .places import BUCKET, FIRST_ID, PASSWORD, SECRET, OnePlace, Place, contents, place, progress, refusing, repository

TOKEN = b"what only the renter may read " * 40


def backed_up(place: Place, opened: dict[str, Any]) -> BackupProgress:
    keeper = place.keeper("backup", opened)
    keeper.run()
    return keeper.progress


def restored(place: Place, opened: dict[str, Any], **asked: Any) -> BackupProgress:
    keeper = place.keeper("restore", opened, **asked)
    keeper.run()
    return keeper.progress


def stored() -> bytes:
    """Everything in the bucket, as the storage itself has it."""
    from moto.core import DEFAULT_ACCOUNT_ID
    from moto.s3.models import s3_backends

    kept = s3_backends[DEFAULT_ACCOUNT_ID]["aws"].buckets[BUCKET].keys
    assert len(kept) > 3
    return b"".join(name.encode() + one.value for name, one in kept.items())


def renters_restic(opened: dict[str, Any], *arguments: str) -> str:
    """As the renter itself uses the repository, with plain restic."""
    variables = restic.opening(opened).environment
    done = subprocess.run(
        ["restic", "--no-cache", *arguments],
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


@contextmanager
def elsewhere(folder: Path, **how: Any) -> Iterator[Place]:
    with place(folder / "elsewhere", lease_id=4, **how) as other:
        yield other


def test_files__backed_up_and_restored_elsewhere__are_the_same_and_the_storage_holds_ciphertext(
    here: Place, storage: str, tmp_path: Path
) -> None:
    opened = repository(storage, "same")
    here.write("data/secret.txt", TOKEN, mode=0o640)
    here.write("run.sh", b"#!/bin/sh\n", mode=0o4755)
    here.write("name with\nnewline", os.urandom(1 << 16))
    (here.workspace / "link").symlink_to("/etc/shadow")
    os.mkfifo(here.workspace / "pipe")
    for name in ("link", "pipe"):
        os.chown(here.workspace / name, FIRST_ID, FIRST_ID, follow_symlinks=False)
    made = backed_up(here, opened)
    assert (made.state, made.failure) == ("done", None) and made.last is not None and made.last.unread == 0
    with elsewhere(tmp_path) as other:
        done = restored(other, opened, of_lease=3)
        assert (done.state, done.failure) == ("done", None)
        assert contents(other.workspace) == contents(here.workspace)
        assert contents(other.workspace)["link"][0] == "-> /etc/shadow"
    kept = stored()
    for told in (TOKEN[:30], b"secret.txt", PASSWORD.encode(), SECRET.encode()):
        assert told not in kept
    for path in (*here.folders.lease.rglob("*"), *here.folders.run.glob("*.json")):
        if path.is_file():
            assert SECRET.encode() not in path.read_bytes() and PASSWORD.encode() not in path.read_bytes(), path


@pytest.mark.deep
@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"password": "another"}, "the key does not open this repository"),
        ({"bucket_name": "none"}, "there is no such bucket"),
    ],
)
def test_backup__that_cannot_be__says_why_and_gives_up(
    here: Place, storage: str, changed: dict[str, str], reason: str
) -> None:
    here.write("a", b"1")
    assert backed_up(here, repository(storage, "refused")).state == "done"
    made = backed_up(here, repository(storage, "refused", **changed))
    assert made.state == "failed" and reason in str(made.failure)


def test_storage__that_grants_nothing__is_told_from_one_that_is_not_there(here: Place) -> None:
    with refusing() as address:
        made = backed_up(here, repository(address, "x"))
    assert made.state == "failed" and "refuses these credentials" in str(made.failure)
    made = backed_up(here, repository(address, "x"))
    assert made.state == "failed" and "cannot be reached" in str(made.failure)


@pytest.mark.deep
def test_restore__onto_a_smaller_disk__is_refused_before_anything_is_written(
    here: Place, storage: str, tmp_path: Path
) -> None:
    opened = repository(storage, "large")
    here.write("big", os.urandom(6 << 20))
    assert backed_up(here, opened).state == "done"
    with elsewhere(tmp_path, size=4 << 20) as other:
        done = restored(other, opened)
        assert done.state == "failed" and "does not fit" in str(done.failure)
        assert list(other.workspace.iterdir()) == []
    with elsewhere(tmp_path / "again", size=9 << 20) as other:
        assert restored(other, opened).state == "done"
        # What is there from an earlier try is replaced, and needs no room of its own.
        assert restored(other, opened).state == "done"
        assert contents(other.workspace) == contents(here.workspace)


@pytest.mark.deep
def test_key__of_a_backup_under_way__is_in_no_command_line_and_in_no_file(
    here: Place, storage: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    here.write("big", os.urandom(24 << 20))
    desk = LeaseBackups(OnePlace(here))  # type: ignore[arg-type]
    asked = {"repository": repository(storage, "unseen"), "every": 60}
    seen: set[str] = set()
    running = threading.Event()

    def look() -> None:
        while not running.is_set():
            for folder in Path("/proc").glob("[0-9]*"):
                try:
                    line = (folder / "cmdline").read_bytes()
                    if SECRET.encode() in line or PASSWORD.encode() in line:
                        seen.add(line.decode())
                except OSError:
                    continue

    watcher = threading.Thread(target=look)
    watcher.start()
    try:
        assert desk.begin(3, BACKUP, asked).state == "working"
        until(lambda: desk.shown(3, BACKUP).state != "working")
    finally:
        running.set()
        watcher.join()
    shown = desk.shown(3, BACKUP)
    assert (shown.state, shown.failure) == ("waiting", None) and shown.next_at is not None
    assert seen == set()
    record = json.loads((here.folders.run / "keeper-backup.json").read_text())
    assert Path(f"/proc/{record['pid']}/environ").stat().st_uid == 0
    os.kill(record["pid"], signal.SIGKILL)
    until(lambda: desk.shown(3, BACKUP).state == "keyless")
    assert desk.stop(3).state == "stopped"


@pytest.mark.deep
def test_backup__killed_in_the_middle__leaves_the_one_before_whole_and_the_next_goes_on(
    here: Place, storage: str, tmp_path: Path
) -> None:
    opened = repository(storage, "killed")
    here.write("first", b"before")
    assert backed_up(here, opened).state == "done"
    here.write("big", os.urandom(40 << 20))
    desk = LeaseBackups(OnePlace(here))  # type: ignore[arg-type]
    desk.begin(3, BACKUP, {"repository": opened, "every": None})
    until(lambda: b"restic\0" in _commands() and progress(here.folders, BACKUP)["total_bytes"] > 0)
    record = json.loads((here.folders.run / "keeper-backup.json").read_text())
    os.kill(record["pid"], signal.SIGKILL)
    until(lambda: b"restic\0backup" not in _commands().replace(b"\0--", b" "))
    assert desk.shown(3, BACKUP).state == "keyless"
    with elsewhere(tmp_path) as other:
        assert restored(other, opened).state == "done"
        assert [path.name for path in other.workspace.iterdir()] == ["first"]
    assert backed_up(here, opened).state == "done"
    with elsewhere(tmp_path / "again") as other:
        assert restored(other, opened).state == "done"
        assert contents(other.workspace) == contents(here.workspace)


def _commands() -> bytes:
    found = b""
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            found += (folder / "cmdline").read_bytes() + b"\n"
        except OSError:
            continue
    return found


@pytest.mark.deep
def test_pod__that_swaps_its_folders_for_links_meanwhile__gets_nothing_of_the_host_into_its_backup(
    here: Place, storage: str, tmp_path: Path
) -> None:
    opened = repository(storage, "swapped")
    secret = tmp_path / "host"
    secret.mkdir()
    (secret / "shadow").write_bytes(b"of the host")
    # Names that are worth reading beyond the link: of the host, and of restic's own process, where its key would be.
    for name in ("shadow", "passwd", "environ", "key"):
        for number in range(20):
            here.write(f"d{number}/self/{name}", b"of the pod")
            here.write(f"d{number}/{name}", b"of the pod")
    over = threading.Event()

    def swap() -> None:
        targets = ["/etc", "/proc", str(secret), "/", "/cache", "/tmp"]
        while not over.is_set():
            for number in range(20):
                folder, aside = here.workspace / f"d{number}", here.workspace / f".d{number}"
                try:
                    folder.rename(aside)
                    folder.symlink_to(targets[number % len(targets)])
                    folder.unlink()
                    aside.rename(folder)
                except OSError:
                    continue

    swapping = threading.Thread(target=swap)
    swapping.start()
    try:
        states = [backed_up(here, opened) for _ in range(2)]
    finally:
        over.set()
        swapping.join()
    assert {one.state for one in states} == {"done"}
    found = renters_restic(opened, "ls", "latest", "--json")
    paths = [json.loads(line).get("path", "") for line in found.splitlines()]
    assert not [path for path in paths if not f"{path}/".startswith("/workspace/") and path]
    with elsewhere(tmp_path) as other:
        assert restored(other, opened).state == "done"
        everything = b"".join(path.read_bytes() for path in other.workspace.rglob("*") if path.is_file())
    assert everything.replace(b"of the pod", b"") == b""


@pytest.mark.deep
def test_repository__made_by_an_enemy__writes_nothing_outside_and_makes_no_device(
    here: Place, storage: str, tmp_path: Path
) -> None:
    opened = repository(storage, "hostile")
    planted = tmp_path / "planted"
    (planted / "workspace/inner").mkdir(parents=True)
    (planted / "workspace/ok").write_bytes(b"fine")
    os.mknod(planted / "workspace/disk", 0o600 | 0o060000, os.makedev(7, 0))
    (planted / "workspace/out").symlink_to(tmp_path)
    (planted / "etc").mkdir()
    (planted / "etc/cron").write_bytes(b"root's")
    (planted / "workspace/suid").write_bytes(b"x")
    (planted / "workspace/suid").chmod(0o6755)
    renters_restic(opened, "init")
    walls = ["--ro-bind", "/usr", "/usr", "--symlink", "usr/lib", "/lib", "--symlink", "usr/lib64", "/lib64"]
    walls += ["--dev-bind", str(planted / "workspace"), "/workspace", "--bind", str(planted / "etc"), "/etc"]
    backup = ["bwrap", *walls, "--tmpfs", "/tmp", "/usr/bin/restic", "--no-cache", "backup", "-q", "/workspace", "/etc"]
    subprocess.run(backup, env={**os.environ, **restic.opening(opened).environment}, check=True)
    # Behind a link that the repository itself brings, and one that the pod has put in the way.
    (here.workspace / "inner").symlink_to(tmp_path / "elsewhere-of-the-host")
    (tmp_path / "elsewhere-of-the-host").mkdir()
    done = restored(here, opened)
    assert done.state == "failed" and "entries of the snapshot could not be restored" in str(done.failure)
    assert (here.workspace / "ok").read_bytes() == b"fine"
    assert not [path for path in here.workspace.rglob("*") if path.is_block_device()]
    assert not (tmp_path / "cron").exists() and list((tmp_path / "elsewhere-of-the-host").iterdir()) == []
    assert not Path("/etc/cron").exists()
    # Set-uid for the pod's own root, who could do that alone; nobody's on the host.
    assert (here.workspace / "suid").stat().st_uid == FIRST_ID


@pytest.mark.deep
def test_lease__that_ends__ends_its_backups_and_their_key(here: Place, storage: str) -> None:
    desk = LeaseBackups(OnePlace(here))  # type: ignore[arg-type]
    desk.begin(3, BACKUP, {"repository": repository(storage, "ended"), "every": 60})
    until(lambda: desk.shown(3, BACKUP).state == "waiting")
    here.folders.deadline.write_text(repr(time.time() - 1))
    until(lambda: desk.shown(3, BACKUP).state == "stopped")
    assert desk.shown(3, BACKUP).failure == "the lease is over"
    assert desk.shown(3, RESTORE).state == "none"

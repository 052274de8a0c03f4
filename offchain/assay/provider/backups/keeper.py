"""Makes one lease's backups, or restores one, apart from the daemon: it holds the renter's key in its memory, where
nothing else does, and ends with the lease. Where it is killed, the key is gone, and that is told.

Arguments: the lease's folder, the pod's runtime folder, and `backup` or `restore`; what is asked for, with all that is
secret, comes on standard input.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from assay.provider.access.pod_tools import needed
from assay.provider.backups import restic
from assay.provider.backups.confine import PR_SET_DUMPABLE, SCRATCH, Walls
from assay.provider.backups.progress import (
    BACKUP,
    BackupProgress,
    LastBackup,
    after_failure,
    after_success,
    write_progress,
)
from assay.provider.backups.room import missing_room
from assay.provider.pods.layout import PodFolders
from assay.provider.pods.processes.keeper import deadline_of, write_whole
from assay.provider.pods.processes.pod_process import first_process
from assay.provider.runtime.file_lock import locked
from assay.provider.runtime.own_program import own_program
from assay.provider.runtime.process_start import start_ticks

LOOK_S = 0.5
ASKING_S = 120.0  # in which a storage answers what is small
STALL_S = 900.0  # in which nothing comes of a backup: a pipe in the place of a file would hold it for ever
MAX_WORDS = 64 << 10
MAX_LINE = 8 << 20
MAX_PRINTED = 64 << 20
TELL_S = 1.0
CERTIFICATES = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
)


class Failed(Exception):
    """It cannot be done: why, for whoever asked."""


class Over(Exception):
    """The lease ended meanwhile, or its pod stopped: why."""


@dataclass(frozen=True)
class Ended:
    """What a run of restic came to: its exit code, its words, and what of its output was to be kept."""

    code: int
    words: str
    printed: str = ""


class Restic:
    """Calls of restic behind its walls. `asked` is what the daemon was asked for."""

    def __init__(self, folders: PodFolders, asked: Mapping[str, Any], look: Callable[[], None]) -> None:
        self._folders = folders
        self._asked = asked
        self._look = look
        self._opening = restic.opening(asked["repository"], shutil.which("ssh") or "/usr/bin/ssh")
        self._program = shutil.which("restic") or "/usr/bin/restic"
        self._seen = self._files_seen()

    def _files_seen(self) -> tuple[str, ...]:
        programs = [self._program] if not self._opening.files else [self._program, "/usr/bin/ssh"]
        found = {str(path) for program in programs for path in (Path(program), *needed(Path(program)))}
        return (*sorted(found), *(path for path in CERTIFICATES if Path(path).is_file()))

    def walls(self, writable: bool) -> Walls:
        """Those around it: of the pod it sees the workspace, and beside it a cache that the pod does not see."""
        folders = self._folders
        cache, mount_point = folders.volume / "backup-cache", folders.run / "backup-walls"
        mount_point.mkdir(exist_ok=True)
        owner = folders.workspace.stat()
        if not cache.exists():
            cache.mkdir(mode=0o700)
            os.chown(cache, owner.st_uid, owner.st_gid)
        servers = "".join(f"nameserver {one}\n" for one in self._asked["resolvers"])
        return Walls(
            pid_file=str(folders.pid),
            container=folders.container.read_text().strip(),
            source=str(folders.volume / "workspace"),
            target=restic.SOURCE,
            mount_point=str(mount_point),
            writable=writable,
            others={restic.CACHE: str(cache)},
            seen=self._seen,
            texts={
                "/etc/resolv.conf": servers,
                "/etc/hosts": "127.0.0.1 localhost\n",
                "/etc/passwd": "root:x:0:0:root:/tmp:/bin/false\n",
            },
            host=f"assay-{self._asked['lease']}",
        )

    def run(
        self,
        *arguments: str,
        writable: bool = False,
        stall_s: float = ASKING_S,
        on_message: Callable[[Mapping[str, Any]], None] = lambda message: None,
        on_tick: Callable[[], bool] = lambda: False,
        alone: bool = False,
    ) -> Ended:
        """Runs it to its end, or for as long as something comes within `stall_s`; whether something came that is not
        said, `on_tick` says. `alone`: once nothing else reads or writes the lease's files. Raises Failed, Over."""
        opened = self._opening
        asked = {
            "walls": self.walls(writable).to_json(),
            "argv": [self._program, *opened.options, *arguments],
            "environment": {
                **self._asked["proxies"],
                **opened.environment,
                "HOME": SCRATCH,
                "TMPDIR": SCRATCH,
                "PATH": "/usr/bin:/bin",
                "GODEBUG": "netdns=go",
                "RESTIC_PROGRESS_FPS": "1",
                "RESTIC_CACHE_DIR": restic.CACHE,
            },
            "files": dict(opened.files),
        }
        with self._alone() if alone else contextlib.nullcontext():
            child = start_confined(subprocess.STDOUT)
            try:
                return self._followed(child, json.dumps(asked).encode(), stall_s, on_message, on_tick)
            finally:
                # What it has started ends with it.
                child.kill()
                child.wait()

    def _followed(
        self,
        child: subprocess.Popen[bytes],
        told: bytes,
        stall_s: float,
        on_message: Callable[[Mapping[str, Any]], None],
        on_tick: Callable[[], bool],
    ) -> Ended:
        assert child.stdin is not None and child.stdout is not None  # noqa: S101
        with contextlib.suppress(BrokenPipeError):
            child.stdin.write(told)
            child.stdin.close()
        words, rest, printed = bytearray(), bytearray(), bytearray()
        moved, before = time.monotonic(), (-1, -1)
        while True:
            ready, _, _ = select.select([child.stdout], [], [], LOOK_S)
            piece = os.read(child.stdout.fileno(), 1 << 16) if ready else None
            if piece == b"":
                break
            rest += piece or b""
            if len(rest) > MAX_LINE:
                raise Failed("restic says too much on one line")
            *lines, rest = rest.split(b"\n")
            for line in lines:
                message = restic.message_of(line.decode(errors="replace")) if line.startswith(b"{") else {}
                if line.startswith((b"[", b"{")) and "message_type" not in message:
                    printed += line + b"\n"
                    if len(printed) > MAX_PRINTED:
                        raise Failed(f"the repository lists more than {MAX_PRINTED >> 20} MiB")
                    continue
                if not message:
                    words = (words + line + b"\n")[-MAX_WORDS:]
                    continue
                on_message(message)
                came = (int(message.get("bytes_done") or 0), int(message.get("files_done") or 0))
                if came != before:
                    before, moved = came, time.monotonic()
            if on_tick():
                moved = time.monotonic()
            self._look()
            if time.monotonic() - moved > stall_s:
                raise Failed(f"nothing has come for {stall_s:.0f} s; what was said last: {self._last(words)}")
        said = self._without_secrets((words + rest).decode(errors="replace"))
        return Ended(child.wait(), said, printed.decode(errors="replace"))

    def _last(self, words: bytes | bytearray) -> str:
        return restic.last_words(self._without_secrets(words.decode(errors="replace"))) or "nothing"

    def _without_secrets(self, text: str) -> str:
        repository = self._asked["repository"]
        return restic.without(text, (str(repository.get(name) or "") for name in ("password", "secret", "session")))

    def _alone(self) -> contextlib.AbstractContextManager[None]:
        """One at a time of this lease: a backup does not read what a restore writes."""
        return locked(self._folders.run / "backup.lock")


def start_confined(errors_to: int) -> subprocess.Popen[bytes]:
    """What runs one program within walls: both come on its standard input, and what it prints on its output. Raises
    OSError."""
    return subprocess.Popen(  # noqa: S603
        own_program("assay.provider.backups.confine"),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=errors_to,
        cwd="/",
        env={"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"},
    )


class BackupKeeper:
    """Does what was asked for, again and again where it is to be."""

    def __init__(self, folders: PodFolders, role: str, asked: Mapping[str, Any]) -> None:
        self._folders = folders
        self._role = role
        self._asked = asked
        self._restic = Restic(folders, asked, self._look)
        self._known = False
        self._told = 0.0
        self.progress = BackupProgress(
            address=str(asked["repository"]["address"]), every=asked.get("every"), began_at=time.time()
        )

    def run(self) -> None:
        """Returns once nothing more is to be done."""
        every = self._asked.get("every")
        while True:
            began = time.time()
            again = None if every is None else began + every
            self._tell(replace(self.progress, state="working", began_at=began, done_bytes=0, total_bytes=0))
            try:
                last = self._backup(began) if self._role == BACKUP else self._restore(began)
                self._tell(after_success(self.progress, last, again))
            except (Failed, OSError) as error:
                # What never worked is for whoever has just asked for it; what did is tried again.
                again = again if self.progress.last is not None else None
                self._tell(after_failure(self.progress, str(error)[:900], again))
            except Over as error:
                return self._tell(replace(self.progress, state="stopped", failure=str(error), next_at=None))
            if again is None:
                return
            try:
                self._wait(again)
            except Over as error:
                return self._tell(replace(self.progress, state="stopped", failure=str(error), next_at=None))

    def _wait(self, until: float) -> None:
        while time.time() < until or self._pod() is None:
            self._look(need_pod=False)
            time.sleep(LOOK_S)

    def _pod(self) -> int | None:
        try:
            return first_process(self._folders.pid, self._folders.container.read_text().strip())
        except OSError:
            return None

    def _look(self, need_pod: bool = True) -> None:
        """Raises Over once the lease has ended, Failed where its pod has stopped for a while."""
        if not self._folders.lease.exists() or time.time() >= deadline_of(self._folders):
            raise Over("the lease is over")
        if need_pod and self._pod() is None:
            raise Failed("the pod has stopped")

    def _backup(self, began: float) -> LastBackup:
        self._know_repository()
        found: dict[str, Any] = {}
        unread = 0

        def heard(message: Mapping[str, Any]) -> None:
            nonlocal unread
            kind = message.get("message_type")
            if kind == "summary":
                found.update(message)
            elif kind == "error":
                unread += 1
            elif kind == "status":
                self._show(int(message.get("bytes_done") or 0), int(message.get("total_bytes") or 0))

        arguments = restic.backup_arguments(self._asked["lease"])
        ended = self._restic.run(*arguments, stall_s=STALL_S, on_message=heard, alone=True)
        if not found or ended.code not in (0, restic.INCOMPLETE):
            raise Failed(restic.reason_of(ended.words, f"the backup ended with exit code {ended.code}"))
        return LastBackup(
            str(found.get("snapshot_id")),
            time.time(),
            time.time() - began,
            int(found.get("total_files_processed") or 0),
            int(found.get("total_bytes_processed") or 0),
            int(found.get("data_added") or 0),
            unread,
        )

    def _know_repository(self) -> None:
        """Makes the repository where there is none. Raises Failed."""
        if self._known:
            return
        ended = self._restic.run("cat", "config", "--no-lock", "--cache-dir", restic.CACHE)
        if ended.code and restic.is_absent(ended.words):
            ended = self._restic.run("init", "--cache-dir", restic.CACHE)
        if ended.code:
            raise Failed(restic.reason_of(ended.words, "the repository cannot be opened"))
        self._known = True

    def _restore(self, began: float) -> LastBackup:
        wanted, of_lease = self._asked["snapshot"], self._asked.get("of_lease")
        chosen = restic.newest(self.snapshots(), wanted, of_lease)
        if chosen is None:
            whose = f" of lease {of_lease}" if of_lease and wanted == "latest" else ""
            raise Failed(f"the repository holds no snapshot {wanted}{whose}; --list names those that it has")
        sizes = json.loads(self._asked_json("stats", "--mode", "restore-size", chosen.id))
        total, count = int(sizes["total_size"]), int(sizes["total_file_count"])
        if lacking := missing_room(self._folders.volume / "workspace", total, count, lambda: self._listed(chosen.id)):
            raise Failed(lacking)
        at_first = self._used()

        def tick() -> bool:
            before = self.progress.done_bytes
            self._show(max(0, min(total, self._used() - at_first)), total)
            return self.progress.done_bytes != before

        arguments = restic.restore_arguments(chosen.id)
        ended = self._restic.run(*arguments, writable=True, stall_s=STALL_S, on_tick=tick, alone=True)
        if ended.code:
            raise Failed(restic.unrestored(ended.words))
        return LastBackup(chosen.id, time.time(), time.time() - began, count, total)

    def _listed(self, snapshot: str) -> str:
        return self._asked_json("ls", snapshot)

    def _asked_json(self, *arguments: str) -> str:
        """What restic prints. Raises Failed."""
        ended = self._restic.run(*arguments, "--json", "--no-lock", "--cache-dir", restic.CACHE)
        if ended.code:
            raise Failed(restic.reason_of(ended.words, "the repository cannot be read"))
        return ended.printed

    def snapshots(self) -> Sequence[restic.Snapshot]:
        """Those of the repository, oldest first. Raises Failed."""
        return restic.snapshots_of(self._asked_json("snapshots") or "[]")

    def _used(self) -> int:
        found = os.statvfs(self._folders.volume)
        return (found.f_blocks - found.f_bfree) * found.f_frsize

    def _show(self, done: int, total: int) -> None:
        self.progress = replace(self.progress, done_bytes=done, total_bytes=total)
        if time.monotonic() - self._told >= TELL_S:
            self._tell(self.progress)

    def _tell(self, progress: BackupProgress) -> None:
        self.progress, self._told = progress, time.monotonic()
        with contextlib.suppress(OSError):  # a full disk of the host's: the next one may be written
            write_progress(self._folders, self._role, progress)


def main(folders: PodFolders, role: str, asked: Mapping[str, Any], begun: Callable[[], None]) -> None:
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)
    record = {"pid": os.getpid(), "ticks": start_ticks(os.getpid())}
    write_whole(folders.run / f"keeper-{role}.json", json.dumps(record))
    begun()
    BackupKeeper(folders, role, asked).run()


if __name__ == "__main__":
    told = json.load(sys.stdin)
    read, write = os.pipe()
    if os.fork() == 0:
        os.close(read)
        null = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2):
            os.dup2(null, stream)
        main(PodFolders(Path(sys.argv[1]), Path(sys.argv[2])), sys.argv[3], told, lambda: os.close(write))
    else:
        # Whoever started this asks next whether it is there.
        os.close(write)
        os.read(read, 1)

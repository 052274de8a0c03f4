"""Stays beside a pod, apart from the daemon: stops it with its lease to the second, and tells it beforehand.

Two of these keep each pod. Each starts the other anew where it was killed, and each alone stops the pod: nothing short
of killing both at once lets it run on, and the daemon's next block does away with that as well. Arguments: the
lease's folder, the pod's runtime folder, and which of the two this is. Imports little, since there are two for each
pod.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

from assay.provider.pods.layout import PodFolders
from assay.provider.pods.processes.ending import WARNING_S, announce
from assay.provider.pods.processes.pod_process import end, first_process
from assay.provider.runtime.own_program import own_program
from assay.provider.runtime.process_start import start_ticks

LOOK_S = 0.25
GONE_S = 5.0
START_S = 120.0  # how long one waits for the engine to start the pod
FIRST, SECOND = "first", "second"
WAY_OUT = "way-out"
LEASE_OVER = "lease over"


def keep(folders: PodFolders) -> None:
    """Starts the keepers that are missing. Raises OSError."""
    for role in (FIRST, SECOND):
        if not is_kept(folders, role):
            _start(folders, role)


def keep_anew(folders: PodFolders) -> None:
    """Starts both keepers, in place of those that may have seen the pod stopped and are about to go. Raises OSError."""
    for role in (FIRST, SECOND):
        end_keeper(folders, role, GONE_S)
    keep(folders)


def end_keeper(folders: PodFolders, role: str, patience_s: float) -> None:
    """Kills who stays beside the pod in that role, and waits so long until it is gone."""
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        record = json.loads(_record(folders, role).read_text())
        handle = os.pidfd_open(int(record["pid"]))
        try:
            if start_ticks(int(record["pid"])) == record["ticks"]:
                signal.pidfd_send_signal(handle, signal.SIGKILL)
                select.select([handle], [], [], patience_s)
        finally:
            os.close(handle)


def open_way_out(folders: PodFolders) -> None:
    """Starts the pod's proxy where it is to have one and has none. Raises OSError."""
    if folders.egress.exists() and not is_kept(folders, WAY_OUT):
        detach("assay.provider.pods.processes.way_out", str(folders.lease), str(folders.run))


def is_kept(folders: PodFolders, role: str) -> bool:
    """Whether this keeper lives."""
    try:
        record = json.loads(_record(folders, role).read_text())
        return bool(start_ticks(int(record["pid"])) == record["ticks"])
    except (OSError, ValueError, KeyError, TypeError):
        return False


def deadline_of(folders: PodFolders) -> float:
    """When the pod is to be stopped; 0 where none is written."""
    try:
        return float(folders.deadline.read_text())
    except (OSError, ValueError):
        return 0.0


def write_whole(path: Path, text: str) -> None:
    """Writes a file so that a reader sees all of it or nothing."""
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
    partial.write_text(text)
    partial.replace(path)


def _record(folders: PodFolders, role: str) -> Path:
    return folders.run / f"keeper-{role}.json"


def _start(folders: PodFolders, role: str) -> None:
    detach("assay.provider.pods.processes.keeper", str(folders.lease), str(folders.run), role)


def detach(module: str, *arguments: str) -> None:
    """Starts a program of ours that goes on without whoever starts it. Raises OSError, SubprocessError."""
    # Nobody's child: what kills the daemon, or a keeper, and all below it does not kill this one as well.
    subprocess.run(  # noqa: S603
        own_program(module, *arguments),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        env={"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"},
        cwd="/",
        timeout=30,
        check=True,
    )


class PodKeeper:
    """One of the two."""

    def __init__(self, folders: PodFolders, role: str) -> None:
        self.folders = folders
        self.role = role
        self.other = SECOND if role == FIRST else FIRST
        self.told: float | None = None
        self.started = time.monotonic()

    def run(self) -> None:
        seen = False
        while True:
            container = self._container()
            running = first_process(self.folders.pid, container) is not None
            if self.folders.halted.exists() or not self.folders.lease.exists():
                end(self.folders.pid, container)
                return
            if time.time() >= deadline_of(self.folders):
                with contextlib.suppress(OSError):
                    write_whole(self.folders.halted, LEASE_OVER)
                end(self.folders.pid, container)
                return
            seen = seen or running
            if not running and (seen or time.monotonic() > self.started + START_S):
                return
            with contextlib.suppress(OSError, subprocess.SubprocessError):
                if not is_kept(self.folders, self.other):
                    _start(self.folders, self.other)
                if running and self.role == FIRST:
                    open_way_out(self.folders)
            if running and self.role == FIRST:
                self._tell(container)
            time.sleep(max(0.0, min(LOOK_S, deadline_of(self.folders) - time.time())))

    def _container(self) -> str:
        try:
            return self.folders.container.read_text().strip()
        except OSError:
            return ""

    def _tell(self, container: str) -> None:
        """Once the end is near, and again where it has come nearer."""
        deadline = deadline_of(self.folders)
        if deadline - time.time() > WARNING_S:
            self.told = None  # a lease that was topped up since is told of its new end
        elif self.told is None or deadline < self.told:
            self.told = deadline
            announce(self.folders, container, deadline)


def main(folders: PodFolders, role: str) -> None:
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    if is_kept(folders, role):
        return
    write_whole(_record(folders, role), json.dumps({"pid": os.getpid(), "ticks": start_ticks(os.getpid())}))
    PodKeeper(folders, role).run()


if __name__ == "__main__":
    if os.fork() == 0:
        main(PodFolders(Path(sys.argv[1]), Path(sys.argv[2])), sys.argv[3])

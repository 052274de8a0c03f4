"""A pod's first process, as the host sees it: found, told from any other with its number, and ended.

The kernel ends every process of a pod with the first. Imports the standard library only, for the small programs that
stay beside a pod.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import time
from collections.abc import Iterator
from pathlib import Path

from assay.provider.runtime.process_start import start_ticks

CGROUPS = Path("/sys/fs/cgroup")
GONE_S = 10.0


def first_process(pid_file: Path, container: str) -> int | None:
    """The number of the pod's first process, None where it does not run: what has the number must be in the container's
    own control group."""
    try:
        pid = int(pid_file.read_text())
        groups = Path(f"/proc/{pid}/cgroup").read_text()
    except (OSError, ValueError):
        return None
    return pid if container and container in groups and start_ticks(pid) >= 0 else None


def end(pid_file: Path, container: str) -> bool:
    """Kills everything in the pod; whether nothing of it runs any more."""
    pid = first_process(pid_file, container)
    if pid is None:
        return True
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        if first_process(pid_file, container) != pid:
            return True
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(handle, signal.SIGKILL)
        # Readable once all processes of its namespace are gone, since the kernel waits for them.
        return bool(select.select([handle], [], [], GONE_S)[0])
    finally:
        os.close(handle)


def control_groups(pid: int) -> Iterator[tuple[str, Path]]:
    """(controllers, folder) of the control groups of a process: on a unified hierarchy one, with no controllers."""
    for line in Path(f"/proc/{pid}/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        name = controllers.removeprefix("name=") or "unified"
        folder = CGROUPS / name / path.lstrip("/")
        if not controllers and not (CGROUPS / "unified").is_dir():
            folder = CGROUPS / path.lstrip("/")
        yield controllers, folder


def group_folder(pid: int, name: str) -> Path:
    """Where a group of processes within the pod is held together. A pod's processes cannot leave it."""
    groups = dict(control_groups(pid))
    return groups.get("pids", groups.get("", Path("/nonexistent"))) / name


def group_option(pid: int, runtime: str, name: str) -> list[str]:
    """What has `runc exec` start a program in such a group, where nothing that it starts at once escapes; empty where
    the runtime has no such option, or takes it otherwise."""
    controller = "pids:" if "pids" in dict(control_groups(pid)) else ""
    return ["--cgroup", f"{controller}{name}"] if Path(runtime).name == "runc" else []


def memory_events(pid: int) -> Path:
    """The file that counts what the kernel killed in the pod for want of memory."""
    groups = dict(control_groups(pid))
    if "memory" in groups:
        return groups["memory"] / "memory.oom_control"
    return groups.get("", Path("/nonexistent")) / "memory.events"


def join_group(folder: Path, pid: int) -> None:
    """Moves a process there, and what it has started so far. Raises OSError."""
    folder.mkdir(exist_ok=True)
    waiting = [pid]
    while waiting:
        one = waiting.pop()
        try:
            (folder / "cgroup.procs").write_text(str(one))
            for thread in list(Path(f"/proc/{one}/task").iterdir()):
                waiting += [int(child) for child in (thread / "children").read_text().split()]
        except (FileNotFoundError, ProcessLookupError):
            continue
        except OSError as error:
            if error.errno != 3:  # ESRCH: it ended just now
                raise


def end_group(folder: Path) -> None:
    """Kills what is in the group until nothing is, and removes it."""
    until = time.monotonic() + GONE_S
    while time.monotonic() < until:
        try:
            left = (folder / "cgroup.procs").read_text().split()
        except OSError:
            return
        for one in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(one), signal.SIGKILL)
        if not left:
            with contextlib.suppress(OSError):
                folder.rmdir()
                return
        time.sleep(0.01)

"""The runtime `bubblewrap`: jobs in namespaces of their own, where there is no container engine.

The job sees this machine's programs read-only and its own workspace, and nothing else: no other files, no processes
but its own, no network at all.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from assay.provider.errors import RuntimeUnavailable
from assay.provider.runtime.supervised import SEARCH_PATH, SupervisedRuntime
from assay.provider.runtime.supervisor import descendants
from assay.provider.runtime.workload import Room, Workload

INSIDE = "/workspace"
NOBODY = "65534"
CHECK_TIMEOUT_S = 10
# Files of /etc without which programs do not load; nothing there is secret.
ETC = ("ld.so.cache", "ld.so.conf", "ld.so.conf.d", "alternatives", "localtime", "nsswitch.conf")


class BubblewrapRuntime(SupervisedRuntime):
    """Runs jobs under `bwrap`. Limits hold as for `local`, and besides on memory and processes of the whole job."""

    name = "bubblewrap"

    def __init__(self) -> None:
        found = shutil.which("bwrap")
        if found is None:
            raise RuntimeUnavailable("the runtime 'bubblewrap' needs the program bwrap: install bubblewrap")
        self._bwrap = found

    def check(self) -> None:
        """Raises RuntimeUnavailable where the kernel lets bwrap make no namespaces."""
        command = [*self._walls(), "--", "/bin/true"]
        try:
            done = subprocess.run(  # noqa: S603
                command, capture_output=True, timeout=CHECK_TIMEOUT_S, check=False
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise RuntimeUnavailable(f"the runtime 'bubblewrap' does not start: {error}") from error
        if done.returncode != 0:
            reason = done.stderr.decode(errors="replace").strip()[:300]
            raise RuntimeUnavailable(
                f"the runtime 'bubblewrap' cannot make namespaces here ({reason}); allow unprivileged user "
                "namespaces, or choose 'container'"
            )

    def command_line(self, workload: Workload) -> list[str]:
        """The job behind its walls."""
        settings = [part for name, value in self._inside(workload) for part in ("--setenv", name, value)]
        workspace = ["--bind", str(workload.workspace), INSIDE, "--chdir", INSIDE]
        return [*self._walls(), *workspace, *settings, "--", *workload.command]

    def rooms(self, workspace: Path, roots: Sequence[tuple[str, int]]) -> list[Room]:
        """The first process below each root that left this machine's network."""
        rooms = []
        for job_id, root in roots:
            inside = next(
                (pid for pid in descendants(root) if _network(pid) not in (None, _network(os.getpid()))), None
            )
            if inside is not None:
                rooms.append(Room(job_id, inside))
        return rooms

    def _inside(self, workload: Workload) -> list[tuple[str, str]]:
        base = {"PATH": SEARCH_PATH, "HOME": INSIDE, "LANG": "C.UTF-8"}
        return list({**base, **dict(workload.environment), "ASSAY_LEASE": str(workload.lease_id)}.items())

    def _walls(self) -> list[str]:
        walls = [
            self._bwrap, "--unshare-all", "--unshare-user", "--die-with-parent", "--new-session", "--clearenv",
            "--uid", NOBODY, "--gid", NOBODY, "--hostname", "assay", "--cap-drop", "ALL",
            "--ro-bind", "/usr", "/usr", "--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp",  # noqa: S108
        ]  # fmt: skip
        for name in ("bin", "sbin", "lib", "lib32", "lib64", "libx32"):
            path = Path("/") / name
            if path.is_symlink():
                walls += ["--symlink", str(path.readlink()), str(path)]
            elif path.is_dir():
                walls += ["--ro-bind", str(path), str(path)]
        for name in ETC:
            if (Path("/etc") / name).exists():
                walls += ["--ro-bind", f"/etc/{name}", f"/etc/{name}"]
        return walls


def _network(pid: int) -> str | None:
    """The network namespace that a process is in, None once it is gone."""
    try:
        return str(Path(f"/proc/{pid}/ns/net").readlink())
    except OSError:
        return None

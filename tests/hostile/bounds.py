"""What must hold at the end: daemons alive and bounded, nothing of the host touched."""

from __future__ import annotations

import asyncio
import hashlib
import os
import stat
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

from assay.devnet.processes import Processes

LOOK_S = 0.5
MAX_RSS_MIB = 540  # of one daemon: twice the 268 that were measured
MAX_DESCRIPTORS = 470  # twice the 234 that were measured; half-sent requests are held for a while
MAX_DISK_MIB = 12  # of what one daemon keeps and logs, in minutes: twice the 6 that were measured
ENDING_S = 10.0  # after the daemons: what was told to end with them
SECRET = "secret of the host"
HOST_FILES = ("/etc/passwd", "/etc/shadow", "/etc/group", "/etc/hosts", "/etc/ssh", "/root", "/usr/bin", "/etc/sudoers")


@dataclass
class Use:
    """The most that a process was seen to hold."""

    rss_mib: float = 0.0
    descriptors: int = 0
    now: int = 0  # descriptors at the last look

    @classmethod
    def of(cls, pid: int) -> Use:
        """What a process holds now. Raises FileNotFoundError, ProcessLookupError for one that is over."""
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
        held = len(list(Path(f"/proc/{pid}/fd").iterdir()))
        return cls(pages * os.sysconf("SC_PAGE_SIZE") / 2**20, held, held)


@dataclass
class Watch:
    """Looks at every child again and again."""

    processes: Processes
    seen: dict[str, Use] = field(default_factory=dict)

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            self.look()
            await asyncio.sleep(LOOK_S)

    def look(self) -> None:
        for child in self.processes.children:
            use = self.seen.setdefault(child.name, Use())
            try:
                now = Use.of(child.process.pid)
            except (FileNotFoundError, ProcessLookupError):
                continue
            use.rss_mib = max(use.rss_mib, now.rss_mib)
            use.descriptors, use.now = max(use.descriptors, now.descriptors), now.now

    def table(self) -> str:
        rows = (
            f"{name}: {u.rss_mib:.0f} MiB, {u.descriptors} descriptors ({u.now} at the end)"
            for name, u in self.seen.items()
        )
        return "\n".join(rows)

    def too_much(self) -> list[str]:
        """Who was beyond the bounds."""
        return [
            f"{name}: {use}"
            for name, use in self.seen.items()
            if use.rss_mib > MAX_RSS_MIB or use.descriptors > MAX_DESCRIPTORS
        ]


def disk_mib(*places: Path) -> float:
    """What is allocated at and below some places, but for leases' files: those are their renters', who have a quota.
    They are deeper than Python's recursion, and come and go."""
    if not places:
        return 0.0
    command = ["du", "-s", "-c", "-B1", "--exclude=leases", *map(str, places)]
    total = subprocess.run(command, capture_output=True, text=True, check=False).stdout.splitlines()[-1]
    return int(total.split()[0]) / 2**20


def mounts_below(folder: Path) -> list[str]:
    """Where something is mounted, deepest first."""
    places = (
        line.split()[1].encode().decode("unicode_escape") for line in Path("/proc/mounts").read_text().splitlines()
    )
    return sorted((place for place in places if place.startswith(f"{folder}/")), reverse=True)


def processes_of(folder: Path) -> list[str]:
    """Whoever runs in a folder, or was started with it in its arguments."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            said = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
            where = str((process / "cwd").readlink())
        except OSError:
            continue  # it has ended
        if f"{folder}/" in f"{said} {where}/" and int(process.name) != os.getpid():
            found.append(f"{process.name}: {said[:200]} in {where}")
    return found


async def left_behind(folder: Path) -> list[str]:
    """Processes of a network that has been stopped, once they had time to end."""
    ends = time.monotonic() + ENDING_S
    while (found := processes_of(folder)) and time.monotonic() < ends:  # noqa: ASYNC110 - nobody tells of them
        await asyncio.sleep(0.2)
    return found


def make_canary(folder: Path) -> Path:
    """A folder of the host's with files of odd owners and permissions, which nobody has any business in."""
    inner = folder / "inner"
    inner.mkdir(parents=True)
    for place, mode in ((folder / "secret", 0o600), (inner / "script", 0o4750), (inner / "shared", 0o666)):
        place.write_text(SECRET)
        os.chown(place, 12_345, 12_345)
        place.chmod(mode)
    (folder / "link").symlink_to("/etc/passwd")
    os.utime(folder / "secret", (1_000_000_000, 1_000_000_000))
    return folder


def listing(*roots: Path | str, deep: bool = True) -> dict[str, tuple[object, ...]]:
    """Owner, mode, length, time and content of everything there."""
    found: dict[str, tuple[object, ...]] = {}
    for root in map(Path, roots):
        places = [root, *(root.rglob("*") if deep and root.is_dir() else ())]
        for place in places:
            if not os.path.lexists(place):
                continue
            state = place.lstat()
            content = hashlib.sha256(place.read_bytes()).hexdigest() if deep and stat.S_ISREG(state.st_mode) else ""
            times = (state.st_mtime_ns, state.st_ctime_ns) if deep or not place.is_dir() else ()
            found[str(place)] = (state.st_uid, state.st_gid, oct(state.st_mode), *times, content)
    return found

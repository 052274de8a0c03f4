"""Runs one program of this host on a pod's files and in a pod's network, where nothing in the pod sees it.

It has the pod's users, its memory and its network rules; file system, processes and names are its own: an empty root
with that program, what it loads, and one folder of the pod's. There is no /proc, so nothing that the pod plants on its
files leads to the program's own memory or environment. What is secret comes on standard input and is in no command line
and in no file of a disk. Imports little, so as to start fast.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import platform
import signal
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

from assay.provider.pods.processes.pod_process import control_groups, first_process

CLONE_NEWNS, CLONE_NEWUTS, CLONE_NEWIPC = 0x00020000, 0x04000000, 0x08000000
CLONE_NEWUSER, CLONE_NEWPID, CLONE_NEWNET = 0x10000000, 0x20000000, 0x40000000
MS_RDONLY, MS_NOSUID, MS_NODEV, MS_REMOUNT, MS_BIND, MS_REC, MS_PRIVATE = 1, 2, 4, 32, 4096, 16384, 1 << 18
MNT_DETACH = 2
PIVOT_ROOT = {"x86_64": 155, "aarch64": 41}
PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_CAPBSET_DROP, PR_SET_NO_NEW_PRIVS = 1, 4, 24, 38
CHOWN, DAC_OVERRIDE, DAC_READ_SEARCH, FOWNER, FSETID, SETFCAP = 0, 1, 2, 3, 4, 31
READING = (DAC_READ_SEARCH,)
WRITING = (CHOWN, DAC_OVERRIDE, DAC_READ_SEARCH, FOWNER, FSETID, SETFCAP)
LAST_CAPABILITY = 63
NICE = 10
SCRATCH = "/tmp"  # noqa: S108 - of its own, in memory
NOT_THERE = 126
LIBC = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True)
class Walls:
    """What is around the program. `pid_file` and `container` name the pod; `source` is the host's folder that it sees
    as `target`, to write where `writable`; `others` are host folders that it may write, by where it sees them; `seen`
    are files of the host that it may read, where they are; `texts` are small files made for it. `mount_point` is an
    empty folder of the host's that nothing appears in but for the program."""

    pid_file: str
    container: str
    source: str
    target: str
    mount_point: str
    writable: bool = False
    others: Mapping[str, str] = field(default_factory=dict)
    seen: tuple[str, ...] = ()
    texts: Mapping[str, str] = field(default_factory=dict)
    networked: bool = True
    host: str = "assay"

    def to_json(self) -> dict[str, Any]:
        """As `from_json` takes it."""
        return {**self.__dict__, "others": dict(self.others), "seen": list(self.seen), "texts": dict(self.texts)}

    @classmethod
    def from_json(cls, found: Mapping[str, Any]) -> Walls:
        """Of `to_json`'s form."""
        return cls(**{**found, "seen": tuple(found["seen"])})


def main(asked: Mapping[str, Any]) -> int:
    """Runs until the program ends; its exit code. `asked`: walls, argv, environment, files for its scratch folder."""
    walls = Walls.from_json(asked["walls"])
    _prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    _prctl(PR_SET_DUMPABLE, 0)
    handles = _namespaces(walls)
    if handles is None:
        sys.stderr.write("the pod does not run\n")
        return NOT_THERE
    pid, user, network = handles
    owner = _root_of(pid)
    with contextlib.suppress(OSError):  # where memory runs short this goes before any program of the renter's
        Path("/proc/self/oom_score_adj").write_text("1000")
    for _, group in control_groups(pid):
        (group / "cgroup.procs").write_text("0")
    os.nice(NICE)
    if walls.networked:
        _do("setns", network, CLONE_NEWNET)
    apart = CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWPID | (0 if walls.networked else CLONE_NEWNET)
    _do("unshare", apart)
    child = os.fork()
    if child == 0:
        try:
            _build(walls, owner, asked["files"])
            _become(user, WRITING if walls.writable else READING)
            _start(asked)
        except OSError as error:
            os.write(2, f"the walls cannot be made: {error}\n".encode())
        os._exit(NOT_THERE)
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status)


def _namespaces(walls: Walls) -> tuple[int, int, int] | None:
    """(process, users, network) of the pod: held open before it is looked at again whether they are its own."""
    pid = first_process(Path(walls.pid_file), walls.container)
    if pid is None:
        return None
    try:
        user, network = (os.open(f"/proc/{pid}/ns/{name}", os.O_RDONLY | os.O_CLOEXEC) for name in ("user", "net"))
    except OSError:
        return None
    return (pid, user, network) if first_process(Path(walls.pid_file), walls.container) == pid else None


def _root_of(pid: int) -> int:
    """The host's number of the pod's root."""
    first, outside, _ = Path(f"/proc/{pid}/uid_map").read_text().split("\n")[0].split()
    if first != "0" or outside == "0":
        raise OSError(1, "the pod's root is the host's own")
    return int(outside)


def _build(walls: Walls, owner: int, files: Mapping[str, str]) -> None:
    _prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getpid() != 1:
        raise OSError(1, "no process namespace of its own")
    LIBC.sethostname(walls.host.encode(), len(walls.host))
    _mount(None, "/", None, MS_REC | MS_PRIVATE)
    root = walls.mount_point
    _mount("tmpfs", root, "tmpfs", MS_NOSUID | MS_NODEV, "mode=755,size=1m")
    for path in walls.seen:
        _file(root + path)
        _bind(path, root + path, MS_RDONLY | MS_NOSUID)
    for path, text in walls.texts.items():
        _file(root + path, text)
    for inside, outside in {walls.target: walls.source, **walls.others}.items():
        Path(root + inside).mkdir(parents=True)
        frozen = 0 if inside != walls.target or walls.writable else MS_RDONLY
        _bind(outside, root + inside, MS_NOSUID | MS_NODEV | frozen)
    scratch = root + SCRATCH
    Path(scratch).mkdir()
    _mount("tmpfs", scratch, "tmpfs", MS_NOSUID | MS_NODEV, f"mode=700,size=512m,uid={owner},gid={owner}")
    for path, text in files.items():
        _file(root + path, text)
        os.chown(root + path, owner, owner)
    Path(f"{root}/dev").mkdir(exist_ok=True)
    _file(f"{root}/dev/null")
    _bind("/dev/null", f"{root}/dev/null", MS_NOSUID)
    _mount(None, root, None, MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NODEV)
    os.chdir(root)
    _do("syscall", ctypes.c_long(PIVOT_ROOT[platform.machine()]), b".", b".")
    _do("umount2", b".", MNT_DETACH)
    os.chdir("/")


def _become(user: int, kept: tuple[int, ...]) -> None:
    """The pod's root, with so much of its power."""
    _do("setns", user, CLONE_NEWUSER)
    os.setgroups([])
    os.setresgid(0, 0, 0)
    os.setresuid(0, 0, 0)
    for one in range(LAST_CAPABILITY + 1):
        if one not in kept:
            LIBC.prctl(PR_CAPBSET_DROP, one, 0, 0, 0)  # fails for what this kernel does not have
    _prctl(PR_SET_NO_NEW_PRIVS, 1)
    # Both were lost with the change of users.
    _prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def _start(asked: Mapping[str, Any]) -> NoReturn:
    null = os.open("/dev/null", os.O_RDONLY)
    os.dup2(null, 0)
    os.closerange(3, 1 << 12)
    os.execve(asked["argv"][0], asked["argv"], dict(asked["environment"]))  # noqa: S606 - no shell is wanted


def _file(path: str, text: str = "") -> None:
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644 if SCRATCH not in path else 0o600)
    with os.fdopen(handle, "w") as file:
        file.write(text)


def _bind(source: str, target: str, flags: int) -> None:
    _mount(source, target, None, MS_BIND)
    _mount(None, target, None, MS_REMOUNT | MS_BIND | flags)


def _mount(source: str | None, target: str, kind: str | None, flags: int, data: str = "") -> None:
    parts = [None if one is None else one.encode() for one in (source, target, kind)]
    _do("mount", parts[0], parts[1], parts[2], ctypes.c_ulong(flags), data.encode() or None)


def _do(name: str, *arguments: Any) -> None:
    if getattr(LIBC, name)(*arguments) != 0:
        number = ctypes.get_errno()
        what = b" ".join(one for one in arguments if isinstance(one, bytes)).decode(errors="replace")
        raise OSError(number, f"{name} {what}: {os.strerror(number)}")


def _prctl(option: int, value: int) -> None:
    _do("prctl", option, ctypes.c_ulong(value), 0, 0, 0)


if __name__ == "__main__":
    sys.exit(main(json.load(sys.stdin)))

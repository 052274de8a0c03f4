"""Tells a pod that its lease ends: a file, a signal to those who listen for it, and a line on every terminal."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import time
from pathlib import Path

from assay.provider.pods.layout import PodFolders
from assay.provider.pods.processes.pod_process import first_process

WARNING_S = 300.0
ENDS_AT, ENDING = "ends-at", "ending"
DEVPTS_MAGIC = 0x1CD1
TOLD_BY = signal.SIGPWR  # as a machine's programs are told that its power fails


def note_end(folders: PodFolders, deadline: float) -> None:
    """Writes when the lease ends, where the pod reads it: `ends-at` in seconds since 1970."""
    with contextlib.suppress(OSError):
        partial = folders.tools / f".{ENDS_AT}.{os.getpid()}"
        partial.write_text(f"{int(deadline)}\n")
        partial.chmod(0o644)
        partial.replace(folders.tools / ENDS_AT)
        if deadline - time.time() > WARNING_S:
            (folders.tools / ENDING).unlink(missing_ok=True)


def announce(folders: PodFolders, container: str, deadline: float) -> None:
    """The file `ending` appears, programs that handle TOLD_BY get it, and each terminal shows a line."""
    left = max(0, round(deadline - time.time()))
    text = f"this lease ends in {left // 60} min {left % 60} s; files stay for the provider's grace\n"
    with contextlib.suppress(OSError):
        (folders.tools / ENDING).write_text(f"{int(deadline)}\n")
        (folders.tools / ENDING).chmod(0o644)
    pid = first_process(folders.pid, container)
    if pid is not None:
        with contextlib.suppress(OSError):
            signal_listeners(pid)
        with contextlib.suppress(OSError):
            write_to_terminals(pid, f"\r\n*** {text.rstrip()} ***\r\n".encode())


def signal_listeners(pid: int) -> int:
    """Sends TOLD_BY to each program of the pod that handles it, and to no other, which it would end; to how many."""
    namespace, told = os.stat(f"/proc/{pid}/ns/pid").st_ino, 0  # noqa: PTH116 - not to be resolved as a path
    for entry in os.listdir("/proc"):  # noqa: PTH208
        if not entry.isdigit() or int(entry) == pid:
            continue
        with contextlib.suppress(OSError):
            handle = os.pidfd_open(int(entry))  # before it is looked at: the number may be another's by then
            try:
                if os.stat(f"/proc/{entry}/ns/pid").st_ino == namespace and _handles(entry):  # noqa: PTH116
                    signal.pidfd_send_signal(handle, TOLD_BY)
                    told += 1
            finally:
                os.close(handle)
    return told


def _handles(process: str) -> bool:
    for line in Path(f"/proc/{process}/status").read_text().splitlines():
        if line.startswith("SigCgt:"):
            return bool(int(line.split()[1], 16) >> (TOLD_BY - 1) & 1)
    return False


def write_to_terminals(pid: int, text: bytes) -> int:
    """Writes to every terminal of a pod's own; how many there were. Whatever the renter has put in their place, only
    a file system of terminals is opened."""
    written, opened = 0, []
    try:
        opened.append(os.open(f"/proc/{pid}/root", os.O_RDONLY | os.O_DIRECTORY))
        for name in ("dev", "pts"):
            opened.append(os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=opened[-1]))
        if _magic(opened[-1]) != DEVPTS_MAGIC:
            return 0
        for name in os.listdir(opened[-1]):  # noqa: PTH208 - of a handle, not a path
            if name.isdigit():
                with contextlib.suppress(OSError):
                    flags = os.O_WRONLY | os.O_NOCTTY | os.O_NONBLOCK | os.O_NOFOLLOW
                    terminal = os.open(name, flags, dir_fd=opened[-1])
                    try:
                        written += os.write(terminal, text) > 0
                    finally:
                        os.close(terminal)
    finally:
        for handle in opened:
            os.close(handle)
    return written


def _magic(handle: int) -> int:
    """The type of the file system that a handle is on, from the first word of `struct statfs`."""
    room = ctypes.create_string_buffer(512)
    if ctypes.CDLL(None, use_errno=True).fstatfs(handle, room) != 0:
        raise OSError(ctypes.get_errno(), "fstatfs")
    return int(ctypes.c_long.from_buffer(room).value)

"""Tells a pod that its lease ends: a file, a line on every terminal, and a program of the renter's own."""

from __future__ import annotations

import contextlib
import ctypes
import os
import time

from assay.provider.pods.layout import PodFolders
from assay.provider.pods.processes.pod_process import first_process

WARNING_S = 300.0
ENDS_AT, ENDING = "ends-at", "ending"
DEVPTS_MAGIC = 0x1CD1


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
    """The file `ending` appears, and each terminal shows a line."""
    left = max(0, round(deadline - time.time()))
    text = f"this lease ends in {left // 60} min {left % 60} s; files stay for the provider's grace\n"
    with contextlib.suppress(OSError):
        (folders.tools / ENDING).write_text(f"{int(deadline)}\n")
        (folders.tools / ENDING).chmod(0o644)
    pid = first_process(folders.pid, container)
    if pid is not None:
        with contextlib.suppress(OSError):
            write_to_terminals(pid, f"\r\n*** {text.rstrip()} ***\r\n".encode())


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

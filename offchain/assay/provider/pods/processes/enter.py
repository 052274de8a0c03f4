"""Runs a program in a pod with this process's own streams: signals to this process are the program's, and it ends when
this process is killed.

The container runtime itself puts the program there, behind all of the pod's walls. Argument: JSON, see `EnterRequest`
in `engine.py`. Imports little, so as to start fast.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from assay.provider.pods.processes.pod_process import (
    end_group,
    first_process,
    group_folder,
    group_option,
    join_group,
)

PR_SET_CHILD_SUBREAPER = 36
PASSED_ON = (
    signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2, signal.SIGALRM,
    signal.SIGABRT,
)  # fmt: skip
ENDING = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGQUIT)
STARTED_S = 30.0
LAST_WORDS_S = 0.5
NOT_THERE = 126


class Entered:
    """One program in the pod, and what has to be ended with it."""

    def __init__(self, wanted: dict[str, Any]) -> None:
        self.wanted = wanted
        self.pid: int | None = None
        self.group: Path | None = None
        self.group_options: list[str] = []
        self.told_to_end = False
        self._early: list[int] = []

    def command(self, pid_file: str) -> list[str]:
        wanted = self.wanted
        options = ["--pid-file", pid_file, "--cwd", wanted["folder"], "--user", wanted["user"]]
        for name, value in wanted["environment"].items():
            options += ["--env", f"{name}={value}"]
        if os.isatty(0) if wanted["tty"] is None else wanted["tty"]:
            options.append("--tty")
        options += self.group_options
        return [wanted["runtime"], "exec", *options, wanted["container"], *wanted["argv"]]

    def started(self, pid: int | None) -> None:
        """It runs, unless `pid` is None: what came for it before is passed on."""
        self.pid = pid
        while self._early:
            self.signal(self._early.pop(0))

    def signal(self, number: int) -> None:
        """Passes a signal on to the program, which may do with it what it likes."""
        if self.pid is None:
            self._early.append(number)
            return
        self.told_to_end |= number in ENDING
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, number)

    def end(self) -> None:
        """Kills the program; with its group where it has one."""
        if self.pid is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)
        if self.group is not None:
            end_group(self.group)


def main(wanted: dict[str, Any]) -> int:
    """Runs until the program ends; its exit code."""
    inside = first_process(Path(wanted["pid_file"]), wanted["container"])
    if inside is None:
        sys.stderr.write("the pod does not run\n")
        return NOT_THERE
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1)
    entered = Entered(wanted)
    if wanted["group"]:
        entered.group = group_folder(inside, wanted["group"])
        try:
            entered.group.mkdir(exist_ok=True)
        except OSError as error:
            sys.stderr.write(f"the pod has no group for what runs in it: {error}\n")
            return NOT_THERE
        entered.group_options = group_option(inside, wanted["runtime"], wanted["group"])
    with tempfile.TemporaryDirectory(prefix="assay-enter-") as folder:
        pid_file = Path(folder) / "pid"
        guard, held = _guard(entered, pid_file)
        for number in PASSED_ON:
            signal.signal(number, lambda which, _: entered.signal(which))
        child = subprocess.Popen(entered.command(str(pid_file)), cwd="/")  # noqa: S603
        entered.started(_started(child, pid_file))
        if entered.pid is not None:
            os.write(held, f"{entered.pid}\n".encode())
            if entered.group is not None and not entered.group_options:
                with contextlib.suppress(OSError):
                    join_group(entered.group, entered.pid)
        _until_over(entered, child)
        if entered.group is not None:
            end_group(entered.group)
        os.write(held, b"done\n")
        os.close(held)
        os.waitpid(guard, 0)
        code = _until_read(entered, child)
    return code if code >= 0 else 128 - code


def _until_over(entered: Entered, child: subprocess.Popen[bytes]) -> None:
    """Returns once the program itself has ended: the runtime waits for what it left behind, too, where that may still
    write."""
    handles = []
    for pid in (entered.pid, child.pid):
        with contextlib.suppress(ProcessLookupError):
            handles += [] if pid is None else [os.pidfd_open(pid)]
    if len(handles) == 2:
        select.select(handles, [], [])
    for handle in handles:
        os.close(handle)
    if entered.pid is None:
        child.wait()
    entered.pid = None  # from here on the number may be another's


def _until_read(entered: Entered, child: subprocess.Popen[bytes]) -> int:
    """The exit code, once all that is written has been read, as with OpenSSH; not of a program that was to end."""
    if entered.told_to_end:
        try:
            return child.wait(LAST_WORDS_S)
        except subprocess.TimeoutExpired:
            child.kill()
    return child.wait()


def _started(child: subprocess.Popen[bytes], pid_file: Path) -> int | None:
    until = time.monotonic() + STARTED_S
    while time.monotonic() < until:
        with contextlib.suppress(OSError, ValueError):
            return int(pid_file.read_text())
        if child.poll() is not None:
            return None
        time.sleep(0.002)
    return None


def _guard(entered: Entered, pid_file: Path) -> tuple[int, int]:
    """A process that ends the program where this one is killed before it could; it holds none of our streams."""
    read, write = os.pipe()
    pid = os.fork()
    if pid:
        os.close(read)
        return pid, write
    os.close(write)
    os.setsid()
    for number in PASSED_ON:
        signal.signal(number, signal.SIG_IGN)
    null = os.open("/dev/null", os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(null, stream)
    told = b""
    while piece := os.read(read, 64):
        told += piece
    if not told.endswith(b"done\n"):
        with contextlib.suppress(OSError, ValueError):
            entered.pid = int(told or pid_file.read_text())
        entered.end()
        with contextlib.suppress(OSError):
            pid_file.unlink()
            pid_file.parent.rmdir()
    os._exit(0)


if __name__ == "__main__":
    sys.exit(main(json.loads(sys.argv[1])))

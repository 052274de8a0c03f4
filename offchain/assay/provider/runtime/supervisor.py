"""Runs one command within limits, on its own: it outlives the daemon, and the command never outlives it.

It imports little, so as to start fast. Argument: the control folder, which holds `spec.json` and receives `pid.json`,
`output.log` and, last, `status.json`.
"""

import ctypes
import json
import math
import os
import resource
import selectors
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from assay.provider.runtime.process_start import start_ticks
from assay.provider.workloads.folder_walk import count

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
TICK_S = 0.05


def write_whole(path: Path, value: dict[str, Any]) -> None:
    """Writes JSON so that a reader sees all of it or nothing."""
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps(value))
    partial.replace(path)


def descendants(pid: int) -> list[int]:
    """All processes below `pid`, those that moved to other groups and sessions too."""
    found: list[int] = []
    waiting = [pid]
    while waiting:
        tasks = Path(f"/proc/{waiting.pop()}/task")
        try:
            threads = list(tasks.iterdir())
        except (FileNotFoundError, ProcessLookupError):
            continue  # it ended between being found and being looked at
        for thread in threads:
            try:
                children = [int(child) for child in (thread / "children").read_text().split()]
            except (FileNotFoundError, ProcessLookupError):
                continue
            found += children
            waiting += children
    return found


def kill_descendants(pid: int) -> None:
    """Kills until nothing is left: a child may fork while it is being killed."""
    while remaining := descendants(pid):
        for child in remaining:
            try:
                os.kill(child, signal.SIGKILL)
            except ProcessLookupError:
                continue
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            pass
        time.sleep(0.01)


def resident_bytes(pids: list[int]) -> int:
    """Memory of all these processes, shared pages counted once for each."""
    pages = 0
    for pid in pids:
        try:
            pages += int(Path(f"/proc/{pid}/statm").read_text().split()[1])
        except (FileNotFoundError, ProcessLookupError):
            continue
    return pages * resource.getpagesize()


def memory_kills(events: str | None) -> int:
    """How often the kernel has killed for want of memory in the control group with this file of events."""
    try:
        lines = Path(events or "/nonexistent").read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) for line in lines if line.startswith("oom_kill "))


def apply_limits(limits: dict[str, Any]) -> None:
    """In the child, before the command: limits that the kernel holds it to."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    cpu = int(limits["cpu_seconds"])
    resource.setrlimit(resource.RLIMIT_CPU, (cpu, cpu + 1))
    if limits.get("enforce_memory", True):
        resource.setrlimit(resource.RLIMIT_AS, (limits["memory_bytes"], limits["memory_bytes"]))
    resource.setrlimit(resource.RLIMIT_FSIZE, (limits["disk_bytes"], limits["disk_bytes"]))
    if limits.get("enforce_open_files", True):
        resource.setrlimit(resource.RLIMIT_NOFILE, (1024, 1024))
    available = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, available[: max(1, math.ceil(limits["processors"]))])


class Supervisor:
    """Copies output up to its limit and ends the command when a limit, the deadline or a signal says so."""

    def __init__(self, control: Path) -> None:
        self.control = control
        self.spec: dict[str, Any] = json.loads((control / "spec.json").read_text())
        self.limits: dict[str, Any] = self.spec["limits"]
        self.stop_reason: str | None = None
        self.written = 0
        # Before anybody knows the number of this process: a job may be ended as soon as it is started.
        signal.signal(signal.SIGTERM, self.on_signal)

    def on_signal(self, _number: int, _frame: object) -> None:
        reason = self.control / "stop"
        self.stop_reason = reason.read_text() if reason.exists() else "stopped"

    def deadline(self) -> float:
        try:
            return float((self.control / "deadline").read_text())
        except (FileNotFoundError, ValueError):
            return 0.0

    def limit_reached(self, started: float) -> str | None:
        if self.stop_reason:
            return self.stop_reason
        if self.written >= self.limits["output_bytes"]:
            return "output limit"
        if time.monotonic() - started > self.limits["wall_seconds"]:
            return "time limit"
        if time.time() >= self.deadline():
            return "lease over"
        running = descendants(os.getpid())
        if len(running) > self.limits["processes"]:
            return "process limit"
        if resident_bytes(running) > self.limits["memory_bytes"]:
            return "memory limit"
        return None

    def copy_output(self, source: int, target: Any) -> bool:
        """Copies what is there; False once the command has closed its end."""
        data = os.read(source, 65536)
        kept = data[: self.limits["output_bytes"] - self.written]
        target.write(kept)
        self.written += len(kept)
        return bool(data)

    def run(self) -> dict[str, Any]:
        kills = memory_kills(self.spec.get("memory_events"))
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1)
        try:
            child = subprocess.Popen(  # noqa: S603
                self.spec["command"],
                cwd=self.spec["cwd"],
                env=self.spec["environment"],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=lambda: apply_limits(self.limits),
            )
        except (OSError, subprocess.SubprocessError) as error:
            return {"status": "failed", "exit_code": 127, "reason": f"could not start: {error}"}
        assert child.stdout is not None  # noqa: S101
        with (self.control / "output.log").open("ab", buffering=0) as log:
            reason = self.follow(child, child.stdout.fileno(), log)
        kill_descendants(os.getpid())
        if reason:
            return {"status": "killed", "exit_code": 137, "reason": reason}
        code = child.returncode
        if code in (137, -signal.SIGKILL) and memory_kills(self.spec.get("memory_events")) > kills:
            return {"status": "killed", "exit_code": 137, "reason": "memory limit"}
        return {"status": "exited", "exit_code": code if code >= 0 else 128 - code, "reason": None}

    def follow(self, child: "subprocess.Popen[bytes]", source: int, log: Any) -> str | None:
        started = time.monotonic()
        sized = started
        open_pipe = True
        with selectors.DefaultSelector() as selector:
            selector.register(source, selectors.EVENT_READ)
            while True:
                if open_pipe:
                    if selector.select(TICK_S) and not self.copy_output(source, log):
                        selector.unregister(source)
                        open_pipe = False
                else:
                    time.sleep(TICK_S)
                reason = self.limit_reached(started)
                if reason is None and time.monotonic() - sized > 1:
                    sized = time.monotonic()
                    if count(Path(self.spec["cwd"]))[1] > self.limits["disk_bytes"]:
                        reason = "disk limit"
                if reason:
                    return reason
                if child.poll() is not None:
                    # What was written before the end; a background process that keeps the pipe open is not
                    # waited for.
                    while open_pipe and selector.select(0) and self.written < self.limits["output_bytes"]:
                        open_pipe = self.copy_output(source, log)
                    return None


def main(control: Path) -> None:
    supervisor = Supervisor(control)
    write_whole(control / "pid.json", {"pid": os.getpid(), "start_ticks": start_ticks(os.getpid())})
    write_whole(control / "status.json", supervisor.run())


if __name__ == "__main__":
    main(Path(sys.argv[1]))

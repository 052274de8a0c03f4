"""What runtimes share that hold each job under a supervisor process of its own."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from assay.provider.errors import RuntimeUnavailable
from assay.provider.runtime import supervisor
from assay.provider.runtime.own_program import own_program
from assay.provider.runtime.process_start import ENDED, state_and_start
from assay.provider.runtime.workload import Outcome, Room, Workload

SEARCH_PATH = "/usr/local/bin:/usr/bin:/bin"
START_TIMEOUT_S = 10.0
STOP_TIMEOUT_S = 10.0


class SupervisedRuntime:
    """Starts a supervisor for each job and talks to it through files in the job's control folder.

    Subclasses say what the supervisor is given, and how to clean up behind one that was killed.
    """

    name = "supervised"
    owner: tuple[int, int] | None = None

    def owner_of(self, lease_id: int) -> tuple[int, int] | None:
        """The user and group that files of a lease belong to on this machine, None for this process's."""
        return self.owner

    def specification(self, workload: Workload) -> dict[str, Any]:
        """What is written for the supervisor as `spec.json`."""
        return {
            "command": self.command_line(workload),
            "cwd": str(workload.workspace),
            "environment": self.environment(workload),
            "limits": asdict(workload.limits),
        }

    def command_line(self, workload: Workload) -> list[str]:
        """What the supervisor starts."""
        return list(workload.command)

    def environment(self, workload: Workload) -> dict[str, str]:
        """Nothing of the daemon's own environment reaches the job."""
        base = {"PATH": SEARCH_PATH, "HOME": str(workload.workspace), "LANG": "C.UTF-8"}
        return {**base, **dict(workload.environment), "ASSAY_LEASE": str(workload.lease_id)}

    def shell(self, workload: Workload) -> list[str] | None:
        """The command line of an interactive program behind the same walls as jobs."""
        return self.command_line(workload)

    def rooms(self, workspace: Path, roots: Sequence[tuple[str, int]]) -> list[Room]:
        """Workloads in networks of their own below these processes: without walls there is none."""
        return []

    def supervisor_command(self, control: Path) -> list[str]:
        """Command line of the supervisor."""
        return own_program("assay.provider.runtime.supervisor", str(control))

    def supervisor_environment(self) -> dict[str, str]:
        """Environment of the supervisor, which is ours, not the job's."""
        return {"PATH": SEARCH_PATH}

    def clean_up(self, control: Path) -> None:
        """Ends what a supervisor that was killed has left behind."""

    def sweep(self, leases: Path, may_run: Callable[[int], bool]) -> int:
        """Ends what runs for leases below this folder and may not, or has nobody who keeps it; how much there was.
        Processes of ours are below their supervisors and shells: the kernel ends them with those."""
        return 0

    def clear(self, workspace: Path) -> None:
        """Ends whatever runs with this workspace."""

    def launch(self, workload: Workload) -> None:
        """Starts the job; it goes on if this process dies, but never past the deadline."""
        try:
            workload.control.mkdir(parents=True, exist_ok=True)
            workload.workspace.mkdir(parents=True, exist_ok=True)
            self.extend(workload.control, workload.deadline)
            (workload.control / "spec.json").write_text(json.dumps(self.specification(workload)))
            with (workload.control / "supervisor.log").open("ab") as log:
                subprocess.Popen(  # noqa: S603
                    self.supervisor_command(workload.control),
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=log,
                    start_new_session=True,
                    env=self.supervisor_environment(),
                )
        except OSError as error:
            raise RuntimeUnavailable(f"the job could not be started: {error.strerror}") from error
        self._await_start(workload.control)

    def inspect(self, control: Path) -> Outcome:
        """How the job with this control folder stands."""
        # The process is looked at before the file: it writes the file as the last thing it does.
        alive = self.supervisor_of(control) is not None
        try:
            status = json.loads((control / "status.json").read_text())
            return Outcome(status["status"], status["exit_code"], status["reason"])
        except (OSError, ValueError, KeyError, TypeError):  # not there, or cut off by a disk that was full
            if alive:
                return Outcome("running")
            self.clean_up(control)
            return Outcome("lost", None, "the supervisor is gone")

    def extend(self, control: Path, deadline: float) -> None:
        """Moves the time at which the job is killed."""
        partial = control / "deadline.partial"
        partial.write_text(repr(float(deadline)))
        partial.replace(control / "deadline")

    def kill(self, control: Path, reason: str) -> Outcome:
        """Ends the job and everything it started; returns once nothing of it runs."""
        pid = self.supervisor_of(control)
        if pid is not None:
            with contextlib.suppress(OSError):  # a full disk must not save a job
                (control / "stop").write_text(reason)
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)
            until = time.monotonic() + STOP_TIMEOUT_S
            while self.supervisor_of(control) is not None and time.monotonic() < until:
                time.sleep(0.01)
            if (pid := self.supervisor_of(control)) is not None:
                supervisor.kill_descendants(pid)
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
                self.clean_up(control)
        outcome = self.inspect(control)
        return outcome if outcome.final else Outcome("killed", 137, reason)

    def _await_start(self, control: Path) -> None:
        until = time.monotonic() + START_TIMEOUT_S
        while not (control / "pid.json").exists():
            if time.monotonic() > until:
                raise RuntimeUnavailable(f"the supervisor of {control.name} did not start in {START_TIMEOUT_S:.0f} s")
            time.sleep(0.01)

    def supervisor_of(self, control: Path) -> int | None:
        """The live supervisor's process number, if it is still the same process."""
        try:
            record = json.loads((control / "pid.json").read_text())
            pid, ticks = int(record["pid"]), record["start_ticks"]
        except (OSError, ValueError, KeyError, TypeError):
            return None
        found = state_and_start(pid)
        if found is None or found[1] != ticks:
            return None
        if found[0] not in ENDED:
            return pid
        with contextlib.suppress(ChildProcessError):  # the child of an earlier daemon: init waits for it
            os.waitpid(pid, os.WNOHANG)
        return None

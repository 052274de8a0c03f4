"""The runtime `local`: processes of this machine under a supervisor. For local chains only: it does not
isolate.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path

from assay.provider.errors import RuntimeUnavailable
from assay.provider.runtime import supervisor
from assay.provider.runtime.workload import Outcome, Workload

LOCAL_CHAIN_IDS = frozenset({1337, 31337})
SEARCH_PATH = "/usr/local/bin:/usr/bin:/bin"
START_TIMEOUT_S = 10.0


class LocalRuntime:
    """Runs jobs as processes with resource limits. Another user's files stay readable as far as permissions
    go.
    """

    name = "local"

    def __init__(self, chain_id: int) -> None:
        if chain_id not in LOCAL_CHAIN_IDS:
            raise RuntimeUnavailable(
                f"the runtime 'local' does not isolate workloads and refuses to run on chain {chain_id}; "
                "choose 'container' or 'bubblewrap'"
            )

    def check(self) -> None:
        if not Path("/proc/self/stat").exists():
            raise RuntimeUnavailable("the runtime 'local' needs Linux with /proc mounted")

    def command_line(self, workload: Workload) -> list[str]:
        """What the supervisor starts."""
        return list(workload.command)

    def environment(self, workload: Workload) -> dict[str, str]:
        """Nothing of the daemon's own environment reaches the job."""
        base = {"PATH": SEARCH_PATH, "HOME": str(workload.workspace), "LANG": "C.UTF-8"}
        return {**base, **dict(workload.environment), "ASSAY_LEASE": str(workload.lease_id)}

    def launch(self, workload: Workload) -> None:
        workload.control.mkdir(parents=True, exist_ok=True)
        workload.workspace.mkdir(parents=True, exist_ok=True)
        self.extend(workload.control, workload.deadline)
        spec = {
            "command": self.command_line(workload),
            "cwd": str(workload.workspace),
            "environment": self.environment(workload),
            "limits": asdict(workload.limits),
        }
        (workload.control / "spec.json").write_text(json.dumps(spec))
        subprocess.Popen(  # noqa: S603
            [sys.executable, "-I", supervisor.__file__, str(workload.control)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=(workload.control / "supervisor.log").open("ab"),
            start_new_session=True,
            env={"PATH": SEARCH_PATH},
        )
        self._await_start(workload.control)

    def _await_start(self, control: Path) -> None:
        until = time.monotonic() + START_TIMEOUT_S
        while not (control / "pid.json").exists():
            if time.monotonic() > until:
                raise RuntimeUnavailable(f"the supervisor of {control.name} did not start in {START_TIMEOUT_S:.0f} s")
            time.sleep(0.01)

    def _supervisor(self, control: Path) -> int | None:
        """The live supervisor's process number, if it is still the same process."""
        try:
            record = json.loads((control / "pid.json").read_text())
        except FileNotFoundError:
            return None
        pid = int(record["pid"])
        ticks = supervisor.start_ticks(pid)
        return pid if ticks == record["start_ticks"] and not _is_zombie(pid) else None

    def inspect(self, control: Path) -> Outcome:
        # The process is looked at before the file: it writes the file as the last thing it does.
        alive = self._supervisor(control) is not None
        try:
            status = json.loads((control / "status.json").read_text())
        except FileNotFoundError:
            return Outcome("running") if alive else Outcome("lost", None, "the supervisor is gone")
        return Outcome(status["status"], status["exit_code"], status["reason"])

    def extend(self, control: Path, deadline: float) -> None:
        partial = control / "deadline.partial"
        partial.write_text(repr(float(deadline)))
        partial.replace(control / "deadline")

    def kill(self, control: Path, reason: str) -> Outcome:
        pid = self._supervisor(control)
        if pid is not None:
            (control / "stop").write_text(reason)
            os.kill(pid, signal.SIGTERM)
            until = time.monotonic() + 5
            while self._supervisor(control) is not None and time.monotonic() < until:
                time.sleep(0.01)
            if (pid := self._supervisor(control)) is not None:
                supervisor.kill_descendants(pid)
                os.kill(pid, signal.SIGKILL)
        outcome = self.inspect(control)
        return outcome if outcome.final else Outcome("killed", 137, reason)


def _is_zombie(pid: int) -> bool:
    """An ended child that its parent has not yet waited for."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return True
    if state != "Z":
        return False
    try:
        os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        return True
    return True

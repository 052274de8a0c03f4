"""A job outlives its daemon, and its lease outlives neither."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from assay.provider.runtime.local import LocalRuntime
from assay.provider.runtime.workload import Outcome, output_path
from tests.integration.provider.conftest import until

DAEMON = """
import sys, time
from pathlib import Path
from assay.provider.runtime.local import LocalRuntime
from assay.provider.runtime.workload import Workload
folder, deadline = Path(sys.argv[1]), float(sys.argv[2])
LocalRuntime(31337).launch(Workload("j", 7, ("sh", "-c", sys.argv[3]), folder / "w", folder / "c", deadline))
print("started", flush=True)
time.sleep(600)
"""


def killed_daemon(folder: Path, seconds: float, script: str) -> None:
    """Starts a job from a process that is then killed outright, with its whole group."""
    command = [sys.executable, "-c", DAEMON, str(folder), str(time.time() + seconds), script]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, start_new_session=True)
    assert process.stdout is not None and process.stdout.readline() == b"started\n"
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def test_job__daemon_killed__goes_on_and_the_next_daemon_finds_how_it_ended(tmp_path: Path) -> None:
    killed_daemon(tmp_path, 60, "echo before; while [ ! -e go ]; do sleep 0.05; done; echo after; exit 6")
    runtime = LocalRuntime(31337)
    assert runtime.inspect(tmp_path / "c") == Outcome("running")
    (tmp_path / "w" / "go").touch()
    until(lambda: runtime.inspect(tmp_path / "c").final)
    assert runtime.inspect(tmp_path / "c") == Outcome("exited", 6, None)
    assert output_path(tmp_path / "c").read_text() == "before\nafter\n"


def test_job__daemon_killed_and_never_back__still_ends_with_its_lease(tmp_path: Path) -> None:
    killed_daemon(tmp_path, 8, "echo $$ > pid; sleep 600")
    pid_file = tmp_path / "w" / "pid"
    until(lambda: pid_file.exists() and pid_file.read_text().strip() != "")
    pid = int(pid_file.read_text())
    until(lambda: (tmp_path / "c" / "status.json").exists())
    assert LocalRuntime(31337).inspect(tmp_path / "c") == Outcome("killed", 137, "lease over")
    until(lambda: not Path(f"/proc/{pid}").exists())


def test_job__found_by_the_next_daemon__can_be_killed(tmp_path: Path) -> None:
    killed_daemon(tmp_path, 60, "sleep 600")
    assert LocalRuntime(31337).kill(tmp_path / "c", "lease over") == Outcome("killed", 137, "lease over")

"""The supervisor and the runtime `local`, with real processes (no socket, no fixed wait)."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from assay.provider.errors import RuntimeUnavailable
from assay.provider.runtime.local import LocalRuntime
from assay.provider.runtime.workload import Limits, Outcome, Workload, output_path


def workload(tmp_path: Path, *command: str, deadline: float | None = None, **limits: float) -> Workload:
    return Workload(
        job_id="j1",
        lease_id=7,
        command=command,
        workspace=tmp_path / "workspace",
        control=tmp_path / "control",
        deadline=time.time() + 60 if deadline is None else deadline,
        limits=Limits(**limits),  # type: ignore[arg-type]
    )


def until(condition: Callable[[], bool], seconds: float = 10.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "condition not met in time"
        time.sleep(0.01)


def finished(runtime: LocalRuntime, control: Path) -> Outcome:
    until(lambda: runtime.inspect(control).final)
    return runtime.inspect(control)


@pytest.fixture
def runtime() -> LocalRuntime:
    return LocalRuntime(chain_id=31337)


def test_local_runtime__on_a_public_chain__refuses() -> None:
    with pytest.raises(RuntimeUnavailable, match="chain 1"):
        LocalRuntime(chain_id=1)


def test_job__that_ends__reports_its_exit_code_and_output(runtime: LocalRuntime, tmp_path: Path) -> None:
    job = workload(tmp_path, "sh", "-c", "echo out; echo err >&2; pwd > where; exit 3")
    runtime.launch(job)
    assert finished(runtime, job.control) == Outcome("exited", 3, None)
    assert output_path(job.control).read_text().split() == ["out", "err"]
    assert (job.workspace / "where").read_text().strip() == str(job.workspace)


def test_job__unknown_command__fails_with_127(runtime: LocalRuntime, tmp_path: Path) -> None:
    job = workload(tmp_path, "no-such-command")
    runtime.launch(job)
    outcome = finished(runtime, job.control)
    assert (outcome.status, outcome.exit_code) == ("failed", 127)
    assert "no-such-command" in (outcome.reason or "")


def test_job__past_its_lease__is_killed_with_all_that_it_started(runtime: LocalRuntime, tmp_path: Path) -> None:
    command = "setsid sleep 300 & echo $! > escaped; sleep 300"
    job = workload(tmp_path, "sh", "-c", command, deadline=time.time() + 0.7)
    runtime.launch(job)
    until(lambda: (job.workspace / "escaped").exists() and (job.workspace / "escaped").read_text().strip() != "")
    escaped = int((job.workspace / "escaped").read_text())
    assert finished(runtime, job.control) == Outcome("killed", 137, "lease over")
    until(lambda: not Path(f"/proc/{escaped}").exists())


def test_job__deadline_extended__goes_on(runtime: LocalRuntime, tmp_path: Path) -> None:
    job = workload(tmp_path, "sh", "-c", "sleep 0.8; echo done", deadline=time.time() + 0.5)
    runtime.launch(job)
    runtime.extend(job.control, time.time() + 60)
    assert finished(runtime, job.control) == Outcome("exited", 0, None)


@pytest.mark.parametrize(
    ("script", "limits", "reason"),
    [
        ("sleep 60", {"wall_seconds": 0.2}, "time limit"),
        ("yes", {"output_bytes": 10_000}, "output limit"),
        (
            "for i in 1 2 3 4; do head -c 300000 /dev/zero > f$i; done; sleep 60",
            {"disk_bytes": 1_000_000},
            "disk limit",
        ),
    ],
)
def test_job__beyond_a_limit__is_killed_for_it(
    runtime: LocalRuntime, tmp_path: Path, script: str, limits: dict[str, float], reason: str
) -> None:
    job = workload(tmp_path, "sh", "-c", script, **limits)
    runtime.launch(job)
    assert finished(runtime, job.control) == Outcome("killed", 137, reason)
    assert output_path(job.control).stat().st_size <= job.limits.output_bytes


def test_job__asks_for_more_memory_than_its_limit__does_not_get_it(runtime: LocalRuntime, tmp_path: Path) -> None:
    script = "try:\n bytearray(600 << 20)\nexcept MemoryError:\n print('refused')"
    job = workload(tmp_path, "python3", "-c", script, memory_bytes=256 << 20)
    runtime.launch(job)
    assert finished(runtime, job.control).status == "exited"
    assert output_path(job.control).read_text() == "refused\n"


def test_job__environment__holds_nothing_of_the_daemon(
    runtime: LocalRuntime, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ASSAY_PASSWORD_FILE", "/secret")
    job = workload(tmp_path, "env")
    runtime.launch(job)
    finished(runtime, job.control)
    assert "secret" not in output_path(job.control).read_text()


def test_kill__running_job__ends_it_and_says_why(runtime: LocalRuntime, tmp_path: Path) -> None:
    job = workload(tmp_path, "sleep", "300")
    runtime.launch(job)
    assert runtime.inspect(job.control) == Outcome("running")
    assert runtime.kill(job.control, "lease ended") == Outcome("killed", 137, "lease ended")
    assert runtime.kill(job.control, "again") == Outcome("killed", 137, "lease ended")


def test_inspect__supervisor_killed__job_is_lost_and_gone(runtime: LocalRuntime, tmp_path: Path) -> None:
    job = workload(tmp_path, "sh", "-c", "echo $$ > pid; exec sleep 300")
    runtime.launch(job)
    until(lambda: (job.workspace / "pid").exists() and (job.workspace / "pid").read_text().strip() != "")
    pid = int((job.workspace / "pid").read_text())
    supervisor = runtime.supervisor_of(job.control)
    assert supervisor is not None
    os.kill(supervisor, signal.SIGKILL)
    until(lambda: runtime.inspect(job.control).status == "lost")
    until(lambda: not Path(f"/proc/{pid}").exists())


def test_limits__asked_beyond_the_most__are_cut_to_it() -> None:
    most = Limits(wall_seconds=10, memory_bytes=100)
    assert Limits(wall_seconds=99, memory_bytes=50).within(most) == Limits(wall_seconds=10, memory_bytes=50)

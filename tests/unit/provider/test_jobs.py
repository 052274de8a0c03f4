"""The book of jobs: what is being launched is neither running nor lost."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

from assay.provider.database import open_database
from assay.provider.jobs import JobBook, JobRequest
from assay.provider.runtime.workload import Limits, Outcome, Workload

LEASE = 7


class SlowRuntime:
    """A runtime whose launch waits until it is let go; before that a look finds no process."""

    name = "slow"
    owner = None

    def __init__(self) -> None:
        self.launching = threading.Event()
        self.let_go = threading.Event()
        self.started = False

    def check(self) -> None: ...

    def launch(self, workload: Workload) -> None:
        self.launching.set()
        assert self.let_go.wait(10)
        self.started = True

    def inspect(self, control: Path) -> Outcome:
        return Outcome("running") if self.started else Outcome("lost", None, "no process")

    def extend(self, control: Path, deadline: float) -> None: ...

    def sweep(self, leases: Path, may_run: Callable[[int], bool]) -> int:
        return 0

    def clear(self, workspace: Path) -> None: ...

    def kill(self, control: Path, reason: str) -> Outcome:
        self.started = False
        return Outcome("killed", 137, reason)


def test_job__looked_at_while_it_is_launched__is_not_given_up_as_lost(tmp_path: Path) -> None:
    runtime = SlowRuntime()
    book = JobBook(open_database(tmp_path / "jobs.sqlite"), runtime, tmp_path, Limits(), lambda: 1.0)
    request = JobRequest(("true",), {}, Limits())
    seen: list[str] = []
    creator = threading.Thread(target=book.create, args=(LEASE, 100.0, request))
    looker = threading.Thread(target=lambda: seen.extend(r.outcome.status for r in book.of_lease(LEASE)))
    creator.start()
    assert runtime.launching.wait(10)
    looker.start()
    looker.join(0.05)
    runtime.let_go.set()
    creator.join(10)
    looker.join(10)
    assert seen == ["running"]
    assert [record.outcome.status for record in book.of_lease(LEASE)] == ["running"]

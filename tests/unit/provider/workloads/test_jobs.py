"""The book of jobs: what is being launched is neither running nor lost."""

from __future__ import annotations

import contextlib
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from assay.provider.database import open_database
from assay.provider.errors import Conflict, TooLarge, Unavailable
from assay.provider.runtime.supervised import SupervisedRuntime
from assay.provider.runtime.workload import Limits, Outcome, Workload
from assay.provider.workloads import workspace
from assay.provider.workloads.disk_volumes import WatchedFolders
from assay.provider.workloads.jobs import JobBook, JobRequest, OpenShells

LEASE = 7


class SlowRuntime:
    """A runtime whose launch waits until it is let go; before that a look finds no process."""

    name = "slow"

    def __init__(self) -> None:
        self.launching = threading.Event()
        self.let_go = threading.Event()
        self.started = False

    def check(self) -> None: ...

    def owner_of(self, lease_id: int) -> tuple[int, int] | None:
        return None

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


class Engine(SlowRuntime):
    """A runtime whose launches and kills may fail, as with a disk that is full or an engine that is away."""

    name = "engine"

    def __init__(self) -> None:
        super().__init__()
        self.broken: set[str] = set()
        self.ended: list[str] = []
        self.running: set[str] = set()

    def launch(self, workload: Workload) -> None:
        if workload.job_id in self.broken or "launch" in self.broken:
            raise OSError(28, "No space left on device")
        self.running.add(workload.job_id)

    def inspect(self, control: Path) -> Outcome:
        if control.name in self.broken:
            raise OSError(5, "Input/output error")
        return Outcome("running") if control.name in self.running else Outcome("lost", None, "no process")

    def kill(self, control: Path, reason: str) -> Outcome:
        self.running.discard(control.name)
        self.ended.append(control.name)
        return Outcome("killed", 137, reason)


class CountedDisks(WatchedFolders):
    """Volumes that must be made once, and by one at a time."""

    def __init__(self) -> None:
        self.inside = self.most_inside = self.made = 0

    def prepare(self, lease_folder: Path, devices: int = 1) -> None:
        self.inside += 1
        self.most_inside = max(self.most_inside, self.inside)
        super().prepare(lease_folder, devices)
        for _ in range(2000):  # long enough for others to come between
            self.made += 1
        self.inside -= 1


@pytest.fixture
def engine() -> Engine:
    return Engine()


def book_of(tmp_path: Path, engine: Engine, disks: WatchedFolders | None = None, **limits: int) -> JobBook:
    database = open_database(tmp_path / "jobs.sqlite")
    return JobBook(database, engine, tmp_path, Limits(**limits), lambda: 1.0, disks, shells=OpenShells())


REQUEST = JobRequest(("true",), {}, Limits())


def test_lease__first_used_by_eight_at_once__has_its_volume_made_by_one_at_a_time(
    tmp_path: Path, engine: Engine
) -> None:
    disks = CountedDisks()
    book = book_of(tmp_path, engine, disks)
    switch = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        threads = [threading.Thread(target=book.shell_workload, args=(LEASE, 100.0, ("sh",))) for _ in range(8)]
        for one in threads:
            one.start()
        for one in threads:
            one.join(10)
    finally:
        sys.setswitchinterval(switch)
    assert (disks.most_inside, disks.made) == (1, 8 * 2000)


def test_lease__over__gets_no_volume_by_any_way(tmp_path: Path, engine: Engine) -> None:
    book = book_of(tmp_path, engine)
    for use in (
        lambda: book.create(LEASE, 1.0, REQUEST),
        lambda: book.shell_workload(LEASE, 0.0, ("sh",)),
        lambda: book.put_file(LEASE, 1.0, "x", b"x"),
        lambda: book.put_folder(LEASE, 1.0, "x"),
        lambda: book.put_link(LEASE, 1.0, "x", "y"),
    ):
        with pytest.raises(Conflict, match="has ended"):
            use()
    assert not book.lease_folder(LEASE).exists()


def test_shells_and_jobs__together__have_the_leases_places(tmp_path: Path, engine: Engine) -> None:
    book = book_of(tmp_path, engine)
    shells = book._shells
    most = book.most_workloads(LEASE)
    with contextlib.ExitStack() as open_shells:
        for _ in range(3):
            book.create(LEASE, 100.0, REQUEST)
        for _ in range(most - 3):
            open_shells.enter_context(shells.one(LEASE, most))
            book.shell_workload(LEASE, 100.0, ("sh",))
        with pytest.raises(Conflict, match="shells and jobs"):
            book.create(LEASE, 100.0, REQUEST)
        with shells.one(LEASE, most), pytest.raises(Conflict, match="shells and jobs"):
            book.shell_workload(LEASE, 100.0, ("sh",))
        for _ in range(3):
            open_shells.enter_context(shells.one(LEASE, most))
        with pytest.raises(Conflict), shells.one(LEASE, most):
            pass
        with shells.one(LEASE + 1, most):
            assert shells.count(LEASE + 1) == 1
    assert shells.count(LEASE) == 0
    book.create(LEASE, 100.0, REQUEST)


def test_end_lease__one_job_that_cannot_be_looked_at__saves_no_other(tmp_path: Path, engine: Engine) -> None:
    book = book_of(tmp_path, engine)
    first, second, third = (book.create(LEASE, 100.0, REQUEST) for _ in range(3))
    engine.broken.add(first)
    with pytest.raises(Unavailable, match=first):
        book.end_lease(LEASE, "over")
    assert engine.ended == [second, third]


def test_launch__that_breaks__is_a_failed_job_and_the_lease_can_be_wiped(tmp_path: Path, engine: Engine) -> None:
    book = book_of(tmp_path, engine)
    engine.broken.add("launch")
    with pytest.raises(OSError, match="No space"):
        book.create(LEASE, 100.0, REQUEST)
    assert [one.outcome.status for one in book.of_lease(LEASE)] == ["failed"]
    assert book.wipe(LEASE).entries_left == 0 and not book.lease_folder(LEASE).exists()


def test_puts__many__measure_the_workspace_once_and_again_only_when_a_workload_writes(
    tmp_path: Path, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    measured: list[Path] = []
    total = workspace.total_bytes

    def counted(root: Path) -> int:
        measured.append(root)
        return total(root)

    monkeypatch.setattr(workspace, "total_bytes", counted)
    now = 1.0
    book = JobBook(open_database(None), engine, tmp_path, Limits(disk_bytes=1000), lambda: now)
    for number in range(9):
        book.put_file(LEASE, 100.0, f"{number}", bytes(100))
    book.put_file(LEASE, 100.0, "0", bytes(50))
    book.put_file(LEASE, 100.0, "last", bytes(150))
    with pytest.raises(TooLarge):
        book.put_file(LEASE, 100.0, "more", b"x")
    assert len(measured) == 1
    book.create(LEASE, 100.0, REQUEST)
    (book.workspace(LEASE) / "last").unlink()  # as a job does
    now = 3.0
    book.put_file(LEASE, 100.0, "more", bytes(150))
    assert len(measured) == 2


@pytest.mark.parametrize("written", ["", "{", "[]", '{"status": "exited"}', '"x"'])
def test_job__whose_records_a_full_disk_cut_off__is_lost_and_no_fault(tmp_path: Path, written: str) -> None:
    runtime = SupervisedRuntime()
    control = tmp_path / "jobs/j"
    assert runtime.inspect(control) == Outcome("lost", None, "the supervisor is gone")
    control.mkdir(parents=True)
    for name in ("status.json", "pid.json", "spec.json"):
        (control / name).write_text(written)
    assert runtime.inspect(control) == Outcome("lost", None, "the supervisor is gone")
    assert runtime.kill(control, "over").status == "lost"

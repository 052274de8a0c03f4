"""The jobs of leases: started, followed, ended with their lease, and found again after a restart."""

from __future__ import annotations

import os
import secrets
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import structlog
from sqlalchemy import Engine, RowMapping, insert, select, update

from assay.provider.database import jobs
from assay.provider.errors import Conflict, NotFound, ProviderError, TooLarge, Unavailable
from assay.provider.runtime.workload import FINAL, Limits, Outcome, Runtime, Workload
from assay.provider.workloads import pieces
from assay.provider.workloads import workspace as files
from assay.provider.workloads.disk_use import DiskUse
from assay.provider.workloads.disk_volumes import Disks, WatchedFolders
from assay.wire.files import Entry

MAX_RUNNING_PER_DEVICE = 4
MAX_WORKLOADS_PER_DEVICE = 8  # jobs and shells together
MAX_JOBS_PER_LEASE = 1000

log = structlog.get_logger()


@dataclass(frozen=True)
class JobRequest:
    """What a renter asks to be run. `files` maps relative paths to contents."""

    command: tuple[str, ...]
    files: Mapping[str, bytes]
    limits: Limits
    environment: tuple[tuple[str, str], ...] = ()
    image: str | None = None


@dataclass(frozen=True)
class Share:
    """What of the machine a lease has: how many devices, and the CDI names of its GPUs."""

    devices: int = 1
    gpus: tuple[str, ...] = ()


@dataclass(frozen=True)
class JobRecord:
    """A job as stored, with how it stands."""

    job_id: str
    lease_id: int
    created_at: float
    ended_at: float | None
    outcome: Outcome


@dataclass(frozen=True)
class Removed:
    """What was removed of a lease: files and their bytes; `entries_left` is 0 unless something would not go."""

    files: int
    bytes: int
    entries_left: int


class OpenShells:
    """How many shells each lease has open."""

    def __init__(self) -> None:
        self._open: Counter[int] = Counter()
        self._lock = threading.Lock()

    def count(self, lease_id: int) -> int:
        """Those of a lease."""
        return self._open[lease_id]

    @contextmanager
    def one(self, lease_id: int, most: int) -> Iterator[None]:
        """Counts a shell for as long as it is open. Raises Conflict for one too many."""
        with self._lock:
            if self._open[lease_id] >= most:
                raise Conflict(f"at most {most} shells and jobs of this lease run at once")
            self._open[lease_id] += 1
        try:
            yield
        finally:
            with self._lock:
                self._open[lease_id] -= 1
                if not self._open[lease_id]:
                    del self._open[lease_id]


class JobBook:
    """Every job of this provider. Calls block (files, processes): make them from a worker thread. `most` is what a job
    of a lease of one device may have; `share` says what a lease has. What makes, fills or removes a lease's folder
    happens in turn, lease by lease.
    """

    def __init__(
        self,
        engine: Engine,
        runtime: Runtime,
        folder: Path,
        most: Limits,
        clock: Callable[[], float],
        disks: Disks | None = None,
        share: Callable[[int], Share] = lambda lease_id: Share(),
        shells: OpenShells | None = None,
    ) -> None:
        self._engine = engine
        self._runtime = runtime
        self._folder = folder
        self._most = most
        self._share = share
        self._clock = clock
        self._disks: Disks = disks or WatchedFolders()
        self._shells = shells or OpenShells()
        self._use = DiskUse(lambda lease_id: files.total_bytes(self.workspace(lease_id)), clock)
        self._locks: dict[int, threading.RLock] = {}
        self._locking = threading.Lock()
        # A job between its row and its process is neither running nor lost: nobody looks while one is launched.
        self._launching = threading.RLock()

    def restore(self) -> None:
        """Brings back the workspaces of all leases, once at the start, and ends what nobody keeps any more. What fails
        is one lease's, or tried again at the next block.
        """
        self._disks.restore(self._folder / "leases")
        try:
            self.sweep(lambda lease_id: True)
        except ProviderError as error:
            log.warning("could not check for what an earlier run left", error=str(error))

    def sweep(self, may_run: Callable[[int], bool]) -> None:
        """Ends whatever runs of leases that may not, and what has nobody who keeps it."""
        if ended := self._runtime.sweep(self._folder / "leases", may_run):
            log.warning("ended what had outlived its lease or its keeper", workloads=ended)

    @property
    def disk(self) -> str:
        """How the size of workspaces is held: volume or watched."""
        return self._disks.name

    def most(self, lease_id: int) -> Limits:
        """What a job of this lease may have at most."""
        return self._most.times(self._share(lease_id).devices)

    def lease_folder(self, lease_id: int) -> Path:
        return self._folder / "leases" / str(lease_id)

    def workspace(self, lease_id: int) -> Path:
        """The only folder that jobs of this lease may write."""
        return self.lease_folder(lease_id) / "workspace"

    def control(self, lease_id: int, job_id: str) -> Path:
        return self.lease_folder(lease_id) / "jobs" / job_id

    def create(self, lease_id: int, deadline: float, request: JobRequest) -> str:
        """Writes the files and starts the job; the row is stored first, so that a
        crash leaves nothing unknown.
        """
        with self._alone(lease_id):
            return self._create(lease_id, deadline, request)

    def _create(self, lease_id: int, deadline: float, request: JobRequest) -> str:
        known, share = self._rows(lease_id), self._share(lease_id)
        if len(known) >= MAX_JOBS_PER_LEASE:
            raise TooLarge(f"a lease may run at most {MAX_JOBS_PER_LEASE} jobs")
        most, running = MAX_RUNNING_PER_DEVICE * share.devices, self._running(known)
        if running >= most:
            raise Conflict(f"at most {most} jobs of this lease run at once")
        if running + self._shells.count(lease_id) >= self.most_workloads(lease_id):
            raise Conflict(f"at most {self.most_workloads(lease_id)} shells and jobs of this lease run at once")
        self._make_ready(lease_id, deadline)
        for path, content in request.files.items():
            self._write(lease_id, path, content, files.FILE_MODE)
        self._use.workload_writes(lease_id)
        job_id = secrets.token_hex(8)
        values = {
            "job_id": job_id,
            "lease_id": str(lease_id),
            "runtime": self._runtime.name,
            "handle": job_id,
            "status": "running",
            "created_at": self._clock(),
        }
        workload = Workload(
            job_id=job_id,
            lease_id=lease_id,
            command=request.command,
            workspace=self.workspace(lease_id),
            control=self.control(lease_id, job_id),
            deadline=deadline,
            limits=request.limits.within(self.most(lease_id)),
            environment=request.environment,
            image=request.image,
            gpus=share.gpus,
        )
        with self._launching:
            with self._engine.begin() as connection:
                connection.execute(insert(jobs).values(**values))
            try:
                self._runtime.launch(workload)
            except Exception as error:
                self._finish(job_id, Outcome("failed", 127, str(error)))
                raise
        return job_id

    def most_workloads(self, lease_id: int) -> int:
        """How many jobs and shells of this lease may run at once."""
        return MAX_WORKLOADS_PER_DEVICE * self._share(lease_id).devices

    def shell_workload(self, lease_id: int, deadline: float, command: tuple[str, ...]) -> Workload:
        """An interactive program of a lease, with the most that a job may have. Its workspace is made ready. The shell
        is counted already. Raises Conflict for one too many, or of a lease that is over.
        """
        most = self.most_workloads(lease_id)
        with self._alone(lease_id):
            if self._running(self._rows(lease_id)) + self._shells.count(lease_id) > most:
                raise Conflict(f"at most {most} shells and jobs of this lease run at once")
            self._make_ready(lease_id, deadline)
            self._use.workload_writes(lease_id)
        return Workload(
            job_id="shell",
            lease_id=lease_id,
            command=command,
            workspace=self.workspace(lease_id),
            control=self.control(lease_id, "shell"),
            deadline=deadline,
            limits=self.most(lease_id),
            gpus=self._share(lease_id).gpus,
        )

    def put_file(self, lease_id: int, deadline: float, path: str, content: bytes, mode: int = files.FILE_MODE) -> None:
        """Writes one file into the workspace. Raises TooLarge beyond the lease's share of the disk."""
        with self._alone(lease_id):
            self._make_ready(lease_id, deadline)
            self._write(lease_id, path, content, mode)

    def put_piece(
        self, lease_id: int, deadline: float, path: str, content: bytes, offset: int, total: int, mode: int
    ) -> bool:
        """Puts a piece of a large file behind what has come of it; whether it is whole. Raises TooLarge, Conflict."""
        with self._alone(lease_id):
            self._make_ready(lease_id, deadline)
            self._use.require(lease_id, len(content), self.most(lease_id).disk_bytes)
            root, owner = self.workspace(lease_id), self._runtime.owner_of(lease_id)
            whole = pieces.add_piece(root, path, content, offset, total, mode, owner)
            self._use.add(lease_id, len(content))
            return whole

    def put_bundle(self, lease_id: int, deadline: float, entries: Iterable[tuple[Entry, bytes]]) -> int:
        """Writes small files, links and folders; how many. Raises TooLarge, ProviderError: those before it stay."""
        count = 0
        with self._alone(lease_id):
            self._make_ready(lease_id, deadline)
            root, owner = self.workspace(lease_id), self._runtime.owner_of(lease_id)
            for entry, content in entries:
                if entry.kind == "folder":
                    files.make_folder(root, entry.path, entry.mode, owner)
                elif entry.kind == "link":
                    files.make_link(root, entry.path, entry.target, owner)
                else:
                    self._write(lease_id, entry.path, content, entry.mode)
                count += 1
        return count

    def put_folder(self, lease_id: int, deadline: float, path: str, mode: int = files.FOLDER_MODE) -> None:
        """Makes a folder in the workspace, or gives the one that is there its permissions."""
        with self._alone(lease_id):
            self._make_ready(lease_id, deadline)
            files.make_folder(self.workspace(lease_id), path, mode, self._runtime.owner_of(lease_id))

    def put_link(self, lease_id: int, deadline: float, path: str, target: str) -> None:
        """Makes a symbolic link in the workspace."""
        with self._alone(lease_id):
            self._make_ready(lease_id, deadline)
            files.make_link(self.workspace(lease_id), path, target, self._runtime.owner_of(lease_id))

    def get(self, lease_id: int, job_id: str) -> JobRecord:
        """The job as it stands now. Raises NotFound for another lease's job too."""
        for row in self._rows(lease_id):
            if row["job_id"] == job_id:
                return self._current(row)
        raise NotFound(f"lease {lease_id} has no job {job_id[:40]!r}")

    def of_lease(self, lease_id: int) -> list[JobRecord]:
        return [self._current(row) for row in self._rows(lease_id)]

    def stop(self, lease_id: int, job_id: str, reason: str) -> JobRecord:
        """Ends one job, if it still runs."""
        record = self.get(lease_id, job_id)
        if not record.outcome.final:
            self._finish(job_id, self._runtime.kill(self.control(lease_id, job_id), reason))
        return self.get(lease_id, job_id)

    def end_lease(self, lease_id: int, reason: str) -> int:
        """Ends every running job of a lease; how many there were. One that cannot be ended saves no other: raises
        Unavailable behind the last.
        """
        running = [row for row in self._rows(lease_id) if row["status"] not in FINAL]
        self._each(running, lambda row: self.stop(lease_id, row["job_id"], reason))
        return len(running)

    def extend(self, lease_id: int, deadline: float) -> None:
        """Moves the deadline of every running job of a lease."""

        def extend(row: RowMapping) -> None:
            if not self._current(row).outcome.final:
                self._runtime.extend(self.control(lease_id, row["job_id"]), deadline)

        self._each([row for row in self._rows(lease_id) if row["status"] not in FINAL], extend)

    def _each(self, rows: list[RowMapping], do: Callable[[RowMapping], object]) -> None:
        faults = []
        for row in rows:
            try:
                do(row)
            except Exception as error:  # whatever a job has made of its folders
                faults.append(f"job {row['job_id']}: {error}")
        if faults:
            raise Unavailable("; ".join(faults)[:500])

    def supervisors(self, lease_id: int) -> list[tuple[str, int]]:
        """(job, process) of what runs for a lease, newest first."""
        running = [one.job_id for one in reversed(self.of_lease(lease_id)) if not one.outcome.final]
        found = ((job_id, self._runtime.supervisor_of(self.control(lease_id, job_id))) for job_id in running)
        return [(job_id, pid) for job_id, pid in found if pid is not None]

    def leases_with_running_jobs(self) -> set[int]:
        """Leases of which something may still run: asked at every start and every block."""
        query = select(jobs.c.lease_id).where(jobs.c.status.notin_(FINAL)).distinct()
        with self._engine.connect() as connection:
            return {int(row[0]) for row in connection.execute(query)}

    def wipe(self, lease_id: int) -> Removed:
        """Removes all files of a lease, logs too."""
        self.end_lease(lease_id, "lease over")
        folder = self.lease_folder(lease_id)
        with self._alone(lease_id):
            self._runtime.clear(self.workspace(lease_id))
            number, size = files.count(folder)
            self._disks.remove(folder)
            self._use.forget(lease_id)
            return Removed(number, size, files.wipe(folder))

    def _alone(self, lease_id: int) -> threading.RLock:
        with self._locking:
            return self._locks.setdefault(lease_id, threading.RLock())

    def _make_ready(self, lease_id: int, deadline: float) -> None:
        """The workspace, there and its workloads' own. A lease that is over gets none."""
        if self._clock() >= deadline:
            raise Conflict(f"lease {lease_id} has ended")
        folder = self.workspace(lease_id)
        try:
            self._disks.prepare(self.lease_folder(lease_id), self._share(lease_id).devices)
            files.give(folder, self._runtime.owner_of(lease_id) or (os.geteuid(), os.getegid()))
        except OSError as error:
            raise Unavailable(f"the workspace of lease {lease_id} could not be made: {error.strerror}") from error

    def _write(self, lease_id: int, path: str, content: bytes, mode: int) -> None:
        self._use.require(lease_id, len(content), self.most(lease_id).disk_bytes)
        change = files.write_file(self.workspace(lease_id), path, content, mode, self._runtime.owner_of(lease_id))
        self._use.add(lease_id, change)

    def _running(self, rows: list[RowMapping]) -> int:
        return sum(1 for row in rows if not self._current(row).outcome.final)

    def _rows(self, lease_id: int) -> list[RowMapping]:
        query = select(jobs).where(jobs.c.lease_id == str(lease_id)).order_by(jobs.c.created_at)
        with self._engine.connect() as connection:
            return list(connection.execute(query).mappings())

    def _current(self, row: RowMapping) -> JobRecord:
        with self._launching:
            return self._look(row)

    def _look(self, row: RowMapping) -> JobRecord:
        outcome = Outcome(row["status"], row["exit_code"], row["reason"])
        lease_id = int(row["lease_id"])
        ended_at = row["ended_at"]
        if not outcome.final:
            outcome = self._runtime.inspect(self.control(lease_id, row["job_id"]))
            if outcome.final:
                ended_at = self._finish(row["job_id"], outcome)
        return JobRecord(row["job_id"], lease_id, row["created_at"], ended_at, outcome)

    def _finish(self, job_id: str, outcome: Outcome) -> float:
        now = self._clock()
        values = {
            "status": outcome.status,
            "exit_code": outcome.exit_code,
            "reason": outcome.reason and outcome.reason.encode("utf-8", "backslashreplace").decode(),
            "ended_at": now,
        }
        with self._engine.begin() as connection:
            connection.execute(update(jobs).where(jobs.c.job_id == job_id).values(**values))
        return now

"""The jobs of leases: started, followed, ended with their lease, and found again after a restart."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Engine, RowMapping, insert, select, update

from assay.provider.database import jobs
from assay.provider.errors import Conflict, NotFound, TooLarge
from assay.provider.runtime.workload import FINAL, Limits, Outcome, Runtime, Workload
from assay.provider.workloads import workspace
from assay.provider.workloads.disk_volumes import Disks, WatchedFolders

MAX_RUNNING_PER_DEVICE = 4
MAX_JOBS_PER_LEASE = 1000


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


class JobBook:
    """Every job of this provider. Calls block (files, processes): make them from a worker thread. `most` is what a job
    of a lease of one device may have; `share` says what a lease has.
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
    ) -> None:
        self._engine = engine
        self._runtime = runtime
        self._folder = folder
        self._most = most
        self._share = share
        self._clock = clock
        self._disks: Disks = disks or WatchedFolders()
        # A job between its row and its process is neither running nor lost: nobody looks while one is launched.
        self._launching = threading.RLock()

    def restore(self) -> None:
        """Brings back the workspaces of all leases, once at the start."""
        self._disks.restore(self._folder / "leases")

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
        """Writes the files and starts the job; the row is stored first, so that a crash leaves nothing
        unknown.
        """
        known, share = self._rows(lease_id), self._share(lease_id)
        if len(known) >= MAX_JOBS_PER_LEASE:
            raise TooLarge(f"a lease may run at most {MAX_JOBS_PER_LEASE} jobs")
        running = MAX_RUNNING_PER_DEVICE * share.devices
        if sum(1 for row in known if not self._current(row).outcome.final) >= running:
            raise Conflict(f"at most {running} jobs of this lease run at once")
        self._disks.prepare(self.lease_folder(lease_id), share.devices)
        self._require_room(lease_id, sum(len(content) for content in request.files.values()))
        for path, content in request.files.items():
            workspace.write_file(self.workspace(lease_id), path, content)
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

    def shell_workload(self, lease_id: int, deadline: float, command: tuple[str, ...]) -> Workload:
        """An interactive program of a lease, with the most that a job may have. Its workspace is made ready."""
        share = self._share(lease_id)
        self._disks.prepare(self.lease_folder(lease_id), share.devices)
        return Workload(
            job_id="shell",
            lease_id=lease_id,
            command=command,
            workspace=self.workspace(lease_id),
            control=self.control(lease_id, "shell"),
            deadline=deadline,
            limits=self.most(lease_id),
            gpus=share.gpus,
        )

    def put_file(self, lease_id: int, path: str, content: bytes) -> None:
        """Writes one file into the workspace. Raises TooLarge beyond the lease's share of the disk."""
        self._disks.prepare(self.lease_folder(lease_id), self._share(lease_id).devices)
        self._require_room(lease_id, len(content))
        workspace.write_file(self.workspace(lease_id), path, content)

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
        """Ends every running job of a lease; how many there were."""
        running = [record for record in self.of_lease(lease_id) if not record.outcome.final]
        for record in running:
            self.stop(lease_id, record.job_id, reason)
        return len(running)

    def extend(self, lease_id: int, deadline: float) -> None:
        """Moves the deadline of every running job of a lease."""
        for record in self.of_lease(lease_id):
            if not record.outcome.final:
                self._runtime.extend(self.control(lease_id, record.job_id), deadline)

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
        files, size = workspace.count(self.lease_folder(lease_id))
        self._disks.remove(self.lease_folder(lease_id))
        return Removed(files, size, workspace.wipe(self.lease_folder(lease_id)))

    def _require_room(self, lease_id: int, more: int) -> None:
        held, most = workspace.total_bytes(self.workspace(lease_id)) + more, self.most(lease_id).disk_bytes
        if held > most:
            raise TooLarge(f"files of {held} bytes are beyond the lease's {most}")

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
            "reason": outcome.reason,
            "ended_at": now,
        }
        with self._engine.begin() as connection:
            connection.execute(update(jobs).where(jobs.c.job_id == job_id).values(**values))
        return now

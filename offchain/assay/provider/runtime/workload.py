"""What is run, within which limits, and what a runtime must be able to do with it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Literal, Protocol

JobStatus = Literal["running", "exited", "killed", "failed", "lost"]
FINAL: frozenset[str] = frozenset({"exited", "killed", "failed", "lost"})


@dataclass(frozen=True)
class Limits:
    """Upper bounds of one job. Times in seconds, sizes in bytes."""

    wall_seconds: float = 3600.0
    cpu_seconds: int = 3600
    memory_bytes: int = 2 << 30
    disk_bytes: int = 1 << 30
    output_bytes: int = 16 << 20
    processes: int = 256
    processors: float = 1.0

    def within(self, most: Limits) -> Limits:
        """The smaller of both, field by field: a renter may ask for less, never for more."""
        mine, theirs = asdict(self), asdict(most)
        return Limits(**{name: min(mine[name], theirs[name]) for name in mine})

    def times(self, count: int) -> Limits:
        """What a lease of that many devices gets: as much of the machine as that many leases of one."""
        return replace(
            self,
            cpu_seconds=self.cpu_seconds * count,
            memory_bytes=self.memory_bytes * count,
            disk_bytes=self.disk_bytes * count,
            processes=self.processes * count,
            processors=self.processors * count,
        )


@dataclass(frozen=True)
class Workload:
    """One job: its command, where its files are and where the runtime keeps its own records.

    `workspace` is the lease's folder, the only one that the job may write; `control` is the runtime's, out of
    the job's sight. `deadline` is in seconds since 1970: when the lease's stream stops. `gpus` are the CDI names of
    the lease's own devices.
    """

    job_id: str
    lease_id: int
    command: tuple[str, ...]
    workspace: Path
    control: Path
    deadline: float
    limits: Limits = field(default_factory=Limits)
    environment: tuple[tuple[str, str], ...] = ()
    image: str | None = None
    gpus: tuple[str, ...] = ()


@dataclass(frozen=True)
class Outcome:
    """How a job stands. `exit_code` is None while it runs or where it was never started."""

    status: JobStatus
    exit_code: int | None = None
    reason: str | None = None

    @property
    def final(self) -> bool:
        return self.status in FINAL


@dataclass(frozen=True)
class Room:
    """A running workload with a network of its own: `pid` is a process in it, as this machine counts them."""

    job_id: str
    pid: int


class Runtime(Protocol):
    """Starts and stops workloads. Calls block and may be made from any thread."""

    name: str

    def owner_of(self, lease_id: int) -> tuple[int, int] | None:
        """The user and group that a lease's workloads have on this machine, None where they have this process's."""

    def check(self) -> None:
        """Raises RuntimeUnavailable, with the reason and the remedy, where workloads cannot run."""

    def launch(self, workload: Workload) -> None:
        """Starts the job; it goes on if this process dies, but never past the deadline."""

    def inspect(self, control: Path) -> Outcome:
        """How the job with this control folder stands."""

    def extend(self, control: Path, deadline: float) -> None:
        """Moves the time at which the job is killed."""

    def kill(self, control: Path, reason: str) -> Outcome:
        """Ends the job and everything it started; returns once nothing of it runs."""

    def sweep(self, leases: Path, may_run: Callable[[int], bool]) -> int:
        """Ends what runs for leases below this folder and may not, or has nobody who keeps it; how much there was."""

    def clear(self, workspace: Path) -> None:
        """Ends whatever runs with this workspace."""

    def shell(self, workload: Workload) -> list[str] | None:
        """The command line of an interactive program in the job's place, None where there can be none. It is started in
        the workspace, so a program of ours must take nothing from there."""

    def supervisor_of(self, control: Path) -> int | None:
        """The process that holds the job, None once it is over."""

    def rooms(self, workspace: Path, roots: Sequence[tuple[str, int]]) -> list[Room]:
        """Running workloads with this workspace, newest first. `roots` are (job, process) of their supervisors and
        shells, newest first."""


def output_path(control: Path) -> Path:
    """The combined standard output and error of a job."""
    return control / "output.log"

"""What a pod is made of, how it stands, and what an engine must be able to do with it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal, Protocol

PodState = Literal["absent", "preparing", "running", "stopped", "failed"]

# Where the provider's own read-only helpers and sockets are found in every pod.
TOOLS_INSIDE = "/run/assay"
WORKSPACE_INSIDE = "/workspace"


@dataclass(frozen=True)
class HostShare:
    """What of its host a pod has. Memory and disk in bytes, bandwidth in bits a second each way (0: not limited)."""

    cores: int = 1
    memory_bytes: int = 2 << 30
    disk_bytes: int = 10 << 30
    processes: int = 4096
    open_files: int = 1 << 16
    bandwidth_bps: int = 0

    @property
    def shm_bytes(self) -> int:
        """The size of /dev/shm: half of the memory, which it counts against."""
        return self.memory_bytes // 2

    def times(self, count: int) -> HostShare:
        """What a node of `count` devices has: the parts of them all."""
        return replace(
            self,
            cores=self.cores * count,
            memory_bytes=self.memory_bytes * count,
            disk_bytes=self.disk_bytes * count,
            processes=self.processes * count,
            bandwidth_bps=self.bandwidth_bps * count,
        )


@dataclass(frozen=True)
class PodImage:
    """What a pod starts from: `reference` as the renter named it, `image_id` the engine's id of what was pulled.
    An empty `start` leaves the pod idle until something is run in it; its output goes to the pod's log. `ports` are
    what a template says it serves; `volumes` are folders that the image wants apart and that belong within the pod's
    disk."""

    reference: str
    image_id: str
    start: tuple[str, ...] = ()
    ports: tuple[int, ...] = ()
    environment: tuple[tuple[str, str], ...] = ()
    volumes: tuple[str, ...] = ()


@dataclass(frozen=True)
class PodSpec:
    """A pod as it is asked for. `renter` groups the pods that may reach each other; `cards` are the CDI names of the
    lease's devices and of no others; `deadline`, in seconds since 1970, is when the lease's stream stops; `cpuset`
    names the cores that are this pod's, empty where the engine holds a share of time instead."""

    lease_id: int
    renter: str
    image: PodImage
    share: HostShare
    deadline: float
    cards: tuple[str, ...] = ()
    cpuset: tuple[int, ...] = ()
    environment: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class PodStatus:
    """How a pod stands; `pid` is its first process as the host counts them, None unless it runs. `reason` says why it
    failed or stopped."""

    state: PodState
    pid: int | None = None
    image: str | None = None
    started_at: float | None = None
    reason: str | None = None
    restarts: int = 0


@dataclass(frozen=True)
class PodUse:
    """What a pod uses at one instant. Seconds of processor time and bytes on its network count from its start."""

    at: float
    cpu_seconds: float
    memory_bytes: int
    disk_bytes: int
    processes: int
    received_bytes: int
    sent_bytes: int


@dataclass(frozen=True)
class Program:
    """Something to run in a pod: by default as root, in the workspace. `tty` None gives it a
    terminal where its input is one. What has a `group`, a name of its own, ends with everything that it has started."""

    argv: tuple[str, ...]
    tty: bool | None = False
    user: str = "0:0"
    folder: str = WORKSPACE_INSIDE
    environment: Mapping[str, str] = field(default_factory=dict)
    group: str = ""


class Pods(Protocol):
    """Makes, keeps and removes pods. Calls block and may be made from any thread; of one lease they happen in turn.

    Nothing here dies with the caller: a pod runs on until its deadline, whatever happens to the daemon, and
    never past it.
    """

    def check(self) -> None:
        """Raises RuntimeUnavailable, with the reason and the remedy, where pods cannot be had."""

    def ensure(self, spec: PodSpec) -> PodStatus:
        """Makes the pod unless it is there, and starts it unless it runs. One that is there keeps its files; one of
        another image is made anew, with the workspace kept. Raises ProviderError."""

    def status(self, lease_id: int) -> PodStatus:
        """How the lease's pod stands."""

    def exec_argv(self, lease_id: int, program: Program) -> list[str]:
        """A command line for this host that runs a program in the pod, with its streams and its exit code; killing it
        ends the program. Raises NotFound where no pod runs."""

    def log_path(self, lease_id: int) -> Path:
        """Where the output of the pod's start command goes."""

    def tools_folder(self, lease_id: int) -> Path:
        """The host's side of TOOLS_INSIDE: the daemon writes it, the pod reads it."""

    def workspace(self, lease_id: int) -> Path:
        """The host's side of WORKSPACE_INSIDE. Never to be followed by path as root: the renter writes it."""

    def extend(self, lease_id: int, deadline: float) -> None:
        """Moves the time at which the pod is stopped."""

    def use(self, lease_id: int) -> PodUse | None:
        """What the pod uses now, None where none runs."""

    def stop(self, lease_id: int, reason: str) -> None:
        """Ends everything in the pod; its files stay. Returns once nothing of it runs."""

    def remove(self, lease_id: int) -> None:
        """Stops the pod and removes it with all its files. Does nothing where there is none."""

    def restore(self) -> None:
        """After a start of the daemon, the engine or the host: starts again what may still run."""

    def sweep(self, may_run: Callable[[int], bool]) -> Sequence[int]:
        """Stops the pods of leases that may not run; their numbers."""

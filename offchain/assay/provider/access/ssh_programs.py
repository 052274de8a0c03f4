"""What a session channel runs, and where: in the lease's pod, or behind walls that a runtime makes for one shell."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

from assay.provider.access.pod_tools import PodTools
from assay.provider.errors import ProviderError
from assay.provider.pods.pod import Pods, Program
from assay.provider.runtime.workload import Runtime, Workload
from assay.provider.workloads.jobs import OpenShells

SHELL = "/bin/sh"
SFTP_SERVER = Path("/usr/lib/openssh/sftp-server")
MAX_IN_A_POD = 64  # programs that one lease runs by SSH at once
SEARCH_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

# In the pod, with the image's own environment: root's shell and home as /etc/passwd there has them. No login shell, for
# /etc/profile would replace the image's PATH. $1 is the command, $2 the folder of our own programs.
ENTER = (
    'shell=; while IFS=: read -r name _ id _ _ home one; do [ "$id" = 0 ] && { shell=$one; break; }; done '
    '2>/dev/null < /etc/passwd; [ -x "$shell" ] || shell=/bin/sh; '
    f'export SHELL="$shell" HOME="${{home:-/root}}" USER="${{name:-root}}" LOGNAME="${{name:-root}}" '
    f'PATH="${{PATH:-{SEARCH_PATH}}}:$2" LANG="${{LANG:-C.UTF-8}}"; cmd=$1; set --; unset name id one home; '
    '[ -n "$cmd" ] && exec "$shell" -c "$cmd"; exec "$shell" -i'
)


@dataclass(frozen=True)
class ProgramRequest:
    """What a client asks for. `terminal` is the terminal's name, None without one."""

    kind: Literal["shell", "command", "sftp"]
    command: str = ""
    terminal: str | None = None
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Launch:
    """A command line of this host. `walled`: with it ends everything that it started."""

    argv: list[str]
    folder: Path
    environment: Mapping[str, str]
    limits: Mapping[str, Any] | None = None
    walled: bool = True


class Programs(Protocol):
    """Where the programs of leases run. `launch` blocks and may be called from any thread."""

    def launch(self, lease_id: int, wanted: ProgramRequest) -> Launch:
        """How to start it. Raises ProviderError where it may not be, or cannot."""

    def counted(self, lease_id: int) -> contextlib.AbstractContextManager[None]:
        """Counts a program for as long as it runs. Raises Conflict for one too many."""

    def over(self, lease_id: int) -> bool:
        """Whether the lease has no right to a program, nor to any other channel."""

    def opened(self, lease_id: int, pid: int) -> None:
        """Such a process of this host stands for a program of the lease."""

    def closed(self, lease_id: int, pid: int) -> None:
        """It does no longer."""


class _Counting:
    """What both kinds share: time, number, and the processes of this host that stand for programs."""

    def __init__(
        self,
        deadline: Callable[[int], float],
        clock: Callable[[], float],
        shells: OpenShells,
        most: Callable[[int], int],
    ) -> None:
        self._deadline, self._clock = deadline, clock
        self._shells, self._most = shells, most
        self._processes: dict[int, int] = {}

    def over(self, lease_id: int) -> bool:
        return self._clock() >= self._deadline(lease_id)

    @contextmanager
    def counted(self, lease_id: int) -> Iterator[None]:
        with self._shells.one(lease_id, self._most(lease_id)):
            yield

    def opened(self, lease_id: int, pid: int) -> None:
        self._processes[pid] = lease_id

    def closed(self, lease_id: int, pid: int) -> None:
        self._processes.pop(pid, None)

    def processes(self, lease_id: int) -> list[int]:
        """Processes of this host that stand for programs of a lease, newest first."""
        return [pid for pid, of in reversed(self._processes.items()) if of == lease_id]


class Shells(_Counting):
    """Each program behind walls of its own, dead with its channel. `workload` describes a lease's shell, and raises
    ProviderError for one that may not be; `most` is how many a lease may have open."""

    def __init__(
        self,
        runtime: Runtime,
        workload: Callable[[int, tuple[str, ...]], Workload],
        deadline: Callable[[int], float],
        clock: Callable[[], float],
        shells: OpenShells,
        most: Callable[[int], int],
    ) -> None:
        super().__init__(deadline, clock, shells, most)
        self._runtime = runtime
        self._workload = workload

    def launch(self, lease_id: int, wanted: ProgramRequest) -> Launch:
        """The runtime's shell, with the limits of a job."""
        if wanted.kind == "sftp":
            if not SFTP_SERVER.exists():
                raise ProviderError(f"no SFTP here: this host has no {SFTP_SERVER} (package openssh-sftp-server)")
            command: tuple[str, ...] = (str(SFTP_SERVER),)
        else:
            command = (SHELL, "-c", wanted.command) if wanted.command else (SHELL, "-i")
        workload = self._workload(lease_id, command)
        argv = self._runtime.shell(workload)
        if argv is None:
            raise ProviderError(f"the runtime {self._runtime.name!r} offers no shell")
        environment = {"TERM": wanted.terminal or "dumb", "PATH": "/usr/local/bin:/usr/bin:/bin"}
        return Launch(argv, workload.workspace, environment, asdict(workload.limits))


class PodPrograms(_Counting):
    """Everything in the lease's one pod, as root there. `ready` makes sure that the pod runs, and raises ProviderError
    where it cannot."""

    def __init__(
        self,
        pods: Pods,
        ready: Callable[[int], object],
        tools: PodTools,
        deadline: Callable[[int], float],
        clock: Callable[[], float],
        shells: OpenShells,
        most: Callable[[int], int] = lambda _: MAX_IN_A_POD,
    ) -> None:
        super().__init__(deadline, clock, shells, most)
        self._pods = pods
        self._ready = ready
        self._tools = tools

    def launch(self, lease_id: int, wanted: ProgramRequest) -> Launch:
        """The engine's command line; what ends with the channel is this program only."""
        self._ready(lease_id)
        self._tools.fill(self._pods.tools_folder(lease_id))
        environment = {"ASSAY_LEASE": str(lease_id), **wanted.environment}
        if wanted.terminal is not None:
            environment["TERM"] = wanted.terminal
        if wanted.kind == "sftp":
            argv = self._tools.argv("sftp-server")
        else:
            argv = (SHELL, "-c", ENTER, "sh", wanted.command, self._tools.search_folder)
        program = Program(argv, tty=wanted.terminal is not None, environment=environment)
        outside = {"PATH": os.environ.get("PATH", SEARCH_PATH), "TERM": wanted.terminal or "dumb"}
        for name in ("CONTAINERS_CONF", "PYTHONPATH"):  # what our own programs are found and set by
            if name in os.environ:
                outside[name] = os.environ[name]
        return Launch(self._pods.exec_argv(lease_id, program), Path("/"), outside, walled=False)

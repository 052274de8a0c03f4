"""The runtime `container`: a lease's jobs run in its pod, and with an image of their own beside it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from assay.provider.pods.lease_pods import LeasePods
from assay.provider.pods.pod import Program
from assay.provider.pods.processes.pod_process import end_group, group_folder, memory_events
from assay.provider.runtime.container import ContainerRuntime
from assay.provider.runtime.own_program import own_program
from assay.provider.runtime.supervised import SEARCH_PATH, SupervisedRuntime
from assay.provider.runtime.workload import Room, Workload

UNBOUND = 1 << 62


class PodRuntime(ContainerRuntime):
    """Jobs in pods. A job that names an image gets a container of its own on the lease's workspace, as root's user of
    the pod is seen from outside."""

    def __init__(self, containers: ContainerRuntime, lease_pods: LeasePods) -> None:
        super().__init__(containers.engine, containers.policy, containers.egress)
        self.owner = None
        self._lease_pods = lease_pods
        self._pods = lease_pods.pods

    def owner_of(self, lease_id: int) -> tuple[int, int] | None:
        """Who files of the lease belong to on this host: the pod's root."""
        return self._pods.owner(lease_id)

    def specification(self, workload: Workload) -> dict[str, Any]:
        """As the supervisor of the job's kind takes it."""
        if workload.image is not None:
            first, group = self._pods.owner(workload.lease_id)
            return {**super().specification(workload), "user": f"{first}:{group}"}
        whole = self._lease_pods.share(workload.lease_id)
        limits = asdict(workload.limits)
        # What is no less than the pod's own the kernel holds better, pages that programs share counted once.
        if limits["memory_bytes"] >= whole.memory_bytes:
            limits["memory_bytes"] = UNBOUND
        program = Program(
            workload.command,
            environment={**dict(workload.environment), "ASSAY_LEASE": str(workload.lease_id)},
            group=f"job-{workload.job_id}",
        )
        return {
            "command": self._pods.exec_argv(workload.lease_id, program),
            "cwd": str(workload.control),
            "environment": self.supervisor_environment(),
            "memory_events": self._memory_events(workload.lease_id),
            "limits": {
                **limits,
                "enforce_memory": False,
                # The pod's own limit is set as a program enters it: who has less may not be allowed to raise it.
                "enforce_open_files": False,
                "processors": float(1 << 16),
            },
        }

    def _memory_events(self, lease_id: int) -> str | None:
        pid = self._pods.status(lease_id).pid
        try:
            return None if pid is None else str(memory_events(pid))
        except OSError:
            return None

    def launch(self, workload: Workload) -> None:
        """Starts the job, and the lease's pod before it where it does not run."""
        if workload.image is None:
            self._lease_pods.ready(workload.lease_id, workload.deadline)
        SupervisedRuntime.launch(self, workload)

    def shell(self, workload: Workload) -> list[str] | None:
        """A program in the pod, in a terminal where its input is one."""
        self._lease_pods.ready(workload.lease_id, workload.deadline)
        return self._pods.exec_argv(workload.lease_id, Program(workload.command, tty=None))

    def supervisor_command(self, control: Path) -> list[str]:
        """Command line of the supervisor of the job's kind."""
        kind = "container_supervisor" if '"engine"' in (control / "spec.json").read_text() else "supervisor"
        return own_program(f"assay.provider.runtime.{kind}", str(control))

    def supervisor_environment(self) -> dict[str, str]:
        """Nothing of ours but the way to programs."""
        return {"PATH": f"/usr/local/sbin:/usr/sbin:/sbin:{SEARCH_PATH}"}

    def rooms(self, workspace: Path, roots: Sequence[tuple[str, int]]) -> list[Room]:
        """The pod, as the room of each job in it, and containers beside it."""
        lease_id = int(workspace.parent.name)
        beside = super().rooms(workspace, roots)
        pid = self._pods.status(lease_id).pid
        if pid is None:
            return beside
        apart = {room.job_id for room in beside}
        return [*(Room(job, pid) for job, _ in roots if job not in apart), Room("pod", pid), *beside]

    def clean_up(self, control: Path) -> None:
        """Ends what a supervisor that was killed has left behind, in the pod or beside it."""
        lease_id = int(control.parent.parent.name)
        pid = self._pods.status(lease_id).pid
        if pid is not None:
            with contextlib.suppress(OSError):
                end_group(group_folder(pid, f"job-{control.name}"))
        with contextlib.suppress(OSError):
            if '"engine"' not in (control / "spec.json").read_text():
                return
        super().clean_up(control)

    def clear(self, workspace: Path) -> None:
        """Ends the pod and every container with this workspace."""
        self._pods.stop(int(workspace.parent.name), "removed")
        super().clear(workspace)

    def sweep(self, leases: Path, may_run: Callable[[int], bool]) -> int:
        """Stops the pods of leases that may not run, and removes containers that may not be."""
        return len(self._pods.sweep(may_run)) + super().sweep(leases, may_run)


class PodDisks:
    """Workspaces on the volumes of pods. `share` says how large a lease's is."""

    name = "volume"

    def __init__(self, lease_pods: LeasePods) -> None:
        self._lease_pods = lease_pods

    def prepare(self, lease_folder: Path, devices: int = 1) -> None:
        """Makes sure that the lease's volume is there."""
        lease_id = int(lease_folder.name)
        self._lease_pods.pods.prepare(lease_id, self._lease_pods.share(lease_id).disk_bytes)

    def restore(self, leases: Path) -> None:
        """Starts again the pods that may run."""
        self._lease_pods.pods.restore()

    def remove(self, lease_folder: Path) -> None:
        """Removes the pod with its volume."""
        self._lease_pods.pods.remove(int(lease_folder.name))

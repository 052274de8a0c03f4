"""The runtime `container`: jobs in containers of Docker's API, whether Docker or Podman answers it."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import docker
import docker.errors

from assay.provider.errors import RuntimeUnavailable
from assay.provider.images.policy import ImagePolicy
from assay.provider.runtime.container_options import KEEPER_LABEL
from assay.provider.runtime.egress_rules import EgressRules
from assay.provider.runtime.engine_client import connect
from assay.provider.runtime.own_program import own_program
from assay.provider.runtime.process_start import start_ticks
from assay.provider.runtime.supervised import SEARCH_PATH, SupervisedRuntime
from assay.provider.runtime.workload import Room, Workload
from assay.provider.workloads import workspace as files

NOBODY = 65534
REMOVE_S = 30.0
LABEL = "assay.job"
WORKSPACE_LABEL = "assay.workspace"  # tells leases apart, and other agents of one engine
SOCKETS = ("/var/run/docker.sock", "/run/podman/podman.sock")


def find_engine() -> str:
    """Address of the engine: DOCKER_HOST, or a socket where engines usually have theirs."""
    if named := os.environ.get("DOCKER_HOST"):
        return named
    runtime_dir = os.environ.get("XDG_RUNTIME_DIR")
    rootless = (f"{runtime_dir}/docker.sock", f"{runtime_dir}/podman/podman.sock") if runtime_dir else ()
    for path in (*rootless, *SOCKETS):
        if Path(path).is_socket():
            return f"unix://{path}"
    raise RuntimeUnavailable(
        "the runtime 'container' finds no engine: start Docker or `podman system service`, name its socket in "
        "DOCKER_HOST, or choose 'bubblewrap'"
    )


class ContainerRuntime(SupervisedRuntime):
    """Containers without privileges, and without a network but what `egress` lets through."""

    name = "container"

    def __init__(
        self,
        engine: str,
        policy: ImagePolicy,
        egress: EgressRules = EgressRules(),
    ) -> None:
        self.engine = engine
        self.policy = policy
        self.egress = egress
        # A daemon without root has an engine without root, in which the container's root is the daemon's user.
        self.owner = (NOBODY, NOBODY) if os.geteuid() == 0 else None

    def check(self) -> None:
        """Raises RuntimeUnavailable where the engine does not answer."""
        try:
            client = connect(self.engine, 10)
            client.ping()
            client.close()
        except (docker.errors.DockerException, OSError) as error:
            raise RuntimeUnavailable(
                f"the container engine at {self.engine} does not answer: {str(error)[:200]}"
            ) from error

    def specification(self, workload: Workload) -> dict[str, Any]:
        """As the container supervisor takes it."""
        return {
            **super().specification(workload),
            "engine": self.engine,
            "image": self.policy.at_engine(workload.image),
            "gpus": list(workload.gpus),
            "egress": self.egress.names(),
            "user": self._user(),
            "name": f"assay-{workload.lease_id}-{workload.job_id}",
            "labels": {LABEL: workload.job_id, WORKSPACE_LABEL: str(workload.workspace)},
        }

    def launch(self, workload: Workload) -> None:
        """Starts the job; the image is fetched first, if need be, while the job counts as running."""
        self._prepare(workload.workspace)
        super().launch(workload)

    def _prepare(self, workspace: Path) -> None:
        """Makes sure that the job's user can write its workspace. What is in it was made its own."""
        try:
            workspace.mkdir(parents=True, exist_ok=True)
            if self.owner is not None:
                files.give(workspace, self.owner)
        except OSError as error:
            raise RuntimeUnavailable(f"the workspace could not be prepared: {error.strerror}") from error

    def environment(self, workload: Workload) -> dict[str, str]:
        """What the image does not set itself."""
        given = dict(workload.environment)
        return {"HOME": "/workspace", "LANG": "C.UTF-8", **given, "ASSAY_LEASE": str(workload.lease_id)}

    def supervisor_command(self, control: Path) -> list[str]:
        """Command line of the container supervisor."""
        return own_program("assay.provider.runtime.container_supervisor", str(control))

    def supervisor_environment(self) -> dict[str, str]:
        """Nothing of ours but the way to programs."""
        return {"PATH": SEARCH_PATH}

    def shell(self, workload: Workload) -> list[str] | None:
        """There is none beside a lease's pod."""
        return None

    def rooms(self, workspace: Path, roots: Sequence[tuple[str, int]]) -> list[Room]:
        """Running containers with this workspace, newest first, as the engine lists them."""
        client = connect(self.engine, 10)
        rooms = []
        try:
            for entry in client.api.containers(filters={"label": f"{WORKSPACE_LABEL}={workspace}"}):
                # One that ends just now is not there any more when it is asked about.
                with contextlib.suppress(docker.errors.APIError):
                    if pid := client.api.inspect_container(entry["Id"])["State"]["Pid"]:
                        rooms.append(Room(entry["Labels"][LABEL], pid))
        except docker.errors.DockerException as error:
            raise RuntimeUnavailable(f"the container engine does not answer: {str(error)[:200]}") from error
        finally:
            client.close()
        return rooms

    def clean_up(self, control: Path) -> None:
        """Removes the container that a supervisor that was killed has left behind, unless its guard already does."""
        workspace = control.parent.parent / "workspace"
        self._remove([f"{LABEL}={control.name}", f"{WORKSPACE_LABEL}={workspace}"])

    def clear(self, workspace: Path) -> None:
        """Removes every container with this workspace, jobs' and shells' alike. Raises RuntimeUnavailable."""
        self._remove([f"{WORKSPACE_LABEL}={workspace}"])

    def sweep(self, leases: Path, may_run: Callable[[int], bool]) -> int:
        """Removes every container with a workspace below this folder whose lease may not run, or whose keeper is gone;
        how many there were. Raises RuntimeUnavailable."""
        client = connect(self.engine, 30)
        try:
            doomed = [
                entry["Id"]
                for entry in client.api.containers(all=True, filters={"label": WORKSPACE_LABEL})
                if is_stray(entry.get("Labels") or {}, leases, may_run)
            ]
            for one in doomed:
                with contextlib.suppress(docker.errors.NotFound):
                    client.api.remove_container(one, force=True, v=True)
        except (docker.errors.DockerException, OSError) as error:
            raise RuntimeUnavailable(f"stray containers could not be removed: {str(error)[:200]}") from error
        finally:
            client.close()
        return len(doomed)

    def _remove(self, labels: list[str]) -> None:
        client = connect(self.engine, 30)
        until = time.monotonic() + REMOVE_S
        try:
            while True:
                try:
                    found = client.api.containers(all=True, filters={"label": labels})
                    for entry in found:
                        with contextlib.suppress(docker.errors.NotFound):
                            client.api.remove_container(entry["Id"], force=True, v=True)
                    if not found:
                        return
                except (docker.errors.DockerException, OSError) as error:
                    if time.monotonic() > until:
                        raise RuntimeUnavailable(f"containers could not be removed: {str(error)[:200]}") from error
                    time.sleep(0.1)
        finally:
            client.close()

    def _user(self) -> str:
        return "0:0" if self.owner is None else f"{self.owner[0]}:{self.owner[1]}"


def is_stray(labels: dict[str, str], leases: Path, may_run: Callable[[int], bool]) -> bool:
    """Whether a container belongs to a lease below `leases` and has no right to be there: its lease may not run, or the
    process that keeps it is gone."""
    workspace = Path(labels.get(WORKSPACE_LABEL, "/"))
    lease = workspace.parent.name
    if workspace.parent.parent != leases or not lease.isascii() or not lease.isdigit():
        return False
    pid, _, ticks = labels.get(KEEPER_LABEL, "").partition(":")
    if not pid.isdigit() or not ticks.isdigit() or start_ticks(int(pid)) != int(ticks):
        return True
    return not may_run(int(lease))

"""How a workload's container is made: the same walls for jobs and shells."""

from __future__ import annotations

import os
import posixpath
from collections.abc import Iterable
from typing import Any

import docker
import docker.errors
import docker.types

from assay.provider.runtime.container_guard import watch_over
from assay.provider.runtime.egress_proxy import PORT, proxy_environment, serve_in_background
from assay.provider.runtime.egress_rules import EgressRules
from assay.provider.runtime.engine_client import is_podman
from assay.provider.runtime.namespace_sockets import NamespaceSockets
from assay.provider.runtime.podman_devices import create_on_podman
from assay.provider.runtime.process_start import start_ticks

INSIDE = "/workspace"
TMP = "/tmp"  # noqa: S108 - the container's own
MAX_TMP = 64 << 20
MAX_VOLUMES = 16
MAX_NPROC = 1 << 15  # of all containers together; engines without the right to raise their own limit refuse more
KEEPER_LABEL = "assay.keeper"  # PID:TICKS of the process without which a container has no right to be


def container_options(specification: dict[str, Any]) -> dict[str, Any]:
    """Arguments of the Docker client's `containers.create`: no privileges, no network, a read-only root."""
    limits = specification["limits"]
    program, *arguments = specification["command"]
    room = f"size={min(limits['disk_bytes'], MAX_TMP)},nosuid,nodev,mode=1777"
    return {
        "image": specification["image"],
        # An image's own entry point would be run instead, with the command for its arguments. None does not take it
        # away: engines read that as "the image's".
        "entrypoint": [program],
        "command": arguments,
        "name": specification["name"],
        "labels": {**specification["labels"], KEEPER_LABEL: f"{os.getpid()}:{start_ticks(os.getpid())}"},
        "environment": {
            **({} if EgressRules.parse(specification["egress"]).closed else proxy_environment()),
            **specification["environment"],
        },
        "working_dir": INSIDE,
        "user": specification["user"],
        # Not as SOURCE:TARGET:OPTIONS: a folder's name may have a colon.
        "mounts": [docker.types.Mount(INSIDE, specification["cwd"], type="bind")],
        "read_only": True,
        "tmpfs": {path: room for path in (TMP, *specification.get("image_volumes", ()))},
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges"],
        "network_mode": "none",
        "mem_limit": limits["memory_bytes"],
        "memswap_limit": limits["memory_bytes"],
        "nano_cpus": int(limits["processors"] * 1e9),
        "pids_limit": limits["processes"],
        "ulimits": [
            docker.types.Ulimit(name="nofile", soft=1024, hard=1024),
            *_processes_of_the_user(),
            docker.types.Ulimit(name="core", soft=0, hard=0),
            docker.types.Ulimit(name="fsize", soft=limits["disk_bytes"], hard=limits["disk_bytes"]),
        ],
        "device_requests": device_requests(specification["gpus"]),
        "detach": True,
    }


def _processes_of_the_user() -> list[docker.types.Ulimit]:
    """What takes the engine's own limit on processes away: the kernel counts all of a user's, those of other leases
    too, so that one lease could keep every other from starting any. How many a container has is the engine's to hold.
    """
    if os.geteuid() != 0:
        return []  # the user is the daemon's own, and has its limit
    return [docker.types.Ulimit(name="nproc", soft=MAX_NPROC, hard=MAX_NPROC)]


def image_volumes(declared: Iterable[str]) -> list[str]:
    """Where an image has volumes: each becomes a small file system in memory, within the job's limits. One that an
    engine makes would be on this machine's disk, beyond the lease's share. Raises VolumesRefused.
    """
    paths = {posixpath.normpath(path) for path in declared}
    if len(paths) > MAX_VOLUMES:
        raise VolumesRefused(f"the image declares {len(paths)} volumes; at most {MAX_VOLUMES} are taken")
    for path in paths:
        inside = path.startswith(f"{INSIDE}/")
        if not posixpath.isabs(path) or path.strip("/") == "" or inside:
            raise VolumesRefused(f"the image declares a volume at {path[:200]!r}, which is not taken")
    return sorted(paths - {INSIDE, TMP})


class VolumesRefused(docker.errors.DockerException):  # type: ignore[misc]
    """The image wants volumes that would not stay within the lease's share."""


def create(client: docker.DockerClient, specification: dict[str, Any], **streams: bool) -> Any:
    """A container, not started; `streams` are `tty` and `stdin_open`. Raises docker's errors."""
    declared = client.images.get(specification["image"]).attrs.get("Config") or {}
    options = container_options({**specification, "image_volumes": image_volumes(declared.get("Volumes") or ())})
    # Podman takes a request for devices over Docker's API and makes the container without them, and takes a folder's
    # name to pieces at its commas.
    if (specification["gpus"] or "," in specification["cwd"]) and is_podman(client):
        container = create_on_podman(client, options, specification["gpus"], **streams)
    else:
        container = client.containers.create(**options, **streams)
    container.reload()
    if any(mount.get("Type") == "volume" for mount in container.attrs.get("Mounts") or ()):
        container.remove(force=True, v=True)
        raise VolumesRefused("the engine gave the image a volume beyond the lease's share")
    return container


def device_requests(gpus: list[str]) -> list[docker.types.DeviceRequest] | None:
    """GPUs by their CDI names (nvidia.com/gpu=0), as Docker 25 and later take them."""
    return [docker.types.DeviceRequest(driver="cdi", device_ids=gpus)] if gpus else None


def start_guarded(client: docker.DockerClient, container: Any, specification: dict[str, Any], deadline: Any) -> None:
    """Starts a container with its guard, and with its way out where it has one."""
    watch_over(specification["engine"], container.id, deadline)
    rules = EgressRules.parse(specification["egress"])
    if rules.closed:
        container.start()
        return
    # Podman can make the namespaces before the program starts. Docker cannot: there the way out opens a moment after.
    initialised = _initialise(client, container)
    if not initialised:
        container.start()
    container.reload()
    sockets = NamespaceSockets(container.attrs["State"]["Pid"])
    try:
        serve_in_background(rules, sockets.listening(PORT))
    finally:
        sockets.close()
    if initialised:
        container.start()


def _initialise(client: docker.DockerClient, container: Any) -> bool:
    """Whether the engine has made the container's namespaces without starting its program."""
    address = f"{client.api.base_url}/v4.0.0/libpod/containers/{container.id}/init"
    return bool(client.api.post(address).ok)

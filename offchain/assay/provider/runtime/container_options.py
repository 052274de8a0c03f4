"""How a workload's container is made: the same walls for jobs and shells."""

from __future__ import annotations

from typing import Any

import docker
import docker.errors
import docker.types

from assay.provider.runtime.container_guard import watch_over
from assay.provider.runtime.egress_proxy import PORT, proxy_environment, serve_in_background
from assay.provider.runtime.egress_rules import EgressRules
from assay.provider.runtime.namespace_sockets import NamespaceSockets
from assay.provider.runtime.podman_devices import create_on_podman, is_podman

INSIDE = "/workspace"
MAX_TMP = 64 << 20


def container_options(specification: dict[str, Any]) -> dict[str, Any]:
    """Arguments of the Docker client's `containers.create`: no privileges, no network, a read-only root."""
    limits = specification["limits"]
    return {
        "image": specification["image"],
        "command": specification["command"],
        "entrypoint": [],
        "name": specification["name"],
        "labels": specification["labels"],
        "environment": {
            **({} if EgressRules.parse(specification["egress"]).closed else proxy_environment()),
            **specification["environment"],
        },
        "working_dir": INSIDE,
        "user": specification["user"],
        "volumes": {specification["cwd"]: {"bind": INSIDE, "mode": "rw"}},
        "read_only": True,
        "tmpfs": {"/tmp": f"size={min(limits['disk_bytes'], MAX_TMP)},nosuid,nodev,mode=1777"},  # noqa: S108
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges"],
        "network_mode": "none",
        "mem_limit": limits["memory_bytes"],
        "memswap_limit": limits["memory_bytes"],
        "nano_cpus": int(limits["processors"] * 1e9),
        "pids_limit": limits["processes"],
        "ulimits": [
            docker.types.Ulimit(name="nofile", soft=1024, hard=1024),
            docker.types.Ulimit(name="nproc", soft=limits["processes"], hard=limits["processes"]),
            docker.types.Ulimit(name="core", soft=0, hard=0),
            docker.types.Ulimit(name="fsize", soft=limits["disk_bytes"], hard=limits["disk_bytes"]),
        ],
        "device_requests": device_requests(specification["gpus"]),
        "detach": True,
    }


def create(client: docker.DockerClient, specification: dict[str, Any], **streams: bool) -> Any:
    """A container, not started; `streams` are `tty` and `stdin_open`. Raises docker's errors."""
    options = container_options(specification)
    # Podman takes a request for devices over Docker's API and makes the container without them.
    if specification["gpus"] and is_podman(client):
        return create_on_podman(client, options, specification["gpus"], **streams)
    return client.containers.create(**options, **streams)


def device_requests(gpus: list[str]) -> list[docker.types.DeviceRequest] | None:
    """GPUs by their CDI names (nvidia.com/gpu=0), as Docker 25 and later take them."""
    return [docker.types.DeviceRequest(driver="cdi", device_ids=gpus)] if gpus else None


def start_guarded(client: docker.DockerClient, container: Any, specification: dict[str, Any], deadline: Any) -> None:
    """Starts a container with its guard, and with its way out where it has one."""
    watch_over(specification["engine"], specification["name"], deadline)
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
        serve_in_background(rules, sockets.socket(listen_on=PORT))
    finally:
        sockets.close()
    if initialised:
        container.start()


def _initialise(client: docker.DockerClient, container: Any) -> bool:
    """Whether the engine has made the container's namespaces without starting its program."""
    address = f"{client.api.base_url}/v4.0.0/libpod/containers/{container.id}/init"
    return bool(client.api.post(address).ok)

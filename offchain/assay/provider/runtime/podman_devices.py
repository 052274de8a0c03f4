"""Containers with CDI devices on Podman, which ignores them in Docker's API: there its own API creates the container.

Everything else is as in Docker's API; the integration tests compare what both made.
"""

from __future__ import annotations

from typing import Any

import docker
import docker.errors

PERIOD_US = 100_000
NANO = 1_000_000_000


def create_on_podman(client: docker.DockerClient, options: dict[str, Any], gpus: list[str], **streams: bool) -> Any:
    """The container, created; `streams` are `tty` and `stdin_open`. Raises docker's errors, also for no such device."""
    body = specification(options, gpus, **streams)
    answer = client.api.post(f"{client.api.base_url}/v4.0.0/libpod/containers/create", json=body)
    if not answer.ok:
        raise docker.errors.APIError(f"podman refused the container: {answer.text[:300]}", response=answer)
    return client.containers.get(answer.json()["Id"])


def specification(
    options: dict[str, Any], gpus: list[str], tty: bool = False, stdin_open: bool = False
) -> dict[str, Any]:
    """Podman's SpecGenerator of what `container_options` gives. Names the walls one by one, so that an option that it
    does not know is a KeyError here and not a wall that is missing."""
    left = dict(options)
    made = {
        "image": left.pop("image"),
        "command": left.pop("command"),
        "entrypoint": left.pop("entrypoint"),
        "name": left.pop("name"),
        "labels": left.pop("labels"),
        "env": left.pop("environment"),
        "work_dir": left.pop("working_dir"),
        "user": left.pop("user"),
        "mounts": [*map(_bind, left.pop("mounts")), *map(_tmpfs, left.pop("tmpfs").items())],
        "read_only_filesystem": left.pop("read_only"),
        "cap_drop": left.pop("cap_drop"),
        "no_new_privileges": "no-new-privileges" in left.pop("security_opt"),
        "netns": {"nsmode": left.pop("network_mode")},
        "resource_limits": {
            "memory": {"limit": left.pop("mem_limit"), "swap": left.pop("memswap_limit")},
            "cpu": {"period": PERIOD_US, "quota": left.pop("nano_cpus") * PERIOD_US // NANO},
            "pids": {"limit": left.pop("pids_limit")},
        },
        "r_limits": [{"type": one["Name"], "soft": one["Soft"], "hard": one["Hard"]} for one in left.pop("ulimits")],
        "devices": [{"path": name} for name in gpus],
        "terminal": tty,
        "stdin": stdin_open,
    }
    left.pop("detach")
    left.pop("device_requests")
    if left:
        raise KeyError(f"podman is not told of {sorted(left)}")
    return made


def _bind(mount: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": mount["Type"],
        "source": mount["Source"],
        "destination": mount["Target"],
        "options": ["rw", "rbind"],
    }


def _tmpfs(tmpfs: tuple[str, str]) -> dict[str, Any]:
    destination, how = tmpfs
    return {"type": "tmpfs", "source": "tmpfs", "destination": destination, "options": how.split(",")}

"""Puts the pods of a daemon together from its settings."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import docker
import docker.errors
from sqlalchemy import Engine as Database

from assay.provider.errors import NotFound, RuntimeUnavailable
from assay.provider.pods.engine import PodmanPods
from assay.provider.pods.layout import agent_name, runtime_folder
from assay.provider.pods.lease_pods import LeasePart, LeasePods, PodBook
from assay.provider.pods.network import PodNetwork
from assay.provider.pods.network_rules import NetworkPolicy
from assay.provider.pods.pod import HostShare, PodImage
from assay.provider.pods.share import DevicePart, HostResources, KeptBack, device_share, image_room, read_host
from assay.provider.pods.slots import PodSlots
from assay.provider.runtime.engine_client import connect
from assay.provider.runtime.workload import Limits
from assay.provider.settings import ProviderSettings

ASK_S = 30.0


def make_pods(
    settings: ProviderSettings,
    engine: str,
    database: Database,
    devices: int,
    part: Callable[[int], LeasePart],
    fetched: Callable[[], PodImage | None] = lambda: None,
) -> LeasePods:
    """The pods of this daemon's leases; `fetched` gives the provider's own image once it is here. Raises
    RuntimeUnavailable where there can be none, BadProviderSetting for a share that the host does not have."""
    pods = check_pods(settings, engine)
    host, kept = host_and_kept(settings, pods)
    each = device_share(host, kept, devices, wanted_part(settings))

    def default() -> PodImage:
        return fetched() or pods.local_image(settings.container_image)

    return LeasePods(pods, PodBook(database), part, default, each, host, kept)


def check_pods(settings: ProviderSettings, engine: str) -> PodmanPods:
    """Pods on this engine. Raises RuntimeUnavailable, with the remedy, where there can be none."""
    pods = PodmanPods(
        settings.data_dir / "leases",
        runtime_folder(settings.data_dir),
        asker(engine),
        PodNetwork(agent_name(settings.data_dir), NetworkPolicy.parse(settings.egress_policy)),
        PodSlots(),
    )
    pods.check()
    return pods


def host_and_kept(settings: ProviderSettings, pods: PodmanPods) -> tuple[HostResources, KeptBack]:
    """What this host has, images and pods that are there not counted, and what of it is kept back: what the settings
    say, and room for images where they are on the same disk."""
    images = pods.image_bytes()
    host = read_host(settings.data_dir, pods.held_bytes() + (images or 0))
    room = 0 if images is None else image_room(host, settings.image_cache)
    return host, KeptBack(settings.host_keep_cores, settings.host_keep_memory, settings.host_keep_disk + room)


def wanted_part(settings: ProviderSettings) -> DevicePart:
    """What the settings say of each device's part."""
    return DevicePart(
        settings.pod_cores,
        settings.pod_memory,
        settings.pod_disk,
        settings.pod_processes,
        settings.pod_open_files,
        settings.pod_bandwidth,
    )


def asker(engine: str) -> Callable[[str], Any]:
    """Sends a GET to Podman's own API on the engine's socket, and gives the JSON of its answer."""

    def ask(path: str) -> Any:
        try:
            client = connect(engine, ASK_S)
            try:
                answer = client.api.get(f"{client.api.base_url}/v4.0.0{path}")
            finally:
                client.close()
        except (docker.errors.DockerException, OSError) as error:
            raise RuntimeUnavailable(f"the container engine at {engine} does not answer: {str(error)[:200]}") from error
        if answer.status_code == 404:
            raise NotFound(f"the engine knows nothing of {path[:200]}")
        return answer.json()

    return ask


def pod_limits(limits: Limits, each: HostShare) -> Limits:
    """What a job of one device may have at most: all of the pod, for as long as before."""
    return replace(
        limits,
        memory_bytes=each.memory_bytes,
        disk_bytes=each.disk_bytes,
        processes=each.processes,
        processors=float(each.cores),
    )

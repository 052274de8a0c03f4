"""Puts the pods of a daemon together from its settings."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import docker
import docker.errors
import structlog
from sqlalchemy import Engine as Database

from assay.chain.contracts.devices import DeviceStatus
from assay.protocol.types import DeviceId
from assay.provider.devices.device import OwnDevice
from assay.provider.errors import NotFound, RuntimeUnavailable
from assay.provider.pods.engine import PodmanPods
from assay.provider.pods.layout import agent_name, runtime_folder
from assay.provider.pods.lease_pods import LeasePart, LeasePods, PodBook
from assay.provider.pods.network import PodNetwork
from assay.provider.pods.network_rules import NetworkPolicy
from assay.provider.pods.pod import HostShare, PodImage
from assay.provider.pods.share import (
    HostResources,
    KeptBack,
    beside_images,
    device_shares,
    kept_back,
    missing_disk,
    read_host,
    wanted_part,
)
from assay.provider.pods.slots import PodSlots
from assay.provider.runtime.engine_client import connect
from assay.provider.runtime.workload import Limits
from assay.provider.settings import ProviderSettings

ASK_S = 30.0
log = structlog.get_logger()


def make_pods(
    settings: ProviderSettings,
    engine: str,
    database: Database,
    devices: Mapping[DeviceId, OwnDevice],
    part: Callable[[int], LeasePart],
    fetched: Callable[[], PodImage | None] = lambda: None,
) -> LeasePods:
    """The pods of this daemon's leases; `fetched` gives the provider's own image once it is here. Raises
    RuntimeUnavailable where there can be none, BadProviderSetting for a share that the host does not have."""
    pods = check_pods(settings, engine)
    host, kept = host_and_kept(settings, pods)
    promised = {device_id: device.host for device_id, device in devices.items()}
    retired = [device_id for device_id, device in devices.items() if device.status is not DeviceStatus.ACTIVE]
    shares = device_shares(host, kept, promised, wanted_part(settings), retired)
    if lacking := missing_disk(host, (one for key, one in promised.items() if one and key not in retired)):
        log.warning(
            "the specifications promise more disk than is free: leases of all devices at once would not fit",
            promised_by=[device.name for device in devices.values() if device.host],
            missing_mib=-(-lacking >> 20),
            todo="make room, or lower ASSAY_IMAGE_CACHE",
        )

    def default() -> PodImage:
        return fetched() or pods.local_image(settings.container_image)

    return LeasePods(pods, PodBook(database), part, default, shares, host, kept)


def tell_without_pods(devices: Mapping[DeviceId, OwnDevice]) -> None:
    """Names in the log the devices whose specifications promise what is not served here."""
    if promising := [device.name for device in devices.values() if device.host is not None]:
        log.warning(
            "devices promise a part of this host, and no pods are served here: choose the runtime container",
            devices=promising,
        )


def check_pods(settings: ProviderSettings, engine: str) -> PodmanPods:
    """Pods on this engine. Raises RuntimeUnavailable, with the remedy, where there can be none."""
    pods = PodmanPods(
        settings.data_dir / "leases",
        runtime_folder(settings.data_dir),
        asker(engine),
        PodNetwork(
            agent_name(settings.data_dir),
            NetworkPolicy.parse(settings.egress_policy),
            public=settings.public_ports is not None or settings.endpoint_domain is not None,
        ),
        PodSlots(),
    )
    pods.check()
    return pods


def host_and_kept(settings: ProviderSettings, pods: PodmanPods) -> tuple[HostResources, KeptBack]:
    """What this host has, images and pods that are there not counted, and what of it is kept back: what the settings
    say, and room for images where they are on the same disk."""
    images = pods.image_bytes()
    host = read_host(settings.data_dir, pods.held_bytes() + (images or 0))
    return host, kept_back(settings) if images is None else beside_images(settings, host)


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


def job_limits(settings: ProviderSettings) -> Limits:
    """Of a job of one device, as the settings say."""
    return Limits(
        wall_seconds=settings.job_seconds,
        cpu_seconds=int(settings.job_seconds),
        memory_bytes=settings.job_memory,
        disk_bytes=settings.job_disk,
        output_bytes=settings.job_output,
    )

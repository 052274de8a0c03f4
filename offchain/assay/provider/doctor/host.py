"""The machine: cards and driver, what runs workloads and how it is walled in, disk, images."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path
from typing import Any

import docker
import docker.errors

from assay.chain.rpc.client import Chain
from assay.provider.assembly import runtime_choice
from assay.provider.devices.inventory import read_inventory
from assay.provider.doctor.findings import Answer, Wrong, warn
from assay.provider.errors import RuntimeUnavailable
from assay.provider.installation.subordinate_ids import POD_IDS, free_ranges
from assay.provider.pods.assemble import check_pods
from assay.provider.runtime.container import ContainerRuntime, find_engine
from assay.provider.runtime.selection import select_runtime
from assay.provider.settings import ProviderSettings

MIN_DRIVER = 575  # of CUDA 12.9, whose PTX the kernels are
MIN_PODMAN = (4, 3)
SPARE_DISK = 5 << 30
GIB = 1 << 30


async def devices() -> Answer:
    """The cards that can be used, and the driver."""
    inventory = await asyncio.to_thread(read_inventory)
    models = ", ".join(f"{one.model} ({one.memory_mib} MiB)" for one in inventory.accelerators)
    if inventory.faults:
        faults = "; ".join(map(str, inventory.faults))
        raise Wrong(f"{faults}; what can be used: {models}", "`nvidia-smi` says more; take the card out or reset it")
    if not inventory.has_gpu:
        return warn(f"{models}; {inventory.reason}", f"for GPUs install NVIDIA's driver {MIN_DRIVER} or later")
    drivers = {one.driver for one in inventory.accelerators}
    old = [one for one in drivers if one.split(".")[0].isdigit() and int(one.split(".")[0]) < MIN_DRIVER]
    if old:
        raise Wrong(f"driver {old[0]}: {models}", f"install NVIDIA's driver {MIN_DRIVER} or later")
    return Answer(f"{models}; driver {', '.join(sorted(drivers))}")


async def runtime(settings: ProviderSettings, chain: Chain) -> Answer:
    """Whether what runs workloads does."""
    try:
        chosen = await asyncio.to_thread(select_runtime, runtime_choice(settings), chain.chain_id)
        if isinstance(chosen, ContainerRuntime):
            await asyncio.to_thread(check_pods, settings, chosen.engine)
    except RuntimeUnavailable as error:
        todo = "apt install podman && systemctl enable --now podman.socket" if settings.runtime == "container" else ""
        raise Wrong(str(error), todo) from None
    if settings.runtime != "container":
        return warn(f"{chosen.name} works: jobs only, no pods", "for pods choose --runtime container")
    return Answer(f"{chosen.name} works")


async def pods(settings: ProviderSettings, devices_served: int) -> Answer:
    """Whether the engine can give each pod user numbers of its own."""
    if settings.runtime != "container":
        return warn(f"none: the runtime is {settings.runtime}", "for pods choose --runtime container")
    address = settings.container_engine or find_engine()
    info, version = await asyncio.to_thread(_engine, address)
    if any("Podman" in str(one.get("Name")) for one in version.get("Components") or []):
        return _podman(version, devices_served)
    if not any("userns" in str(one) for one in info.get("SecurityOptions") or []):
        raise Wrong(
            f"Docker at {address} runs containers as the host's own root: no pods",
            'set {"userns-remap": "default"} in /etc/docker/daemon.json and restart Docker, or install Podman',
        )
    return Answer(f"Docker {info.get('ServerVersion', '?')} with user namespaces")


def _podman(version: dict[str, Any], devices_served: int) -> Answer:
    text = str(version.get("Version", "0"))
    numbers = tuple(int(part) for part in text.split(".")[:2] if part.isdigit())
    if numbers < MIN_PODMAN:
        raise Wrong(f"Podman {text}: pods need 4.3 or later", "install a later Podman")
    counts = {name: free_ranges(Path(name)) for name in ("/etc/subuid", "/etc/subgid")}
    possible = min(counts.values())
    if possible < max(1, devices_served):
        lacking = min(counts, key=lambda name: counts[name])
        raise Wrong(
            f"{lacking} gives the user `containers` numbers for {possible} pods, {devices_served} devices are served",
            f"add the line containers:2147483648:{16 * POD_IDS} to /etc/subuid and /etc/subgid "
            "(`assay provider install` does)",
        )
    return Answer(f"Podman {text}, user numbers for {possible} pods at once")


async def disk(settings: ProviderSettings, devices_served: int) -> Answer:
    """Room for what leases of all devices may store."""
    folder = settings.data_dir
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    needed = settings.job_disk * max(1, devices_served) + SPARE_DISK
    text = f"{free / GIB:.1f} GiB free for {settings.data_dir}, {needed / GIB:.1f} GiB needed"
    if free < needed:
        raise Wrong(text, "make room, lower ASSAY_JOB_DISK, or name a folder on another disk with --data-dir")
    return Answer(text)


async def image(settings: ProviderSettings) -> Answer:
    """Whether the image of leases that name none is here: else the first renter waits for it."""
    if settings.runtime != "container":
        return Answer("none needed")
    name = settings.container_image
    found = await asyncio.to_thread(_has_image, settings.container_engine or find_engine(), name)
    if not found:
        return warn(f"{name} is not here: the first lease waits for it", f"podman pull {name} (or docker pull)")
    return Answer(f"{name} is here")


def _engine(address: str) -> tuple[dict[str, Any], dict[str, Any]]:
    try:
        client = docker.DockerClient(base_url=address, timeout=10)
        try:
            return dict(client.info()), dict(client.version())
        finally:
            client.close()
    except docker.errors.DockerException as error:
        raise RuntimeUnavailable(f"the container engine at {address} does not answer: {str(error)[:200]}") from None


def _has_image(address: str, name: str) -> bool:
    try:
        client = docker.DockerClient(base_url=address, timeout=10)
        try:
            client.images.get(name)
        finally:
            client.close()
    except docker.errors.ImageNotFound:
        return False
    except docker.errors.DockerException as error:
        raise RuntimeUnavailable(f"the container engine at {address} does not answer: {str(error)[:200]}") from None
    return True

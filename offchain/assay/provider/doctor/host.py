"""The machine: cards and driver, what runs workloads and how it is walled in, disk, images."""

from __future__ import annotations

import asyncio
import shutil
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from functools import partial
from pathlib import Path

from assay.chain.rpc.client import Chain
from assay.proof.requirements import oldest_driver
from assay.protocol.specification import DeclaredHost
from assay.protocol.types import DeviceId
from assay.provider.access.pod_tools import PodTools
from assay.provider.assembly import runtime_choice
from assay.provider.cards.findings import card_findings
from assay.provider.cards.readings import CardReader
from assay.provider.database import open_database
from assay.provider.devices.device import OwnDevice
from assay.provider.devices.inventory import read_inventory
from assay.provider.doctor.findings import Answer, Wrong, warn
from assay.provider.errors import ProviderError, RuntimeUnavailable
from assay.provider.images.assemble import make_images
from assay.provider.pods.assemble import check_pods, host_and_kept
from assay.provider.pods.share import device_shares, missing_disk, wanted_part
from assay.provider.runtime.container import ContainerRuntime, find_engine
from assay.provider.runtime.selection import select_runtime
from assay.provider.settings import ProviderSettings

NAME_CARDS = "nvidia-ctk cdi generate --output=/etc/cdi/nvidia.yaml"
SPARE_DISK = 5 << 30
TUN = Path("/dev/net/tun")
GIB = 1 << 30


async def devices() -> Answer:
    """The cards that can be used, and the driver."""
    inventory = await asyncio.to_thread(read_inventory)
    needed = oldest_driver().release
    models = ", ".join(f"{one.model} ({one.memory_mib} MiB)" for one in inventory.accelerators)
    if inventory.faults:
        faults = "; ".join(map(str, inventory.faults))
        raise Wrong(f"{faults}; what can be used: {models}", "`nvidia-smi` says more; take the card out or reset it")
    if not inventory.has_gpu:
        return warn(f"{models}; {inventory.reason}", f"for GPUs install NVIDIA's driver {needed} or later")
    drivers = {one.driver for one in inventory.accelerators}
    old = [one for one in drivers if one.split(".")[0].isdigit() and int(one.split(".")[0]) < needed]
    if old:
        raise Wrong(f"driver {old[0]}: {models}", f"install NVIDIA's driver {needed} or later")
    return Answer(f"{models}; driver {', '.join(sorted(drivers))}")


async def cards(
    settings: ProviderSettings, devices: Mapping[DeviceId, OwnDevice], leased: Collection[DeviceId] = ()
) -> Answer:
    """Whether each device's card is here, well, and known to container engines by a name that is its own."""
    reader = CardReader()
    try:
        lines, faults = await asyncio.to_thread(
            partial(card_findings, leased=leased),
            devices,
            reader,
            settings.container_gpus,
            settings.data_dir,
            settings.engine,
        )
    finally:
        reader.close()
    if settings.runtime != "container":
        faults = [fault for fault in faults if "card-name" not in fault]
    if faults:
        unnamed = any("card-name" in fault for fault in faults)
        raise Wrong("; ".join(faults), f"`{NAME_CARDS}` (NVIDIA's container toolkit)" if unnamed else "")
    return Answer("; ".join(lines))


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


async def pods(settings: ProviderSettings, promised: Sequence[DeclaredHost | None]) -> Answer:
    """Whether leases can be given machines of their own, and how large each device's part of this host is: as its
    specification promises where that says something."""
    if settings.runtime != "container":
        return warn(f"none: the runtime is {settings.runtime}", "for pods choose --runtime container")
    return await asyncio.to_thread(_pods, settings, promised or [None])


def _pods(settings: ProviderSettings, promised: Sequence[DeclaredHost | None]) -> Answer:
    engine = check_pods(settings, settings.container_engine or find_engine())
    tools = ", ".join(PodTools(settings.data_dir / "pod-tools").check())
    host, kept = host_and_kept(settings, engine)
    shares = device_shares(host, kept, dict(enumerate(promised)), wanted_part(settings))
    each = Counter(
        f"{one.cores} cores, {one.memory_bytes / GIB:.1f} GiB of memory and {one.disk_bytes / GIB:.1f} GiB of disk"
        for one in shares.values()
    )
    found = "; ".join(
        f"each of {count} devices has {part}" if count > 1 else f"a device has {part}" for part, count in each.items()
    )
    found = f"{found}; every image has {tools}"
    if missing := missing_disk(host, filter(None, promised)):
        return warn(f"{found}; {missing / GIB:.1f} GiB of the promised disk are not free now", "make room on the disk")
    if not TUN.exists():
        return warn(f"{found}; they cannot be linked to pods of other hosts: there is no {TUN}", "modprobe tun")
    return Answer(found)


async def disk(settings: ProviderSettings, devices_served: int) -> Answer:
    """Room for what leases of all devices may store, where they have no pods: those have their parts."""
    if settings.runtime == "container":
        return Answer("as the pods' parts say")
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
    """Whether the image of leases that name none is here, or can be had as the daemon would have it."""
    if settings.runtime != "container":
        return Answer("none needed")
    images = make_images(settings, settings.container_engine or find_engine(), open_database(_book(settings)))
    name = settings.container_image
    try:
        if await images.images.held(None) is not None:
            return Answer(f"{name} is here")
        seen = await images.images.check(None)
    except ProviderError as error:
        raise Wrong(
            f"leases that name no image cannot start: {error}",
            "name another with ASSAY_CONTAINER_IMAGE, or load it into the engine",
        ) from None
    finally:
        await images.close()
    return warn(
        f"{name} is not here: a lease that names none waits until its {seen.bytes / GIB:.1f} GiB are",
        "the daemon fetches it when it starts",
    )


def _book(settings: ProviderSettings) -> Path | None:
    """The daemon's database, which knows what it has fetched, where there is one; nothing makes one here."""
    path = settings.data_dir / "provider.sqlite"
    return path if path.exists() else None

"""What of its host a device's pod has: each its part of what the host has and does not keep back. Pure but for reading
what there is."""

from __future__ import annotations

import os
import resource
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from assay.protocol.specification import DeclaredHost
from assay.provider.errors import BadProviderSetting
from assay.provider.pods.pod import HostShare
from assay.provider.settings import ProviderSettings

MIN_MEMORY = 256 << 20
MIN_DISK = 256 << 20
MIB = 1 << 20
PROCESSES, OPEN_FILES = 4096, 1 << 16  # of a pod with one device, where the host lets it
CAP_SYS_RESOURCE = 1 << 24
UNBOUND = 1 << 62
Key = TypeVar("Key")


@dataclass(frozen=True)
class HostResources:
    """Cores by their numbers, memory and disk in bytes, and the limits that this daemon may set on the processes and
    open files of what it starts."""

    cores: tuple[int, ...]
    memory_bytes: int
    disk_bytes: int
    processes: int = UNBOUND
    open_files: int = UNBOUND


@dataclass(frozen=True)
class KeptBack:
    """What the host keeps for itself: cores, and bytes of memory and disk."""

    cores: int = 1
    memory_bytes: int = 2 << 30
    disk_bytes: int = 20 << 30


@dataclass(frozen=True)
class DevicePart:
    """What the provider wants each device to carry; None for its equal part of the rest, and of processes and open
    files for the usual number or as many as the host allows."""

    cores: int | None = None
    memory_bytes: int | None = None
    disk_bytes: int | None = None
    processes: int | None = None
    open_files: int | None = None
    bandwidth_bps: int = 0


def read_host(folder: Path, held_bytes: int = 0) -> HostResources:
    """What this host has; disk is what is free where `folder` is, and `held_bytes` that pods hold there already."""
    place = folder
    while not place.exists():
        place = place.parent
    disk = os.statvfs(place)
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return HostResources(
        tuple(sorted(os.sched_getaffinity(0))),
        memory,
        disk.f_bavail * disk.f_frsize + held_bytes,
        _settable(resource.RLIMIT_NPROC, UNBOUND),
        _settable(resource.RLIMIT_NOFILE, int(Path("/proc/sys/fs/nr_open").read_text())),
    )


def _settable(which: int, most: int) -> int:
    """The highest limit of this kind that the daemon may give to what it starts: its own, unless it may raise that."""
    _, own = resource.getrlimit(which)
    status = Path("/proc/self/status").read_text()
    effective = next(int(line.split()[1], 16) for line in status.splitlines() if line.startswith("CapEff:"))
    return most if effective & CAP_SYS_RESOURCE or own == resource.RLIM_INFINITY else min(own, most)


def kept_back(settings: ProviderSettings) -> KeptBack:
    """What the settings keep for the host."""
    return KeptBack(settings.host_keep_cores, settings.host_keep_memory, settings.host_keep_disk)


def beside_images(settings: ProviderSettings, host: HostResources) -> KeptBack:
    """The same and room for images, where they are on the disk that pods are on."""
    kept = kept_back(settings)
    return replace(kept, disk_bytes=kept.disk_bytes + image_room(host, settings.image_cache))


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


def image_room(host: HostResources, cache_bytes: int) -> int:
    """What of the host's disk is kept for images that share it with pods, so that a first lease does not take the room
    of the second's image: the cache's bound, a quarter of the disk at most."""
    return min(cache_bytes, host.disk_bytes // 4)


def device_share(host: HostResources, kept: KeptBack, devices: int, wanted: DevicePart = DevicePart()) -> HostShare:
    """What each of the host's `devices` carries, so that all of them can be leased at once. Raises BadProviderSetting
    for a share that the host does not have."""
    count = max(1, devices)
    cores = _part("cores", wanted.cores, len(host.cores) - kept.cores, count, 1)
    memory = _part("memory", wanted.memory_bytes, host.memory_bytes - kept.memory_bytes, count, MIN_MEMORY)
    disk = _part("disk", wanted.disk_bytes, host.disk_bytes - kept.disk_bytes, count, MIN_DISK)
    processes, open_files = _limits(host, count, wanted)
    return HostShare(cores, memory // MIB * MIB, disk // MIB * MIB, processes, open_files, wanted.bandwidth_bps)


def _limits(host: HostResources, count: int, wanted: DevicePart) -> tuple[int, int]:
    """Processes and open files of each of `count` devices' pods, which a pod of all of them can still be given."""
    return (
        _limit("processes", "LimitNPROC", wanted.processes, PROCESSES, host.processes // max(1, count)),
        _limit("open_files", "LimitNOFILE", wanted.open_files, OPEN_FILES, host.open_files),
    )


def _limit(what: str, unit_setting: str, wanted: int | None, usual: int, most: int) -> int:
    if wanted is not None and wanted > most:
        raise BadProviderSetting(
            f"pod_{what}: {wanted} for each device, and this daemon may give at most {most}: set pod_{what} lower, or "
            f"let it raise limits ({unit_setting} of its unit, or CAP_SYS_RESOURCE)"
        )
    return min(usual, most) if wanted is None else wanted


def _part(what: str, wanted: int | None, rest: int, count: int, least: int) -> int:
    part = max(0, rest) // count if wanted is None else wanted
    if part * count > max(0, rest):
        raise BadProviderSetting(
            f"pod_{what}: {count} devices with {part} each need {part * count}, and the host has {max(0, rest)} beyond "
            f"what it keeps (host_keep_{what})"
        )
    if part < least:
        raise BadProviderSetting(
            f"pod_{what}: {part} for each of {count} devices, at least {least} are needed; set host_keep_{what} lower, "
            f"or pod_{what}"
        )
    return part


def free_cores(host: HostResources, kept: KeptBack, taken: Iterable[Iterable[int]], count: int) -> tuple[int, ...]:
    """Cores for one more pod that no other has: the last ones first, the host keeps its first. Empty where there are
    not so many."""
    used = {core for cores in taken for core in cores}
    free = [core for core in host.cores[kept.cores :] if core not in used]
    return tuple(sorted(free[-count:])) if 0 < count <= len(free) else ()


def device_shares(
    host: HostResources,
    kept: KeptBack,
    promised: Mapping[Key, DeclaredHost | None],
    wanted: DevicePart = DevicePart(),
    retired: Collection[Key] = (),
) -> dict[Key, HostShare]:
    """What each device carries: what its specification promises, and of what is left an equal part where it promises
    nothing. What `retired` devices promise binds nobody who rents anew. Raises BadProviderSetting for more cores or
    memory than the host has: disk comes and goes with what others store, see `missing_disk`."""
    standing = [one for key, one in promised.items() if one is not None and key not in retired]
    for what, unit, total, has in (
        ("cores", "", sum(one.cores for one in standing), len(host.cores) - kept.cores),
        ("memory", " MiB", sum(one.memory_mib for one in standing), (host.memory_bytes - kept.memory_bytes) // MIB),
    ):
        if total > has:
            raise BadProviderSetting(
                f"the specifications of {len(standing)} devices promise {total:,}{unit} {what}, and this host has "
                f"{max(0, has):,}{unit} beyond what it keeps: lower host_keep_{what}, or retire a device and enrol it "
                "anew with less"
            )
    rest = beside(kept, standing)
    without = [key for key, one in promised.items() if one is None]
    equal = HostShare()
    if without:
        equal = device_share(host, rest, len(set(without) - set(retired)), wanted)
    processes, open_files = _limits(host, len(set(promised) - set(retired)), wanted)
    return {
        key: equal
        if one is None
        else HostShare(
            one.cores,
            one.memory_mib * MIB,
            one.disk_mib * MIB,
            processes,
            open_files,
            wanted.bandwidth_bps,
        )
        for key, one in promised.items()
    }


def beside(kept: KeptBack, promised: Iterable[DeclaredHost]) -> KeptBack:
    """What is not to be had for further devices: what the host keeps, and what is promised already."""
    for one in promised:
        kept = KeptBack(
            kept.cores + one.cores, kept.memory_bytes + one.memory_mib * MIB, kept.disk_bytes + one.disk_mib * MIB
        )
    return kept


def missing_disk(host: HostResources, promised: Iterable[DeclaredHost]) -> int:
    """Bytes that all these would need beyond what is free now and what pods hold; 0 where there is enough."""
    return max(0, sum(one.disk_mib for one in promised) * MIB - host.disk_bytes)


def together(shares: Iterable[HostShare]) -> HostShare:
    """What a node of several devices has: the parts of them all. At least one is needed."""
    first, *others = shares
    for one in others:
        unlimited = not first.bandwidth_bps or not one.bandwidth_bps
        first = HostShare(
            first.cores + one.cores,
            first.memory_bytes + one.memory_bytes,
            first.disk_bytes + one.disk_bytes,
            first.processes + one.processes,
            max(first.open_files, one.open_files),
            0 if unlimited else first.bandwidth_bps + one.bandwidth_bps,
        )
    return first


def declared(share: HostShare) -> DeclaredHost:
    """The share as a specification carries it."""
    return DeclaredHost(share.cores, share.memory_bytes // MIB, share.disk_bytes // MIB)

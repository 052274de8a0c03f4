"""How a pod's container is made: every wall by name. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from assay.provider.pods.layout import PodFolders
from assay.provider.pods.neighbours import name_of
from assay.provider.pods.pod import TOOLS_INSIDE, WORKSPACE_INSIDE, PodSpec
from assay.provider.pods.slots import IDS, first_id

NAME = "assay-pod"
INIT_INSIDE = "/run/assay-init"
# What root needs over its own files, users and processes, within its user namespace. No device nodes, no raw packets,
# no interfaces, no mounts.
CAPABILITIES = (
    "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "NET_BIND_SERVICE", "SETFCAP", "SETGID", "SETPCAP", "SETUID",
    "SYS_CHROOT",
)  # fmt: skip
# Shown by lxcfs with the pod's own figures.
SHOWN = ("cpuinfo", "diskstats", "loadavg", "meminfo", "stat", "swaps", "uptime")


def create_options(
    spec: PodSpec,
    folders: PodFolders,
    slot: int,
    init: Path,
    profile: Path,
    lxcfs: Path | None,
    network: Mapping[str, str],
) -> list[str]:
    """Arguments of `podman create`, up to the image and its command. `network` is what programs are told of theirs."""
    share, first = spec.share, first_id(slot)
    options = [
        "--name", NAME,
        "--label", f"assay.pod={spec.lease_id}",
        "--uidmap", f"0:{first}:{IDS}",
        "--gidmap", f"0:{first}:{IDS}",
        "--user", "0:0",
        "--workdir", WORKSPACE_INSIDE,
        "--hostname", name_of(spec.lease_id),
        "--network", "none",
        "--no-hosts",
        "--cap-drop", "all",
        "--cap-add", ",".join(CAPABILITIES),
        "--security-opt", f"seccomp={profile}",
        # What the engine writes itself would be on the host's disk, beyond the pod's quota.
        "--log-driver", "none",
        "--image-volume", "ignore",
        "--no-healthcheck",
        "--pidfile", str(folders.pid),
        "--memory", str(share.memory_bytes),
        "--memory-swap", str(share.memory_bytes),
        "--shm-size", str(share.shm_bytes),
        "--pids-limit", str(share.processes),
        "--ulimit", f"nofile={share.open_files}:{share.open_files}",
        "--ulimit", f"nproc={share.processes}:{share.processes}",
        "--ulimit", "core=0:0",
        *_cores(spec),
        *_bind(folders.volume / "workspace", WORKSPACE_INSIDE),
        *_bind(folders.tools, TOOLS_INSIDE, "ro"),
        *_bind(init, INIT_INSIDE, "ro"),
        *_bind(folders.etc / "hosts", "/etc/hosts"),
        *_bind(folders.etc / "hostname", "/etc/hostname"),
        *_bind(folders.etc / "resolv.conf", "/etc/resolv.conf"),
        *_bind(folders.etc / "containerenv", "/run/.containerenv"),
    ]  # fmt: skip
    if lxcfs is not None:
        for name in SHOWN:
            options += _bind(lxcfs / "proc" / name, f"/proc/{name}", "ro")
    for card in spec.cards:
        options += ["--device", card]
    for name, value in {**network, **environment(spec)}.items():
        options += ["--env", f"{name}={value}"]
    return [*options, "--entrypoint", f'["{INIT_INSIDE}", "-P"]']


def global_options(folders: PodFolders, images: Path, runtime: str, cgroup_manager: str, hooks: Path) -> list[str]:
    """Options of every call of the engine for one pod: its own store, with the host's images below it."""
    return [
        "--root", str(folders.store),
        "--runroot", str(folders.run / "containers"),
        "--tmpdir", str(folders.run / "libpod"),
        "--runtime", runtime,
        "--cgroup-manager", cgroup_manager,
        "--events-backend", "none",
        # None of the host's: one of them adds every card of the host where an image asks for it.
        "--hooks-dir", str(hooks),
        "--storage-driver", "overlay",
        "--storage-opt", f"additionalimagestore={images}",
        "--storage-opt", "overlay.mountopt=nodev",
    ]  # fmt: skip


def environment(spec: PodSpec) -> dict[str, str]:
    """What every program of the pod sees. Cards count from 0, whatever their numbers on the host."""
    given = {**dict(spec.image.environment), **dict(spec.environment)}
    # What a hook of older container runtimes would take for a wish for all cards of the host.
    cards = {"NVIDIA_VISIBLE_DEVICES": "void"}
    if spec.cards:
        cards["CUDA_VISIBLE_DEVICES"] = visible_cards(spec.cards)
    return {"HOME": "/root", "LANG": "C.UTF-8", **given, **cards, "ASSAY_LEASE": str(spec.lease_id)}


def visible_cards(cards: Sequence[str]) -> str:
    """`0,1,…` for so many cards."""
    return ",".join(str(number) for number in range(len(cards)))


def _cores(spec: PodSpec) -> list[str]:
    if spec.cpuset:
        return ["--cpuset-cpus", ",".join(map(str, spec.cpuset))]
    return ["--cpus", str(spec.share.cores)]


def _bind(source: Path, target: str, how: str = "rw") -> list[str]:
    option = f"type=bind,src={source},dst={target}"
    return ["--mount", f"{option},ro" if how == "ro" else option]

"""Pods on Podman: each lease's pod has a store of its own on the lease's volume, and the host's images below it."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import structlog

from assay.provider.errors import Conflict, NotFound, ProviderError, RuntimeUnavailable
from assay.provider.pods import volume
from assay.provider.pods.commands import CommandFailed, run
from assay.provider.pods.layout import PodFolders, held_bytes
from assay.provider.pods.neighbours import introduce, name_of
from assay.provider.pods.network import ADDRESSES_BEGIN, PodNetwork, address_of
from assay.provider.pods.nodes import Nodes, tell, told
from assay.provider.pods.options import NAME, create_options, global_options
from assay.provider.pods.pod import PodImage, PodSpec, PodStatus, PodUse, Program
from assay.provider.pods.processes.ending import note_end
from assay.provider.pods.processes.keeper import (
    FIRST,
    deadline_of,
    detach,
    is_kept,
    keep,
    keep_anew,
    open_way_out,
    write_whole,
)
from assay.provider.pods.processes.pod_process import end, first_process
from assay.provider.pods.records import read_spec, write_spec
from assay.provider.pods.seccomp import write_profile
from assay.provider.pods.slots import PodSlots, first_id
from assay.provider.pods.use import measure
from assay.provider.runtime.egress_proxy import proxy_environment
from assay.provider.runtime.own_program import own_program

MIN_KERNEL = (5, 19)  # idmapped layers of overlays
INITS = ("/usr/libexec/podman/catatonit", "/usr/libexec/catatonit/catatonit", "/usr/bin/catatonit")
LXCFS = Path("/var/lib/lxcfs")
PROGRAMS = ("podman", "mkfs.ext4", "losetup", "mount", "umount", "ip", "nft", "tc", "nsenter")

log = structlog.get_logger()


@dataclass(frozen=True)
class HostEngine:
    """What the engine says of itself: where its images are, and what it runs containers with."""

    graph_root: Path
    runtime: str
    runtime_path: str
    cgroup_manager: str


class PodmanPods:
    """Every pod of a daemon whose leases are below `leases`. `ask` sends a GET to the engine's own API."""

    def __init__(
        self,
        leases: Path,
        run_folder: Path,
        ask: Callable[[str], Any],
        network: PodNetwork,
        slots: PodSlots,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._leases = leases
        self._run = run_folder
        self._ask = ask
        self.network = network
        self.slots = slots
        self._clock = clock
        self._locks: dict[int, threading.RLock] = {}
        self._locking = threading.Lock()
        self._introducing = threading.Lock()
        self._host: HostEngine | None = None
        self._init = Path(INITS[0])

    # What is needed.

    def check(self) -> None:
        """Raises RuntimeUnavailable, with the reason and the remedy, where pods cannot be had."""
        if os.geteuid() != 0:
            raise RuntimeUnavailable("pods need a daemon that runs as root: it makes file systems and networks")
        if missing := [name for name in PROGRAMS if not shutil.which(name)]:
            raise RuntimeUnavailable(f"pods need {', '.join(missing)}: install podman, e2fsprogs, iproute2, nftables")
        release = os.uname().release.split(".")
        if (int(release[0]), int(release[1])) < MIN_KERNEL:
            raise RuntimeUnavailable(f"pods need Linux {MIN_KERNEL[0]}.{MIN_KERNEL[1]}, this is {os.uname().release}")
        found = next((Path(path) for path in INITS if Path(path).exists()), None)
        if found is None:
            raise RuntimeUnavailable("pods need catatonit as their first process: install catatonit")
        self._init = found
        self._host = self._engine()
        self.network.check()
        self._run.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._hooks.mkdir(exist_ok=True)
        write_profile(self._profile)

    def _engine(self) -> HostEngine:
        try:
            said = self._ask("/libpod/info")
            host, store = said["host"], said["store"]
            engine = HostEngine(
                Path(store["graphRoot"]),
                str(host["ociRuntime"]["name"]),
                str(host["ociRuntime"]["path"]),
                str(host["cgroupManager"]),
            )
            driver, rootless = store["graphDriverName"], host["security"]["rootless"]
        except (KeyError, TypeError) as error:
            raise RuntimeUnavailable("pods need Podman 4.3 or later: another engine answers there") from error
        if rootless or driver != "overlay":
            raise RuntimeUnavailable("pods need Podman's service run by root, with the storage driver overlay")
        return engine

    # Where things are.

    def folders(self, lease_id: int) -> PodFolders:
        """Where the parts of a lease's pod are."""
        return PodFolders(self._leases / str(lease_id), self._run / str(lease_id))

    def log_path(self, lease_id: int) -> Path:
        return self.folders(lease_id).log

    def tools_folder(self, lease_id: int) -> Path:
        return self.folders(lease_id).tools

    def workspace(self, lease_id: int) -> Path:
        return self.folders(lease_id).workspace

    def owner(self, lease_id: int) -> tuple[int, int]:
        """The host's user and group that are root in the pod."""
        folders = self.folders(lease_id)
        folders.lease.mkdir(parents=True, exist_ok=True)
        first = first_id(self.slots.of(folders.lease))
        return first, first

    @property
    def _profile(self) -> Path:
        return self._run / "seccomp.json"

    @property
    def _hooks(self) -> Path:
        return self._run / "no-hooks"

    # Life.

    def prepare(self, lease_id: int, disk_bytes: int) -> None:
        """Makes sure that the lease's volume is there, with its workspace. Raises ProviderError."""
        with self._alone(lease_id):
            volume.prepare(self.folders(lease_id), disk_bytes, self.owner(lease_id)[0])

    def ensure(self, spec: PodSpec) -> PodStatus:
        """Makes the pod unless it is there, and starts it unless it runs."""
        with self._alone(spec.lease_id):
            if self._clock() >= spec.deadline:
                raise Conflict(f"lease {spec.lease_id} is over")
            folders = self.folders(spec.lease_id)
            self.prepare(spec.lease_id, spec.share.disk_bytes)
            before = read_spec(folders.spec)
            container = self._container(folders)
            if container and (before is None or before.image.image_id != spec.image.image_id):
                self._discard(folders)
                container = ""
            elif container and before is not None and self._is_outdated(folders, before, spec):
                self._set_aside(folders)
                container = ""
            write_spec(folders.spec, spec)
            write_whole(folders.deadline, repr(spec.deadline))
            note_end(folders, spec.deadline)
            folders.halted.unlink(missing_ok=True)
            folders.run.mkdir(parents=True, exist_ok=True)
            slot = self.slots.of(folders.lease)
            if not container:
                container = self._create(spec, folders, slot)
            self._start(spec, folders, slot, container)
            self._introduce(spec.renter)
            return self.status(spec.lease_id)

    def _introduce(self, renter: str) -> None:
        """Has the pods of one renter know each other by name: those that the network lets through to each other."""
        with self._introducing:
            addresses = {one: self.address(one) for one, spec in self.specs().items() if spec.renter == renter}
            running = {one: address for one, address in addresses.items() if address}
            files = {one: (self.folders(one).etc / "hosts", running[one]) for one in running}
            introduce(files, ADDRESSES_BEGIN, {one: told(self.folders(one)).names for one in running})

    def tell_nodes(self, lease_id: int, nodes: Nodes) -> None:
        """Tells a pod of its cluster: in names, in variables of what starts from now on, in a file. Raises OSError."""
        with self._alone(lease_id):
            tell(self.folders(lease_id), nodes)
            if (spec := read_spec(self.folders(lease_id).spec)) is not None:
                self._introduce(spec.renter)

    def address(self, lease_id: int) -> str:
        """Where the renter's other pods on this host reach this one; empty unless it runs."""
        running = self.status(lease_id).state == "running"
        return address_of(self.slots.of(self.folders(lease_id).lease)) if running else ""

    def _create(self, spec: PodSpec, folders: PodFolders, slot: int) -> str:
        self._podman(folders, "rm", "--force", "--time", "0", "--ignore", NAME)
        self._write_etc(spec, folders)
        lxcfs = LXCFS if (LXCFS / "proc" / "meminfo").exists() else None
        hosts = self.network.policy.hosts
        told_of_network = {} if hosts.closed else proxy_environment()
        options = create_options(spec, folders, slot, self._init, self._profile, lxcfs, told_of_network)
        container = self._podman(folders, "create", *options, spec.image.image_id).split()[-1]
        if folders.aside.exists():
            made = self._layer(folders)
            shutil.rmtree(made)
            folders.aside.rename(made)
        write_whole(folders.boot, _boot())
        write_whole(folders.container, container)
        return container

    def _start(self, spec: PodSpec, folders: PodFolders, slot: int, container: str) -> None:
        # Its keepers are there before it is: from its first moment on it ends with its lease.
        folders.egress.unlink(missing_ok=True)
        if not self.network.policy.hosts.closed:
            write_whole(folders.egress, json.dumps(self.network.policy.hosts.names()))
        fresh = first_process(folders.pid, container) is None
        if fresh:
            keep_anew(folders)
            try:
                self._podman(folders, "start", NAME)
            except CommandFailed:
                volume.give_reserve(folders)
                self._podman(folders, "start", NAME)
            volume.give_groups(self.root_files(spec.lease_id), first_id(slot))
        else:
            keep(folders)
        pid = first_process(folders.pid, container)
        if pid is None:
            raise ProviderError("the pod ended as soon as it was started")
        self.network.attach(slot, pid, spec.renter, spec.share.bandwidth_bps)
        open_way_out(folders)
        if fresh and spec.image.start:
            self._run_start_command(spec, folders)

    def _run_start_command(self, spec: PodSpec, folders: PodFolders) -> None:
        argv = self.exec_argv(spec.lease_id, Program(spec.image.start, group="start"))
        detach("assay.provider.pods.processes.start_command", json.dumps({"argv": argv, "log": str(folders.log)}))

    def _write_etc(self, spec: PodSpec, folders: PodFolders) -> None:
        """What a pod's files of /etc say at first."""
        name = name_of(spec.lease_id)
        servers = self.network.resolvers if self.network.policy.names_resolved else ()
        texts = {
            "hosts": f"127.0.0.1 localhost {name}\n",
            "hostname": f"{name}\n",
            "resolv.conf": "".join(f"nameserver {one}\n" for one in servers),
            "containerenv": "",
        }
        for file, text in texts.items():
            handle = os.open(folders.etc / file, os.O_WRONLY | os.O_TRUNC | os.O_NOFOLLOW)
            with os.fdopen(handle, "w") as opened:
                opened.write(text)

    def status(self, lease_id: int) -> PodStatus:
        """How the lease's pod stands."""
        folders = self.folders(lease_id)
        spec = read_spec(folders.spec)
        if spec is None:
            return PodStatus("absent")
        pid = first_process(folders.pid, self._container(folders))
        if pid is not None:
            started = folders.pid.stat().st_mtime if folders.pid.exists() else None
            return PodStatus("running", pid, spec.image.reference, started)
        reason = None
        with contextlib.suppress(OSError):
            reason = folders.halted.read_text()
        if reason is None and not self._container(folders):
            return PodStatus("preparing", None, spec.image.reference)
        return PodStatus("stopped", None, spec.image.reference, None, reason or "its first process ended")

    def exec_argv(self, lease_id: int, program: Program) -> list[str]:
        """A command line for this host that runs a program in the pod."""
        folders = self.folders(lease_id)
        container = self._container(folders)
        if first_process(folders.pid, container) is None:
            raise NotFound(f"no pod of lease {lease_id} runs")
        wanted = {
            **asdict(replace(program, environment={**told(folders).environment, **program.environment})),
            "container": container,
            "pid_file": str(folders.pid),
            "runtime": self._known_host().runtime_path,
        }
        return own_program("assay.provider.pods.processes.enter", json.dumps(wanted))

    def extend(self, lease_id: int, deadline: float) -> None:
        """Moves the time at which the pod is stopped."""
        folders = self.folders(lease_id)
        if folders.spec.exists() and deadline_of(folders) != deadline:
            write_whole(folders.deadline, repr(float(deadline)))
            note_end(folders, deadline)

    def use(self, lease_id: int) -> PodUse | None:
        """What the pod uses now, None where none runs."""
        pid = self.status(lease_id).pid
        if pid is None:
            return None
        folders = self.folders(lease_id)
        with contextlib.suppress(OSError, ValueError):
            return measure(
                pid, volume.used_bytes(folders), self.network.counters(self.slots.of(folders.lease)), self._clock()
            )
        return None

    def stop(self, lease_id: int, reason: str) -> None:
        """Ends everything in the pod; its files stay."""
        folders = self.folders(lease_id)
        with self._alone(lease_id):
            if not folders.pod.is_dir():
                return
            with contextlib.suppress(OSError):  # a full disk must not save a pod
                if not folders.halted.exists():
                    write_whole(folders.halted, reason)
            if not end(folders.pid, self._container(folders)):
                raise ProviderError(f"the pod of lease {lease_id} does not end")
            with contextlib.suppress(ProviderError):
                self.network.detach(self.slots.of(folders.lease))
            if (spec := read_spec(folders.spec)) is not None:
                self._introduce(spec.renter)

    def remove(self, lease_id: int) -> None:
        """Stops the pod and removes it with all its files."""
        folders = self.folders(lease_id)
        with self._alone(lease_id):
            self.stop(lease_id, "removed")
            if folders.volume.is_mount():
                self._discard(folders)
            volume.take_down(folders)
            for partial in folders.pod.glob("volume.*"):
                if partial.suffix in (".img", ".partial"):
                    partial.unlink(missing_ok=True)
            shutil.rmtree(folders.pod, ignore_errors=True)
            shutil.rmtree(folders.run, ignore_errors=True)
            self.slots.free(folders.lease)

    def restore(self) -> None:
        """Starts again what may still run. One pod that cannot be had keeps no other from it."""
        for lease_id in self.known():
            folders = self.folders(lease_id)
            spec = read_spec(folders.spec)
            if spec is None or folders.halted.exists() or self._clock() >= deadline_of(folders):
                continue
            try:
                self.ensure(replace(spec, deadline=deadline_of(folders)))
            except (ProviderError, OSError) as error:
                log.error("the pod of a lease cannot be started again", lease=lease_id, reason=str(error))

    def sweep(self, may_run: Callable[[int], bool]) -> Sequence[int]:
        """Stops the pods of leases that may not run; their numbers. Those that may have keepers and rules again."""
        ended = []
        for lease_id in self.known():
            folders = self.folders(lease_id)
            if first_process(folders.pid, self._container(folders)) is None:
                continue
            if not may_run(lease_id) or self._clock() >= deadline_of(folders):
                self.stop(lease_id, "lease over")
                ended.append(lease_id)
            elif not is_kept(folders, FIRST):
                keep(folders)
        self.network.keep()
        return ended

    def specs(self) -> dict[int, PodSpec]:
        """The specification of every pod there is, by lease."""
        found = ((lease_id, read_spec(self.folders(lease_id).spec)) for lease_id in self.known())
        return {lease_id: spec for lease_id, spec in found if spec is not None}

    def held_bytes(self) -> int:
        """The room that the volumes of all pods take."""
        return held_bytes(self._leases)

    def image_bytes(self) -> int | None:
        """What the engine's images take of the disk that pods are on; None where they are on another."""
        root = self._known_host().graph_root
        if not root.exists() or root.stat().st_dev != _existing(self._leases).stat().st_dev:
            return None
        return sum(int(one.get("Size") or 0) for one in self._ask("/libpod/images/json"))

    def known(self) -> list[int]:
        """The leases that have a pod, running or not."""
        if not self._leases.is_dir():
            return []
        return sorted(int(one.name) for one in self._leases.iterdir() if one.name.isdigit() and (one / "pod").is_dir())

    def _container(self, folders: PodFolders) -> str:
        try:
            return folders.container.read_text().strip()
        except OSError:
            return ""

    def _discard(self, folders: PodFolders, with_files: bool = True) -> None:
        """Removes the container, with all that was changed in its image."""
        if with_files and folders.aside.exists():
            shutil.rmtree(folders.aside, ignore_errors=True)
        end(folders.pid, self._container(folders))
        folders.run.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(CommandFailed):
            self._podman(folders, "rm", "--force", "--time", "0", "--ignore", NAME)
        folders.container.unlink(missing_ok=True)

    def _is_outdated(self, folders: PodFolders, before: PodSpec, spec: PodSpec) -> bool:
        """Whether a pod that does not run has to be made anew around its files: it is to have other walls, or its cards
        may have other numbers since the host was started anew."""
        if first_process(folders.pid, self._container(folders)) is not None:
            return False
        renumbered = bool(spec.cards) and folders.boot.read_text() != _boot() if folders.boot.exists() else True
        return renumbered or _made_of(before) != _made_of(spec)

    def _set_aside(self, folders: PodFolders) -> None:
        """Removes the container, and keeps what was changed in its image for the one that takes its place."""
        if not folders.aside.exists():
            self._layer(folders).rename(folders.aside)
        self._discard(folders, with_files=False)

    def _layer(self, folders: PodFolders) -> Path:
        """Where the container's own changes to its image are."""
        return Path(self._podman(folders, "inspect", "--format", "{{.GraphDriver.Data.UpperDir}}", NAME).strip())

    def root_files(self, lease_id: int) -> Path:
        """Where a running pod's root file system is on this host. Never to be followed by path as root: the renter
        writes it."""
        form = "{{.GraphDriver.Data.MergedDir}}"
        return Path(self._podman(self.folders(lease_id), "inspect", "--format", form, NAME).strip())

    def image_settings(self, lease_id: int) -> dict[str, Any]:
        """What the engine says of the image that a lease's pod stands on. Raises NotFound."""
        spec = read_spec(self.folders(lease_id).spec)
        if spec is None:
            raise NotFound(f"lease {lease_id} has no pod yet")
        found = self._ask(f"/libpod/images/{spec.image.image_id}/json")
        return dict(found)

    def _podman(self, folders: PodFolders, *arguments: str) -> str:
        host = self._known_host()
        options = global_options(folders, host.graph_root, host.runtime_path, host.cgroup_manager, self._hooks)
        return run("podman", *options, *arguments)

    def _known_host(self) -> HostEngine:
        if self._host is None:
            self._host = self._engine()
        return self._host

    def _alone(self, lease_id: int) -> threading.RLock:
        with self._locking:
            return self._locks.setdefault(lease_id, threading.RLock())

    def local_image(self, reference: str) -> PodImage:
        """An image that is in the engine's store already. Raises NotFound."""
        return PodImage(reference, str(self._ask(f"/libpod/images/{reference}/json")["Id"]))


def _made_of(spec: PodSpec) -> PodSpec:
    """What of a specification a container is made of once for all."""
    return replace(spec, deadline=0.0, renter="", image=PodImage("", ""))


def _existing(path: Path) -> Path:
    return path if path.exists() else _existing(path.parent)


def _boot() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()

"""Where the parts of a lease's pod are kept on its host."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

VOLUME = "volume.img"
RUNTIME_ROOT = Path("/run/assay-pods")  # empty again after this host was started anew


@dataclass(frozen=True)
class PodFolders:
    """The folders of one lease: `lease` keeps what must last as long as it, `run` what must not outlive the host's
    running. Renters see `workspace`, `tools` and what the engine makes of `store`, and nothing else of it."""

    lease: Path
    run: Path

    @property
    def pod(self) -> Path:
        """Root's own."""
        return self.lease / "pod"

    @property
    def image(self) -> Path:
        """The file that the volume is in."""
        return self.pod / VOLUME

    @property
    def volume(self) -> Path:
        """The lease's own file system: everything that the pod can write is on it."""
        return self.run / "volume"

    @property
    def store(self) -> Path:
        """The engine's store of this one pod."""
        return self.volume / "store"

    @property
    def etc(self) -> Path:
        """Files of /etc that the pod may change."""
        return self.volume / "etc"

    @property
    def workspace(self) -> Path:
        """Bound to the volume's own folder, where jobs and access look for it."""
        return self.lease / "workspace"

    @property
    def tools(self) -> Path:
        return self.pod / "tools"

    @property
    def log(self) -> Path:
        return self.pod / "pod.log"

    @property
    def spec(self) -> Path:
        return self.pod / "spec.json"

    @property
    def nodes(self) -> Path:
        """What the pod is told of its cluster; not there without one."""
        return self.pod / "nodes.json"

    @property
    def cluster(self) -> Path:
        """The cluster as its renter asked for it."""
        return self.pod / "cluster.json"

    @property
    def endpoints(self) -> Path:
        """Which of its ports anybody can call; not there where none is."""
        return self.pod / "endpoints.json"

    @property
    def names(self) -> Path:
        """Names by which endpoints of the lease were reached; not there where none was."""
        return self.pod / "names.json"

    @property
    def deadline(self) -> Path:
        return self.pod / "deadline"

    @property
    def halted(self) -> Path:
        """There while the pod was stopped on purpose: its reason."""
        return self.pod / "halted"

    @property
    def container(self) -> Path:
        """The engine's id of the container."""
        return self.pod / "container"

    @property
    def egress(self) -> Path:
        """Which hosts a proxy reaches for the pod; not there where none does."""
        return self.pod / "egress.json"

    @property
    def boot(self) -> Path:
        """During which run of the host the container was made."""
        return self.pod / "boot"

    @property
    def aside(self) -> Path:
        """The renter's changes to the image, while the container around them is made anew."""
        return self.volume / "aside"

    @property
    def pid(self) -> Path:
        """The process number of the pod's first process, as the engine's monitor writes it."""
        return self.run / "pid"


def runtime_folder(data_dir: Path) -> Path:
    """What tells the pods of one daemon from those of another on the same host."""
    return RUNTIME_ROOT / agent_name(data_dir)


def agent_name(data_dir: Path) -> str:
    """A short name of a daemon's folder."""
    return hashlib.sha256(str(data_dir).encode()).hexdigest()[:6]


def held_bytes(leases: Path) -> int:
    """The room that the volumes of all pods take in the folder of the leases."""
    return sum(one.stat().st_size for one in leases.glob(f"*/pod/{VOLUME}"))

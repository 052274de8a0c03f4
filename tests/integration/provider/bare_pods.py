"""Pods of which there is only the network: a process in a network of its own, linked as a pod is. No engine, no walls
around files, and ready at once."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

from assay.provider.pods.layout import PodFolders, agent_name
from assay.provider.pods.network import PodNetwork
from assay.provider.pods.network_rules import NetworkPolicy
from assay.provider.pods.pod import PodStatus
from assay.provider.pods.processes.keeper import write_whole
from assay.provider.pods.slots import PodSlots

PROGRAMS = ("unshare", "nsenter", "ip", "nft")


def bare_missing() -> str | None:
    """Why there can be none here, None where there can."""
    if os.geteuid() != 0:
        return "needs root"
    lacking = [name for name in PROGRAMS if not shutil.which(name)]
    return f"needs {', '.join(lacking)}" if lacking else None


class BarePods:
    """Satisfies as much of `PodmanPods` as endpoints need."""

    def __init__(self, folder: Path, egress: Sequence[str] = ("internet",)) -> None:
        self.folder = folder
        self.egress = egress
        self.slots = PodSlots()
        self.network = self._network()
        self._processes: dict[int, tuple[subprocess.Popen[bytes], str]] = {}

    def _network(self) -> PodNetwork:
        return PodNetwork(agent_name(self.folder), NetworkPolicy.parse(self.egress), public=True)

    def folders(self, lease_id: int) -> PodFolders:
        return PodFolders(self.folder / "leases" / str(lease_id), self.folder / "run" / str(lease_id))

    def known(self) -> list[int]:
        return sorted(int(one.name) for one in (self.folder / "leases").glob("*") if (one / "pod").is_dir())

    def status(self, lease_id: int) -> PodStatus:
        found = self._processes.get(lease_id)
        return PodStatus("stopped") if found is None else PodStatus("running", found[0].pid)

    def start(self, lease_id: int, seconds: float = 600.0, renter: str = "0xRenter") -> None:
        folders = self.folders(lease_id)
        folders.pod.mkdir(parents=True, exist_ok=True)
        folders.spec.write_text("{}")
        folders.halted.unlink(missing_ok=True)
        self.extend(lease_id, time.time() + seconds)
        self._end(lease_id)
        process = subprocess.Popen(["unshare", "--net", "sleep", "infinity"])
        self._processes[lease_id] = (process, renter)
        while Path(f"/proc/{process.pid}/ns/net").readlink() == Path("/proc/self/ns/net").readlink():
            time.sleep(0.005)
        self.network.attach(self.slots.of(folders.lease), process.pid, renter, 0)

    def again(self) -> None:
        """As a daemon that was started anew finds them."""
        self.network = self._network()
        for lease_id, (process, renter) in self._processes.items():
            self.network.attach(self.slots.of(self.folders(lease_id).lease), process.pid, renter, 0)

    def extend(self, lease_id: int, deadline: float) -> None:
        write_whole(self.folders(lease_id).deadline, repr(deadline))

    def stop(self, lease_id: int, reason: str) -> None:
        folders = self.folders(lease_id)
        write_whole(folders.halted, reason)
        self._end(lease_id)
        self.network.detach(self.slots.of(folders.lease))

    def _end(self, lease_id: int) -> None:
        if (found := self._processes.pop(lease_id, None)) is not None:
            found[0].kill()
            found[0].wait()

    def remove(self, lease_id: int) -> None:
        self.stop(lease_id, "removed")
        self.slots.free(self.folders(lease_id).lease)
        shutil.rmtree(self.folders(lease_id).lease)

    def argv(self, lease_id: int, *command: str) -> list[str]:
        """A command line of this host that runs a program in the pod's network."""
        return ["nsenter", f"--net=/proc/{self.status(lease_id).pid}/ns/net", "--", *command]

    def close(self) -> None:
        for lease_id in self.known():
            with contextlib.suppress(OSError):
                self.remove(lease_id)
        self.network.close()

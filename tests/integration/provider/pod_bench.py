"""Pods for tests: of one daemon in a folder of the test's own, on the podman service that the tests start."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from assay.provider.pods.assemble import asker
from assay.provider.pods.engine import PodmanPods
from assay.provider.pods.layout import agent_name, runtime_folder
from assay.provider.pods.network import PodNetwork
from assay.provider.pods.network_rules import NetworkPolicy
from assay.provider.pods.pod import HostShare, PodSpec, PodStatus, Program
from assay.provider.pods.slots import PodSlots

from .podman import IMAGE

SHARE = HostShare(1, 256 << 20, 96 << 20, processes=64, open_files=2048)
RENTER = "0xRenter"


class PodBench:
    """Makes pods and runs programs in them."""

    def __init__(self, engine: str, folder: Path, egress: Sequence[str] = ("internet",), public: bool = False) -> None:
        self.engine = engine
        self.folder = folder
        self.egress = egress
        self.public = public
        self.pods = self.agent()

    def agent(self) -> PodmanPods:
        """The part of a daemon that has to do with pods: as it is after the daemon was started anew."""
        network = PodNetwork(agent_name(self.folder), NetworkPolicy.parse(self.egress), self.public)
        pods = PodmanPods(self.folder / "leases", runtime_folder(self.folder), asker(self.engine), network, PodSlots())
        pods.check()
        return pods

    def spec(self, lease_id: int, seconds: float = 600.0, share: HostShare = SHARE, **more: object) -> PodSpec:
        image = self.pods.local_image(IMAGE)
        spec = PodSpec(lease_id, RENTER, image, share, time.time() + seconds, cpuset=(0,))
        return replace(spec, **more)  # type: ignore[arg-type]

    def start(self, lease_id: int, seconds: float = 600.0, share: HostShare = SHARE, **more: object) -> PodStatus:
        return self.pods.ensure(self.spec(lease_id, seconds, share, **more))

    def argv(self, lease_id: int, *command: str, **more: object) -> list[str]:
        return self.pods.exec_argv(lease_id, Program(command, **more))  # type: ignore[arg-type]

    def run(self, lease_id: int, *command: str, stdin: bytes = b"", **more: object) -> tuple[int, str]:
        """Exit code and all output of a program in the pod."""
        done = subprocess.run(
            self.argv(lease_id, *command, **more), input=stdin, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            timeout=120, check=False,
        )  # fmt: skip
        return done.returncode, done.stdout.decode(errors="replace")

    def sh(self, lease_id: int, script: str, **more: object) -> str:
        """Output of a script that must succeed."""
        code, output = self.run(lease_id, "sh", "-c", script, **more)
        assert code == 0, output
        return output.strip()

    def close(self) -> None:
        """Removes every pod."""
        for lease_id in self.pods.known():
            self.pods.remove(lease_id)
        self.pods.network.close()

"""A provider with cards and pods on the demo's network, and what its renter types."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from assay.provider.pods.assemble import asker
from assay.provider.pods.engine import PodmanPods
from assay.provider.pods.layout import agent_name, runtime_folder
from assay.provider.pods.network import PodNetwork
from assay.provider.pods.network_rules import NetworkPolicy
from assay.provider.pods.slots import PodSlots
from tests.end_to_end.conftest import START_SECONDS, Demo, Shell, until
from tests.end_to_end.providers import Provider

COMMAND_SECONDS = 240.0


def pods_missing() -> str | None:
    """Why no daemon can have pods here, None where it can."""
    from tests.integration.provider.image_registry import registry_missing
    from tests.integration.provider.podman import missing

    return missing() or registry_missing() or (None if os.geteuid() == 0 else "needs root")


@contextmanager
def pod_provider(
    demo: Demo, folder: Path, engine: str, settings: Mapping[str, str], cards: list[str]
) -> Iterator[Provider]:
    """A daemon on this container engine, one device for each card."""
    until("the network", lambda: demo.check() or " daemons" in (demo.folder / "printed").read_text(), 2 * START_SECONDS)
    more = {f"ASSAY_{name}": value for name, value in {"CONTAINER_ENGINE": engine, "GRACE": "1", **settings}.items()}
    one = Provider(demo, folder, more)
    devices = [one.enrol(f"card{number}", "container") for number in range(len(cards))]
    one.environment["ASSAY_CONTAINER_GPUS"] = ",".join(map(":".join, zip(devices, cards, strict=True)))
    one.start("--runtime", "container", "--price-per-hour", "0.5", "--min-duration", "10")
    try:
        yield one
    finally:
        one.stop()
        remove_pods(folder / "data", engine)


def remove_pods(data: Path, engine: str) -> None:
    """Pods outlive their daemon: those that a test left are removed."""
    network = PodNetwork(agent_name(data), NetworkPolicy())
    pods = PodmanPods(data / "leases", runtime_folder(data), asker(engine), network, PodSlots())
    for lease_id in pods.known():
        pods.remove(lease_id)
    network.close()


@dataclass(frozen=True)
class Pod:
    """A lease with a pod, and the provider that it is of."""

    number: str
    provider: Provider
    shell: Shell

    @property
    def folder(self) -> Path:
        return self.provider.folder / "data/leases" / self.number

    @property
    def log(self) -> str:
        return (self.provider.folder / "provider.log").read_text()[-3000:]

    def __call__(self, script: str) -> list[str]:
        """Lines that a command in the pod printed, which ended well."""
        config, host = self.configured()
        line = ["ssh", "-F", config, host, script]
        ran = subprocess.run(line, capture_output=True, text=True, timeout=COMMAND_SECONDS, stdin=subprocess.DEVNULL)
        assert ran.returncode == 0, ran.stdout[-2000:] + ran.stderr + self.log
        return ran.stdout.splitlines()

    def shown(self) -> Any:
        return self.shell("pod", "show", self.number, "-o", "json").json

    def configured(self) -> tuple[str, str]:
        """A file with a section for OpenSSH's programs, and the name of the host in it."""
        config = self.provider.folder / f"ssh-config-{self.number}"
        if not config.exists():
            ran = self.shell("ssh", self.number, "--config")
            assert ran.status == 0, ran.err + self.log
            config.write_text(ran.out)
        return str(config), f"assay-{self.number}"


def typed(*command: str, stdin: str = "", seconds: float = COMMAND_SECONDS) -> str:
    """What a program of this machine printed, which ended well."""
    done = subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=seconds, check=False)
    assert done.returncode == 0, (command, done.stdout[-1000:], done.stderr[-2000:])
    return done.stdout

"""The machine that one rents: a pod from an image of the renter's choice, typed from `rent` to `end`, on a provider's
daemon of its own with Podman, on the demo's network."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.conftest import START_SECONDS, Demo, Shell, until
from tests.end_to_end.providers import Provider
from tests.integration.provider.image_registry import ImageRegistry, image_registry, layer, registry_missing
from tests.integration.provider.podman import IMAGE, missing, podman_service

MEASURED_SECONDS, COMMAND_SECONDS, BACK_SECONDS, WIPED_SECONDS = 180.0, 150.0, 60.0, 60.0
APPLETS = ("sh", "id", "cat", "nproc", "df", "tail", "touch", "ls", "echo", "sleep", "free", "head")
DISK, MEMORY = 256 << 20, 300 << 20
REASON = missing() or registry_missing()
pytestmark = [pytest.mark.deep, pytest.mark.skipif(REASON is not None, reason=str(REASON))]
START = ("--runtime", "container", "--price-per-hour", "0.5", "--min-duration", "10")


@dataclass(frozen=True)
class Rented:
    """A lease with a pod, the provider that it is of, and what `rent` printed."""

    number: str
    provider: Provider
    told: str

    @property
    def folder(self) -> Path:
        return self.provider.folder / "data/leases" / self.number


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ImageRegistry]:
    with image_registry(tmp_path_factory.mktemp("registry"), login=False) as served:
        yield served


@pytest.fixture(scope="module")
def provider(demo: Demo, registry: ImageRegistry, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Provider]:
    until("the network", lambda: demo.check() or " daemons" in (demo.folder / "printed").read_text(), 2 * START_SECONDS)
    folder = tmp_path_factory.mktemp("pod-provider")
    with podman_service(tmp_path_factory.mktemp("podman")) as engine:
        settings = {
            "CONTAINER_ENGINE": engine, "CONTAINER_IMAGE": IMAGE, "PRIVATE_REGISTRIES": registry.origin,
            "POD_DISK": str(DISK), "POD_MEMORY": str(MEMORY), "POD_CORES": "1", "GRACE": "1",
        }  # fmt: skip
        one = Provider(demo, folder, {f"ASSAY_{name}": value for name, value in settings.items()})
        one.enrol("pods")
        one.start(*START)
        try:
            yield one
        finally:
            one.stop()


@pytest.fixture(scope="module")
def rented(demo: Demo, shell: Shell, provider: Provider, registry: ImageRegistry) -> Rented:
    busybox = layer({"bin/busybox": Path("/bin/busybox").read_bytes(), "root/from": b"the renter's image\n"},
                    {f"bin/{name}": "busybox" for name in APPLETS})  # fmt: skip
    image = registry.publish("renter/own", "1", [busybox])
    listing = provider.offered(demo, shell, MEASURED_SECONDS)
    line = ("rent", listing["shortId"], "--image", image.name, "--duration", "15m", "--yes", "-o", "json")
    ran = shell(*line, timeout=COMMAND_SECONDS)
    assert ran.status == 0, ran.err + (provider.folder / "provider.log").read_text()[-3000:]
    return Rented(str(ran.json["leaseId"]), provider, ran.err)


def inside(shell: Shell, rented: Rented, script: str) -> list[str]:
    """Lines that a command in the pod printed, which ended well."""
    ran = shell("ssh", rented.number, "--", script, timeout=COMMAND_SECONDS)
    assert ran.status == 0, ran.err + (rented.provider.folder / "provider.log").read_text()[-3000:]
    return ran.out.splitlines()


def shown(shell: Shell, rented: Rented) -> Any:
    return shell("pod", "show", rented.number, "-o", "json").json


def test_pod__of_an_image_that_was_named__is_a_machine_of_the_share_that_it_says(rented: Rented, shell: Shell) -> None:
    script = "id -u; nproc; df -Pk / | tail -n 1; cat /root/from; touch /root/x; echo mine > /root/mine"
    user, cores, disk, image = inside(shell, rented, script)
    assert (user, cores, image) == ("0", "1", "the renter's image")
    size = int(disk.split()[1]) << 10
    assert DISK * 0.85 < size <= DISK
    told = shown(shell, rented)
    assert told["state"] == "running" and told["image"].endswith("/renter/own:1"), told
    assert told["share"]["cores"] == 1 and told["share"]["diskBytes"] == DISK


def test_files_and_jobs__are_the_same_machines(rented: Rented, shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "there").write_text("6 * 7\n")
    assert shell("cp", f"{tmp_path}/there", f"{rented.number}:there").status == 0
    ran = shell("run", rented.number, "--", "sh", "-c", "cat there /root/mine; echo done > made; id -u; exit 3")
    assert (ran.status, ran.out) == (3, "6 * 7\nmine\n0\n"), ran.err
    assert inside(shell, rented, "cat /workspace/made") == ["done"]
    assert shell("cp", f"{rented.number}:made", f"{tmp_path}/made").status == 0
    assert (tmp_path / "made").read_text() == "done\n"


def test_agent__killed_outright_and_started_again__finds_the_pod_that_ran_on(rented: Rented, shell: Shell) -> None:
    before, provider = shown(shell, rented)["startedAt"], rented.provider
    assert provider.process is not None
    os.killpg(provider.process.pid, signal.SIGKILL)
    provider.process.wait()
    provider.start(*START)

    def back() -> Any:
        provider.check()
        ran = shell("pod", "show", rented.number, "-o", "json")
        return ran.json if ran.status == 0 and ran.json["state"] == "running" else None

    assert until("the agent", back, BACK_SECONDS)["startedAt"] == before
    assert inside(shell, rented, "ls /root; cat /root/mine") == ["from", "mine", "x", "mine"]


def test_end__takes_the_pod_and_wipes_what_it_left(rented: Rented, shell: Shell) -> None:
    ended = shell("end", rented.number, "--yes", timeout=COMMAND_SECONDS)
    assert ended.status == 0, ended.err
    until("the wiping", lambda: not (rented.folder / "pod").exists(), WIPED_SECONDS)
    assert not (rented.folder / "workspace").exists()
    assert str(rented.folder) not in Path("/proc/self/mountinfo").read_text()
    assert shell("ssh", rented.number, "--", "true").status != 0

"""The machine that one rents: a pod from an image of the renter's choice, typed from `rent` to `end`, on a provider's
daemon with Podman, on a real chain. No validator measures here: whoever rents names the device."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.integration.validator.local_chain import ROOT, LocalChain, free_port

from .image_registry import ImageRegistry, image_registry, layer, registry_missing
from .podman import IMAGE, missing

READY_SECONDS, COMMAND_SECONDS, BACK_SECONDS, WIPED_SECONDS = 90.0, 150.0, 60.0, 60.0
APPLETS = ("sh", "id", "cat", "nproc", "df", "tail", "touch", "ls", "echo", "sleep")
DISK, MEMORY = 256 << 20, 300 << 20
REASON = missing() or registry_missing()
pytestmark = pytest.mark.skipif(REASON is not None, reason=str(REASON))
ASSAY = [sys.executable, "-m", "assay.cli.app"]


@dataclass(frozen=True)
class Ran:
    """How a command ended."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        assert self.status == 0, self.err
        return json.loads(self.out)


@dataclass
class World:
    """A chain, a provider with its daemon, and a renter who types."""

    chain: LocalChain
    folder: Path
    settings: dict[str, str]
    port: int = field(default_factory=free_port)
    ssh_port: int = field(default_factory=free_port)
    daemon: subprocess.Popen[bytes] | None = None
    tried: int = 0

    @property
    def log(self) -> str:
        return "".join(one.read_text()[-3_000:] for one in sorted(self.chain.folder.glob("provider-*.log")))

    def __call__(self, *arguments: str, who: str = "renter", seconds: float = COMMAND_SECONDS) -> Ran:
        """An `assay` command."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("ASSAY_")}
        done = subprocess.run(
            [*ASSAY, *arguments], env={**kept, **self.environment(who)}, cwd=self.folder, capture_output=True,
            text=True, timeout=seconds, stdin=subprocess.DEVNULL, check=False,
        )  # fmt: skip
        assert "Traceback" not in done.stderr, done.stderr
        return Ran(done.returncode, done.stdout, done.stderr)

    def environment(self, who: str) -> dict[str, str]:
        data = self.folder / who
        return {
            "PYTHONPATH": str(ROOT / "offchain"), "NO_COLOR": "1",
            "ASSAY_RPC": self.chain.rpc, "ASSAY_DEPLOYMENT": str(self.chain.deployment_file),
            "ASSAY_DATA_DIR": str(data), "ASSAY_KEY_FILE": str(data / "provider.json"),
            "ASSAY_PASSWORD_FILE": str(self.folder / "password"), "ASSAY_CONTEXTS": str(self.folder / "contexts.json"),
        }  # fmt: skip

    def start(self) -> None:
        """The daemon."""
        self.tried += 1
        command = [
            *ASSAY, "provider", "run", "--port", str(self.port), "--ssh-port", str(self.ssh_port), "--engine", "cpu",
            "--runtime", "container", "--price-per-hour", "0.5", "--min-duration", "10",
            "--token", self.chain.chain.deployment.address("NetworkToken"),
        ]  # fmt: skip
        more = {**self.environment("provider"), **{f"ASSAY_{name}": value for name, value in self.settings.items()}}
        self.daemon = self.chain.spawn(f"provider-{self.tried}", command, **more)

    def until(self, what: str, condition: Callable[[], Any], seconds: float) -> Any:
        """What the condition gives once it gives something."""
        end = time.monotonic() + seconds
        while not (value := condition()):
            assert self.daemon is not None and self.daemon.poll() is None, self.log
            assert time.monotonic() < end, f"{what}: not within {seconds:.0f} s\n{self.log}"
            time.sleep(0.2)
        return value

    def offers(self) -> Any:
        with httpx2.Client(trust_env=False, verify=False) as client:
            try:
                return client.get(f"https://127.0.0.1:{self.port}/v1/offers").json().get("offers")
            except httpx2.HTTPError:
                return None


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ImageRegistry]:
    with image_registry(tmp_path_factory.mktemp("registry"), login=False) as served:
        yield served


@pytest.fixture(scope="module")
def world(engine: str, registry: ImageRegistry, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("rented")
    made = World(
        LocalChain(folder / "chain"),
        folder,
        {
            "CONTAINER_ENGINE": engine, "CONTAINER_IMAGE": IMAGE, "PRIVATE_REGISTRIES": registry.origin,
            "POD_DISK": str(DISK), "POD_MEMORY": str(MEMORY), "POD_CORES": "1", "GRACE": "1",
        },
    )  # fmt: skip
    (folder / "password").write_text("secret")
    loop = asyncio.new_event_loop()
    try:
        loop.run_until_complete(made.chain.start())
        for who in ("provider", "renter"):
            told = made("provider", "init", str(folder / who), "--local", "-o", "json", who=who).json
            loop.run_until_complete(made.chain.fund(told["provider"]))
        loop.run_until_complete(made.chain.call("evm_setIntervalMining", 1))
        yield made
    finally:
        loop.run_until_complete(made.chain.stop())
        loop.close()


@dataclass(frozen=True)
class Rented:
    """A lease with a pod."""

    number: str
    world: World

    @property
    def folder(self) -> Path:
        return self.world.folder / "provider/leases" / self.number


@pytest.fixture(scope="module")
def rented(world: World, registry: ImageRegistry) -> Rented:
    busybox = layer({"bin/busybox": Path("/bin/busybox").read_bytes(), "root/from": b"the renter's image\n"},
                    {f"bin/{name}": "busybox" for name in APPLETS})  # fmt: skip
    image = registry.publish("renter/own", "1", [busybox])
    where = ("--endpoint", f"https://127.0.0.1:{world.port}", "--region", "eu-test")
    device = world("provider", "enrol", *where, "-o", "json", who="provider").json["deviceId"]
    world.start()
    world.until("an offer", world.offers, READY_SECONDS)
    ran = world("rent", device, "--image", image.name, "--duration", "15m", "--yes", "-o", "json")
    assert ran.status == 0, ran.err + world.log
    return Rented(str(ran.json["leaseId"]), world)


def inside(rented: Rented, script: str) -> list[str]:
    """Lines that a command in the pod printed, which ended well."""
    ran = rented.world("ssh", rented.number, "--", script)
    assert ran.status == 0, ran.err + rented.world.log
    return ran.out.splitlines()


def shown(rented: Rented) -> Any:
    return rented.world("pod", "show", rented.number, "-o", "json").json


def test_pod__of_an_image_that_was_named__is_a_machine_of_the_share_that_it_says(rented: Rented) -> None:
    script = "id -u; nproc; df -Pk / | tail -n 1; cat /root/from; touch /root/x; echo mine > /root/mine"
    user, cores, disk, image = inside(rented, script)
    assert (user, cores, image) == ("0", "1", "the renter's image")
    size = int(disk.split()[1]) << 10
    assert DISK * 0.85 < size <= DISK
    told = shown(rented)
    assert told["state"] == "running" and told["image"].endswith("/renter/own:1"), told
    assert told["share"]["cores"] == 1 and told["share"]["diskBytes"] == DISK


def test_files_and_jobs__are_the_same_machines(rented: Rented, tmp_path: Path) -> None:
    (tmp_path / "there").write_text("6 * 7\n")
    assert rented.world("cp", f"{tmp_path}/there", f"{rented.number}:there").status == 0
    ran = rented.world("run", rented.number, "--", "sh", "-c", "cat there /root/mine; echo done > made; id -u; exit 3")
    assert (ran.status, ran.out) == (3, "6 * 7\nmine\n0\n"), ran.err
    assert inside(rented, "cat /workspace/made") == ["done"]
    assert rented.world("cp", f"{rented.number}:made", f"{tmp_path}/made").status == 0
    assert (tmp_path / "made").read_text() == "done\n"


def test_agent__killed_outright_and_started_again__finds_the_pod_that_ran_on(rented: Rented) -> None:
    before, world = shown(rented)["startedAt"], rented.world
    assert world.daemon is not None
    world.daemon.kill()
    world.daemon.wait()
    world.start()

    def back() -> Any:
        ran = rented.world("pod", "show", rented.number, "-o", "json")
        return ran.json if ran.status == 0 and ran.json["state"] == "running" else None

    assert world.until("the agent", back, BACK_SECONDS)["startedAt"] == before
    assert inside(rented, "ls /root; cat /root/mine") == ["from", "mine", "x", "mine"]


def test_end__takes_the_pod_and_wipes_what_it_left(rented: Rented) -> None:
    ended = rented.world("end", rented.number, "--yes")
    assert ended.status == 0, ended.err
    rented.world.until("the wiping", lambda: not (rented.folder / "pod").exists(), WIPED_SECONDS)
    assert not (rented.folder / "workspace").exists()
    assert str(rented.folder) not in Path("/proc/self/mountinfo").read_text()
    assert rented.world("ssh", rented.number, "--", "true").status != 0

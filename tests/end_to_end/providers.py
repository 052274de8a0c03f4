"""A provider of one's own on the demo's network, which stakes what the demo's deployer holds."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from assay.devnet.ports import free_ports
from tests.end_to_end.conftest import Demo, Shell, until

ENROL_SECONDS, STOP_SECONDS = 90.0, 60.0


def free_port() -> int:
    """One that no connection takes before a daemon listens on it."""
    return free_ports(1)[0]


def no_zeros(listings: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows of a search, of which none tells a device before it was measured."""
    for one in listings:
        assert float(one["scoreGops"]) > 0 and one["memoryMiB"] > 0 and one["uptimeBps"] > 0, one
    return listings


class Provider:
    """Serves devices from `folder`; `more` are variables of its settings."""

    def __init__(self, demo: Demo, folder: Path, more: Mapping[str, str] | None = None) -> None:
        self.folder, self.port = folder, free_port()
        self.ssh_port = free_port()  # the same after every start: renters have written it down
        deployment, keys = demo.folder / "deployment.json", demo.folder / "keys"
        self.address = "0x" + str(json.loads((keys / "deployer.json").read_text())["address"]).removeprefix("0x")
        self.environment = {name: value for name, value in os.environ.items() if not name.startswith("ASSAY_")}
        self.environment |= {
            "ASSAY_RPC": demo.rpc,
            "ASSAY_DEPLOYMENT": str(deployment),
            "ASSAY_DATA_DIR": str(folder / "data"),
            "ASSAY_KEY_FILE": str(keys / "deployer.json"),
            "ASSAY_PASSWORD_FILE": str(keys / "password"),
            "ASSAY_TOKEN": str(json.loads(deployment.read_text())["contracts"]["TestToken"]["address"]),
            **(more or {}),
        }
        self.process: subprocess.Popen[bytes] | None = None
        self.arguments: tuple[str, ...] = ()

    def __call__(self, *arguments: str) -> str:
        """What an `assay provider` command prints."""
        done = subprocess.run(
            ["assay", "provider", *arguments],
            env=self.environment,
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=ENROL_SECONDS,
            stdin=subprocess.DEVNULL,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def enrol(self, name: str, runtime: str = "local") -> str:
        """A device of that name, once that is final; its id."""
        key = str(self.folder / "data" / "devices" / f"{name}.json")
        scheme = "https" if (self.folder / "data" / "tls").exists() else "http"
        where = ("--endpoint", f"{scheme}://127.0.0.1:{self.port}", "--region", "eu-test", "--runtime", runtime)
        device = str(json.loads(self("enrol", *where, "--device-key", key, "-o", "json"))["deviceId"])
        until("the enrolment", lambda: device in self("list", "-o", "json"), ENROL_SECONDS)
        return device

    def start(self, *arguments: str) -> None:
        """Its daemon, on a processor."""
        self.arguments = arguments
        self.process = subprocess.Popen(
            ["assay", "provider", "run", "--port", str(self.port), "--ssh-port", str(self.ssh_port), "--engine", "cpu",
             *arguments],
            env=self.environment, cwd=self.folder, stdin=subprocess.DEVNULL, start_new_session=True,
            stdout=(self.folder / "provider.log").open("wb"), stderr=subprocess.STDOUT,
        )  # fmt: skip

    def check(self) -> None:
        assert self.process is not None
        assert self.process.poll() is None, (self.folder / "provider.log").read_text()[-4000:]

    def signal(self, which: signal.Signals) -> None:
        assert self.process is not None
        self.process.send_signal(which)

    def stop(self) -> None:
        if self.process is not None:
            self.process.send_signal(signal.SIGCONT)
            self.process.terminate()
            self.process.wait(timeout=STOP_SECONDS)

    def offers(self, demo: Demo, shell: Shell, *filters: str) -> list[dict[str, Any]]:
        """Its offers that a renter sees now."""
        demo.check()
        self.check()
        ran = shell("search", "--provider", self.address, *filters, "-o", "json")
        return no_zeros(ran.json["devices"]) if ran.status == 0 else []

    def offered(self, demo: Demo, shell: Shell, seconds: float, *filters: str) -> dict[str, Any]:
        """Its one offer, once a renter sees it."""
        (listing,) = until("a measured offer", lambda: self.offers(demo, shell, *filters), seconds)
        return dict(listing)

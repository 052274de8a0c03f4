"""The wheel that `make release` builds runs the whole demo from an environment of its own; only the contracts
are deployed from the checkout, with Ape. ASSAY_WHEEL_PYTHON names the Python of that environment."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import httpx2
import pytest

from tests.end_to_end.conftest import ROOT, Demo, Shell, demo_command, processes_of, until

pytestmark = pytest.mark.deep

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EPOCH_SECONDS = "48"  # beside other work
BUILD_SECONDS, INSTALL_SECONDS, OFFER_SECONDS = 900, 900, 300.0
DAEMONS = ("validator run", "provider run", "market run", "watch")


def done(*command: str | Path, seconds: float = 60.0, **environment: str) -> str:
    """What a command prints."""
    ran = subprocess.run(
        [str(word) for word in command],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


@dataclass(frozen=True)
class Installed:
    """A wheel in an environment and a home of its own."""

    wheel: Path
    environment: Path
    home: Path

    @property
    def clean(self) -> dict[str, str]:
        """All that a terminal of its user has."""
        return {
            "PATH": f"{self.environment / 'bin'}:/usr/bin:/bin",
            "HOME": str(self.home),
            "NO_COLOR": "1",
            "LANG": "C.UTF-8",
        }


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    folder = tmp_path_factory.mktemp("wheel")
    dist, environment, home = folder / "dist", folder / "environment", folder / "home"
    home.mkdir()
    done(sys.executable, "-m", "scripts._release.build", dist, "--snapshot", seconds=BUILD_SECONDS)
    (wheel,) = dist.glob("*.whl")
    python = os.environ.get("ASSAY_WHEEL_PYTHON", sys.executable)
    done("uv", "venv", "--quiet", "--no-project", "--python", python, environment)
    versions = folder / "constraints.txt"
    lock = ("uv", "pip", "compile", "--quiet", "--universal", "--no-deps", "--no-header", "requirements.lock")
    done(*lock, "-o", versions, seconds=INSTALL_SECONDS)
    target = ("--python", environment / "bin/python", "--constraints", versions)
    done("uv", "pip", "install", "--quiet", *target, wheel, seconds=INSTALL_SECONDS)
    return Installed(wheel, environment, home)


@pytest.fixture(scope="module")
def demo(installed: Installed, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    folder = tmp_path_factory.mktemp("network")
    programs = ("--programs", str(installed.environment / "bin"), "--epoch-seconds", EPOCH_SECONDS)
    with (folder / "printed").open("w") as printed:
        process = subprocess.Popen(
            demo_command(folder, "--serve", *programs),
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=printed,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
    running = Demo(process, folder, story_seconds=1_200)
    yield running
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(120)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


@pytest.fixture(scope="module")
def shell(installed: Installed, demo: Demo) -> Shell:
    """Somebody who has the wheel and nothing else, in a folder of their own."""
    typed = Shell(installed.clean, installed.home)
    where = (
        "--rpc", demo.rpc, "--deployment", str(demo.folder / "deployment.json"),
        "--key-file", str(demo.folder / "keys/guardian.json"), "--password-file", str(demo.folder / "keys/password"),
    )  # fmt: skip
    assert typed("context", "set", "demo", *where).status == 0
    return typed


def test_wheel__installed__brings_nothing_of_the_checkout(installed: Installed) -> None:
    code = "import assay, importlib.util as u, json; print(json.dumps([assay.__file__, bool(u.find_spec('ape'))]))"
    ran = subprocess.run(
        ["python", "-c", code], cwd=installed.home, env=installed.clean, capture_output=True, text=True, check=True
    )
    module, ape = json.loads(ran.stdout)
    assert Path(module).is_relative_to(installed.environment)
    assert not ape


@pytest.mark.parametrize("command", ["rent", "provider", "validator", "market", "watch", "check", "serve"])
def test_wheel__each_part_asked_for_help__gives_it(installed: Installed, command: str) -> None:
    shell = Shell(installed.clean, installed.home)
    ran = shell(command, "--help")
    assert ran.status == 0 and ran.out.startswith(f"Usage: assay {command} ")
    assert shell("--version").out.split() == ["assay", PROJECT["version"]]


def test_wheel__whole_demo__happens_in_its_environment(installed: Installed, demo: Demo) -> None:
    outcome = demo.outcome
    lease, slash = outcome["lease"], outcome["slash"]
    assert lease["claimed"] + lease["fee"] + lease["refunded"] == lease["deposit"] and lease["jobStatus"] == 0
    assert slash["bounty"] + slash["burned"] == slash["amount"] > 0
    running = [line for line in processes_of(demo.folder) if any(f"/assay {part} " in line for part in DAEMONS)]
    assert {part for part in DAEMONS if any(f"/assay {part} " in line for line in running)} == set(DAEMONS)
    programs = str(installed.environment / "bin")
    assert [line for line in running if not line.startswith(programs)] == []


def test_wheel__market__serves_the_scripts_of_its_pages(demo: Demo) -> None:
    named: set[str] = set()
    for page in demo.outcome["pages"].values():
        named |= set(re.findall(r'(?:src|href)="(/[^"]+/vendor/[^"]+)"', httpx2.get(page, timeout=60).text))
    assert {path.rsplit("/", 1)[1] for path in named} >= {"htmx.min.js", "uPlot.iife.min.js", "sha3.min.js"}
    for path in named:
        answer = httpx2.get(urljoin(demo.outcome["pages"]["market"], path), timeout=60)
        assert answer.status_code == 200 and len(answer.content) > 1_000, path


def test_wheel__its_user__rents_runs_a_job_and_ends_the_lease(demo: Demo, shell: Shell) -> None:
    assert demo.outcome
    # Whose device is on offer alone.
    north = "0x" + str(json.loads((demo.folder / "keys/north.json").read_text())["address"]).removeprefix("0x")

    def offered() -> list[dict[str, Any]]:
        ran = shell("search", "--provider", north, "-o", "json")
        return ran.json["devices"] if ran.status == 0 else []

    listing = until("a measured device on offer", offered, OFFER_SECONDS)[0]
    rented = shell("rent", listing["shortId"], "--duration", "10m", "--yes", "-o", "json", timeout=300).json
    lease = str(rented["leaseId"])
    ran = shell("run", lease, "--", "sh", "-c", "echo from the wheel; exit 3", timeout=180)
    assert (ran.status, ran.out) == (3, "from the wheel\n"), ran.err
    assert shell("end", lease, "--yes", timeout=180).status == 0


@pytest.mark.parametrize("extras", ["gpu,distributed", "gpu-cuda13,distributed"])
def test_wheel__with_extras__resolves(installed: Installed, extras: str) -> None:
    wanted = f"{PROJECT['name']}[{extras}] @ {installed.wheel.as_uri()}"
    python = installed.environment / "bin/python"
    resolved = subprocess.run(
        ["uv", "pip", "compile", "--no-header", "--no-annotate", "--python", str(python), "-"],
        input=wanted,
        cwd=installed.home,
        capture_output=True,
        text=True,
        timeout=INSTALL_SECONDS,
        check=False,
    )
    assert resolved.returncode == 0, resolved.stderr
    names = {line.split("==")[0] for line in resolved.stdout.splitlines()}
    assert names >= {"numba-cuda", "nvmath-python", "dask", "distributed"}

"""One run of the demo, as a user starts it: while its story goes on, others rent on its network."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
START_SECONDS, STORY_SECONDS, LOOK_SECONDS = 120.0, 280.0, 0.5


def until(what: str, condition: Callable[[], Any], seconds: float) -> Any:
    """What the condition gives once it gives something."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, f"{what}: not within {seconds:.0f} s"
        time.sleep(LOOK_SECONDS)
    return value


def demo_command(folder: Path, *more: str) -> list[str]:
    return ["ape", "run", "devnet", "demo", "--folder", str(folder), "--out", str(folder / "demo.json"), *more]


def processes_of(folder: Path) -> list[str]:
    """Command lines of living processes that name the folder."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            except (FileNotFoundError, ProcessLookupError):
                continue
            if str(folder) in line:
                found.append(line)
    return found


@dataclass
class Demo:
    """A demo that was started and leaves its network up when its story is over."""

    process: subprocess.Popen[str]
    folder: Path
    story_seconds: float = STORY_SECONDS
    _outcome: dict[str, Any] = field(default_factory=dict)

    def check(self) -> None:
        assert self.process.poll() is None, (self.folder / "printed").read_text()[-4000:]

    @property
    def outcome(self) -> dict[str, Any]:
        """What happened, once all of it has."""

        def told() -> bool:
            self.check()
            return (self.folder / "demo.json").exists()

        if not self._outcome:
            until("the story", told, self.story_seconds)
            self._outcome = json.loads((self.folder / "demo.json").read_text())
        return self._outcome

    @property
    def rpc(self) -> str:
        """Where the chain answers."""

        def listening() -> re.Match[str] | None:
            self.check()
            log = self.folder / "logs" / "anvil.log"
            return re.search(r"Listening on (\S+)", log.read_text()) if log.exists() else None

        return "http://" + str(until("the chain", listening, START_SECONDS)[1])


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


@dataclass(frozen=True)
class Shell:
    """A terminal of somebody on the demo's network, with a context in use."""

    environment: dict[str, str]
    folder: Path

    def __call__(self, *arguments: str, timeout: float = 90.0) -> Ran:
        done = subprocess.run(
            ["assay", *arguments],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=timeout,
            stdin=subprocess.DEVNULL,
            check=False,
        )
        return Ran(done.returncode, done.stdout, done.stderr)


def process_of_provider(demo: Demo, endpoint: str) -> int:
    """The daemon that listens at an endpoint."""
    port = endpoint.rsplit(":", 1)[1]
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            except (FileNotFoundError, ProcessLookupError):
                continue
            if " provider run " in line and f"--port {port} " in line and str(demo.folder) in line:
                return int(entry.name)
    raise AssertionError(f"no provider listens on {port}")


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    folder = tmp_path_factory.mktemp("demo")
    with (folder / "printed").open("w") as printed:
        process = subprocess.Popen(
            demo_command(folder, "--serve"),
            cwd=ROOT,
            stdout=printed,
            stderr=subprocess.STDOUT,
            text=True,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
    yield Demo(process, folder)
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


@pytest.fixture(scope="session")
def shell(demo: Demo, tmp_path_factory: pytest.TempPathFactory) -> Shell:
    """Somebody with money who has no part in the demo's story."""
    folder = tmp_path_factory.mktemp("renter")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ASSAY_")}
    environment |= {"ASSAY_CONTEXTS": str(folder / "contexts.json"), "NO_COLOR": "1"}
    typed = Shell(environment, folder)
    set_context = (
        "--rpc", demo.rpc, "--deployment", str(demo.folder / "deployment.json"),
        "--key-file", str(demo.folder / "keys/guardian.json"), "--password-file", str(demo.folder / "keys/password"),
        "--data-dir", str(folder / "data"),
    )  # fmt: skip
    assert typed("context", "set", "demo", *set_context).status == 0
    return typed


Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def start_demo(tmp_path: Path) -> Iterator[Start]:
    """Starts demos that a test ends itself; whatever still runs afterwards is killed."""
    running: list[subprocess.Popen[str]] = []

    def start(folder: Path, *more: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            demo_command(folder, *more),
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        running.append(process)
        return process

    yield start
    for process in running:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()

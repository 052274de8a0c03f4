"""One run of the demo, as a user starts it, shared by the tests that look at what it did."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
DEMO_SECONDS = 280


@dataclass(frozen=True)
class DemoRun:
    """What the demo left behind."""

    status: int
    printed: str
    folder: Path
    outcome: dict[str, Any]


def demo_command(folder: Path, out: Path, *more: str) -> list[str]:
    return ["ape", "run", "devnet", "demo", "--folder", str(folder), "--out", str(out), *more]


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


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> DemoRun:
    folder = tmp_path_factory.mktemp("demo")
    out = folder / "demo.json"
    done = subprocess.run(
        demo_command(folder, out), cwd=ROOT, capture_output=True, text=True, timeout=DEMO_SECONDS, check=False
    )
    printed = done.stdout + done.stderr
    assert out.exists(), f"status {done.returncode}: {printed[-4000:]}"
    return DemoRun(done.returncode, printed, folder, json.loads(out.read_text()))


Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def start_demo(tmp_path: Path) -> Iterator[Start]:
    """Starts demos that a test ends itself; whatever still runs afterwards is killed."""
    running: list[subprocess.Popen[str]] = []

    def start(folder: Path, *more: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            demo_command(folder, folder / "demo.json", *more),
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

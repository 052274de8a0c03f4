"""How a pod is told that its lease ends, on real pods: in time, in each way, and again where the end has moved."""

from __future__ import annotations

import contextlib
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.provider.conftest import until
from tests.integration.provider.pod_bench import PodBench

pytestmark = pytest.mark.deep
LEASE = 41
LISTENS = """
import signal, time
def save(*_): open("/workspace/saved", "a").write("x")
signal.signal(signal.SIGPWR, save)
open("/workspace/listens", "w").close()
while True: time.sleep(60)
"""


@pytest.fixture
def bench(engine: str, tmp_path: Path) -> Iterator[PodBench]:
    made = PodBench(engine, tmp_path, ("none",))
    yield made
    made.close()


def test_end__five_minutes_before__is_told_by_a_file_a_signal_and_on_each_terminal(bench: PodBench) -> None:
    bench.start(LEASE, seconds=900)
    workspace, tools = bench.pods.workspace(LEASE), bench.pods.tools_folder(LEASE)
    master, slave = os.openpty()
    shell = subprocess.Popen(
        bench.argv(LEASE, "sh", "-c", "echo up; sleep 600", tty=None), stdin=slave, stdout=slave, stderr=slave
    )
    os.close(slave)
    os.set_blocking(master, False)
    shown = b""

    def on_terminal(text: bytes) -> bool:
        nonlocal shown
        with contextlib.suppress(BlockingIOError):
            shown += os.read(master, 4096)
        return text in shown

    listens = subprocess.Popen(bench.argv(LEASE, "python3", "-c", LISTENS))
    deaf = subprocess.Popen(bench.argv(LEASE, "sleep", "600"))
    try:
        until(lambda: (workspace / "listens").exists() and on_terminal(b"up"), 30)
        time.sleep(2.0)
        assert bench.run(LEASE, "cat", "/run/assay/ending")[0] != 0 and not (workspace / "saved").exists()
        for times in (1, 2):
            # Notice or a refund brings the end nearer.
            near = time.time() + 200
            bench.pods.extend(LEASE, near)
            until(lambda: (tools / "ending").exists(), 10)
            assert bench.sh(LEASE, "cat /run/assay/ending /run/assay/ends-at").split() == [str(int(near))] * 2
            until(lambda count=times: (workspace / "saved").exists() and len(saved(workspace)) == count, 10)
            until(lambda: on_terminal(b"this lease ends in 3 min"), 10)
            time.sleep(2.0)
            assert len(saved(workspace)) == times  # once
            # Topped up, it goes on, and is told again in its time.
            bench.pods.extend(LEASE, time.time() + 900)
            assert bench.run(LEASE, "cat", "/run/assay/ending")[0] != 0
            shown = b""
            time.sleep(2.0)
        assert [one.poll() for one in (shell, listens, deaf)] == [None] * 3
    finally:
        for one in (shell, listens, deaf):
            one.kill()
            one.wait()
        os.close(master)


def saved(workspace: Path) -> str:
    return (workspace / "saved").read_text()

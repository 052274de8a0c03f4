"""A demo that cannot begin says why, and one that is stopped in the middle leaves nothing behind. While these run, the
demo whose story the other tests look at begins."""

from __future__ import annotations

import os
import signal
import socket
from pathlib import Path

from tests.end_to_end.conftest import Demo, Start, processes_of, until


def test_demo__beside_another_in_the_same_folder__is_refused(demo: Demo, start_demo: Start) -> None:
    assert demo.rpc
    second = start_demo(demo.folder)
    output, _ = second.communicate(timeout=60)
    assert second.returncode == 1
    assert "another network is running" in output
    demo.check()


def test_demo__with_a_port_in_use__says_which(tmp_path: Path, start_demo: Start) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        process = start_demo(tmp_path, "--port", str(port))
        output, _ = process.communicate(timeout=60)
    assert process.returncode == 1
    assert f"port {port} is in use" in output


def test_demo__interrupted_while_it_deploys__ends_its_children_and_says_so(tmp_path: Path, start_demo: Start) -> None:
    process = start_demo(tmp_path)
    until("the deployment", lambda: (tmp_path / "logs/deploy.log").exists(), 60)
    os.kill(process.pid, signal.SIGINT)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "everything that was started has ended" in output
    assert processes_of(tmp_path) == []

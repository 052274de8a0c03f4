"""A shell in a container of its own, tied to this process's terminal or pipes. Argument: its specification as JSON."""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import secrets
import select
import signal
import sys
import termios
import tty
from typing import Any

import docker
import docker.errors

from assay.provider.runtime.container_options import create, start_guarded
from assay.provider.runtime.supervisor import PR_SET_PDEATHSIG

PIECE = 1 << 16
ENDING = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)


def main(specification: dict[str, Any]) -> int:
    """Runs until the shell ends; its exit code. The container is removed whatever happens."""
    os.chdir("/")  # out of the renter's workspace
    # The daemon's death must reach the container, so it may not be this process's instant death.
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    for number in ENDING:
        signal.signal(number, _end)
    client = docker.DockerClient(base_url=specification["engine"], timeout=60)
    terminal = os.isatty(0)
    specification["name"] += f"-{secrets.token_hex(4)}"
    try:
        container = create(client, specification, tty=terminal, stdin_open=True)
        attached = container.attach_socket(params={"stdin": 1, "stdout": 1, "stderr": 1, "stream": 1})
        start_guarded(client, container, specification, None)
        before = termios.tcgetattr(0) if terminal else None
        if terminal:
            tty.setraw(0)
        try:
            copy(attached, terminal)
        finally:
            if before is not None:
                termios.tcsetattr(0, termios.TCSADRAIN, before)
        return int(container.wait(timeout=30)["StatusCode"])
    finally:
        # One that was signalled while the engine made it is known by its name only.
        for number in ENDING:
            signal.signal(number, signal.SIG_IGN)
        with contextlib.suppress(docker.errors.NotFound):
            client.api.remove_container(specification["name"], force=True, v=True)


def _end(_number: int, _frame: object) -> None:
    # The next signal must not end the end.
    for number in ENDING:
        signal.signal(number, signal.SIG_IGN)
    sys.exit(143)


def copy(attached: Any, terminal: bool) -> None:
    """Both ways until the container closes its end."""
    sock = getattr(attached, "_sock", attached)
    frames = Frames()
    sources = [0, sock]
    while True:
        ready, _, _ = select.select(sources, [], [])
        if sock in ready:
            data = sock.recv(PIECE)
            if not data:
                return
            for stream, piece in [(1, data)] if terminal else frames.split(data):
                os.write(stream, piece)
        if 0 in ready:
            data = os.read(0, PIECE)
            if data:
                sock.sendall(data)
            else:
                sources.remove(0)
                sock.shutdown(1)


class Frames:
    """Docker's stream without a terminal: 8 bytes of header (stream, length), then the piece."""

    def __init__(self) -> None:
        self._held = b""

    def split(self, data: bytes) -> list[tuple[int, bytes]]:
        """(1 or 2, piece) of every whole frame."""
        self._held += data
        pieces = []
        while len(self._held) >= 8:
            length = int.from_bytes(self._held[4:8], "big")
            if len(self._held) < 8 + length:
                break
            stream = 2 if self._held[0] == 2 else 1
            pieces.append((stream, self._held[8 : 8 + length]))
            self._held = self._held[8 + length :]
        return pieces


if __name__ == "__main__":
    sys.exit(main(json.loads(sys.argv[1])))

"""Removes a container whose keeper is gone: nothing of a lease runs on because a process of ours was killed.

Started by file path with an isolated interpreter, in a session of its own and as nobody's child, so that what kills the
daemon, the container's keeper and all below them does not kill it as well. Argument: JSON with the address of the
engine, the container's id, the keeper's process and when that started, and the file that holds the deadline (null
where the keeper alone decides).
"""

import http.client
import json
import os
import socket
import subprocess
import sys
import time
from http import HTTPStatus
from pathlib import Path

LOOK_S = 0.25
LATE_S = 5.0  # the keeper ends its container at the deadline itself; the guard only where it hangs
ASK_S = 20.0
AWAY_S = 120.0
GONE = (HTTPStatus.NO_CONTENT, HTTPStatus.NOT_FOUND)


class EngineConnection(http.client.HTTPConnection):
    """HTTP over the engine's unix socket."""

    def __init__(self, path: str) -> None:
        super().__init__("engine", timeout=ASK_S)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(ASK_S)
        self.sock.connect(self._path)


def watch_over(engine: str, container: str, deadline: Path | None) -> None:
    """Starts a guard over a container of this process, by its id: a later one may have its name. Only where the engine
    listens on a socket of this machine."""
    if not engine.startswith("unix://"):
        return
    watched = {
        "engine": engine.removeprefix("unix://"),
        "container": container,
        "keeper": os.getpid(),
        "ticks": start_ticks(os.getpid()),
        "deadline": str(deadline) if deadline else None,
    }
    subprocess.run(  # noqa: S603
        [sys.executable, "-I", "-S", __file__, json.dumps(watched)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        env={},
        cwd="/",
        timeout=ASK_S,
        check=True,
    )


def start_ticks(pid: int) -> int:
    """As in `process_start`, which an isolated interpreter does not find."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return -1
    state, *rest = stat.rpartition(")")[2].split()
    return -1 if state in ("Z", "X") else int(rest[18])


def is_over(deadline: str | None) -> bool:
    """Whether the deadline in a file is past for longer than a keeper takes."""
    if deadline is None:
        return False
    try:
        return time.time() > float(Path(deadline).read_text()) + LATE_S
    except FileNotFoundError:
        return True
    except ValueError:
        return False


def remove(engine: str, container: str) -> bool:
    """Whether the container is gone."""
    connection = EngineConnection(engine)
    try:
        connection.request("DELETE", f"/v1.41/containers/{container}?force=true&v=true")
        return connection.getresponse().status in GONE
    except OSError:
        return False
    finally:
        connection.close()


def main(watched: dict[str, object]) -> None:
    """Waits for the keeper's end, or for the deadline, and sees to it that the container is gone."""
    keeper, ticks = int(str(watched["keeper"])), watched["ticks"]
    deadline = watched["deadline"]
    while start_ticks(keeper) == ticks and not is_over(str(deadline) if deadline else None):
        time.sleep(LOOK_S)
    # The engine may be restarting: until it answers, the container may run. One whose socket stays away is gone.
    engine, seen = str(watched["engine"]), time.monotonic()
    while not remove(engine, str(watched["container"])) and time.monotonic() < seen + AWAY_S:
        seen = time.monotonic() if Path(engine).exists() else seen
        time.sleep(LOOK_S)


if __name__ == "__main__":
    # Who started this waits for it: once that has gone on, the guard stands.
    if os.fork() == 0:
        main(json.loads(sys.argv[1]))

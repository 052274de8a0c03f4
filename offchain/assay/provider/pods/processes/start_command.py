"""Runs the start command of a pod's image, and keeps its output in the pod's log, the newest of it.

Arguments: JSON with the command line that enters the pod, and the log. It ends with the pod.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

MAX_LOG = 8 << 20
PIECE = 1 << 16


def follow(argv: list[str], log: Path, limit: int = MAX_LOG) -> int:
    """Runs the command until it ends; its exit code. What is older than the newest `limit` to twice that is let go."""
    child = subprocess.Popen(  # noqa: S603
        argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd="/"
    )
    assert child.stdout is not None  # noqa: S101
    written, opened = 0, log.open("wb", buffering=0)
    while piece := os.read(child.stdout.fileno(), PIECE):
        if written + len(piece) > limit:
            opened.close()
            log.replace(log.with_name(f"{log.name}.1"))
            written, opened = 0, log.open("wb", buffering=0)
        try:
            opened.write(piece)
        except OSError:
            continue  # a full disk must not hold the command up
        written += len(piece)
    code = child.wait()
    opened.write(f"the start command ended with exit code {code}\n".encode())
    opened.close()
    return code


if __name__ == "__main__":
    if os.fork() == 0:
        asked = json.loads(sys.argv[1])
        sys.exit(follow(asked["argv"], Path(asked["log"])))

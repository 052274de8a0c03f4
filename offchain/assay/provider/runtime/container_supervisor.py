"""Runs one job in a container of Docker's API, on its own: it outlives the daemon, the container never outlives it.

Argument: the control folder, as for `supervisor`. The container engine enforces memory, processors and processes;
time, output and disk are watched from here.
"""

from __future__ import annotations

import json
import os
import re
import signal
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import docker
import docker.errors

from assay.provider.runtime.container_options import create, start_guarded
from assay.provider.runtime.engine_client import connect
from assay.provider.runtime.process_start import start_ticks
from assay.provider.runtime.pull_progress import LOG, PULLED
from assay.provider.runtime.supervisor import write_whole
from assay.provider.workloads.folder_walk import count

TICK_S = 0.1
DISK_EVERY_S = 2.0
MAX_REASON = 500  # characters
COULD_NOT, NOT_FOUND = 125, 127  # as a shell's and Docker's own exit codes
_NO_PROGRAM = re.compile(r'exec: "([^"]{1,200})": (?:executable file not found|stat [^:]*: no such file)')


def start_failure(error: Exception) -> tuple[int, str]:
    """(exit code, reason) of a container that did not start: in the engine's words, without its addresses."""
    told = str(getattr(error, "explanation", None) or error)
    if missing := _NO_PROGRAM.search(told):
        return NOT_FOUND, f"there is no {missing[1]!r} in the image"
    return COULD_NOT, told[:MAX_REASON]


class ContainerSupervisor:
    """One container from its image to its exit code."""

    def __init__(self, control: Path) -> None:
        self.control = control
        self.spec: dict[str, Any] = json.loads((control / "spec.json").read_text())
        self.limits: dict[str, Any] = self.spec["limits"]
        self.client = connect(self.spec["engine"], 120)
        self.stop_reason: str | None = None
        self.written = 0

    def on_signal(self, _number: int, _frame: object) -> None:
        reason = self.control / "stop"
        self.stop_reason = reason.read_text() if reason.exists() else "stopped"

    def run(self) -> dict[str, Any]:
        """The job's status, as it is written to `status.json`."""
        signal.signal(signal.SIGTERM, self.on_signal)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
        try:
            self.pull()
            if reason := self.stop_reason or self.too_late():
                return {"status": "killed", "exit_code": 137, "reason": reason}
            container, output = self.create()
        except (docker.errors.DockerException, OSError) as error:
            exit_code, reason = start_failure(error)
            return {"status": "failed", "exit_code": exit_code, "reason": f"could not start: {reason}"}
        try:
            return self.follow(container, output)
        finally:
            container.remove(force=True, v=True)

    def pull(self) -> None:
        """Fetches the image unless it is here; progress goes to `pull.log`."""
        image = self.spec["image"]
        try:
            self.client.images.get(image)
            return
        except docker.errors.ImageNotFound:
            pass
        repository, _, tag = image.rpartition(":") if ":" in image.rpartition("/")[2] else (image, "", "latest")
        with (self.control / LOG).open("w") as log:
            for line in self.client.api.pull(repository, tag=tag, stream=True, decode=True):
                log.write(json.dumps(line) + "\n")
                log.flush()
                if self.stop_reason or self.too_late():
                    return
        self.client.images.get(image)
        (self.control / PULLED).touch()

    def create(self) -> tuple[Any, Iterator[bytes]]:
        """The container, started, and what it prints."""
        container = create(self.client, self.spec)
        try:
            # Attached before it starts: nothing is missed, and lines come as they are written. Following the engine's
            # log would wait for its next look at a file, a quarter of a second with podman.
            output = container.attach(stream=True, stdout=True, stderr=True, logs=False)
            start_guarded(self.client, container, self.spec, self.control / "deadline")
        except BaseException:
            container.remove(force=True, v=True)
            raise
        return container, output

    def follow(self, container: Any, output: Iterator[bytes]) -> dict[str, Any]:
        """Copies output and waits for the end or for a limit."""
        copier = threading.Thread(target=self.copy_output, args=(output,), daemon=True)
        copier.start()
        started = sized = time.monotonic()
        reason = None
        while reason is None:
            container.reload()
            if container.status not in ("created", "running", "restarting"):
                break
            reason = self.limit_reached(started)
            if reason is None and time.monotonic() - sized > DISK_EVERY_S:
                sized = time.monotonic()
                if count(Path(self.spec["cwd"]))[1] > self.limits["disk_bytes"]:
                    reason = "disk limit"
            time.sleep(TICK_S)
        if reason is not None:
            container.kill()
        copier.join(timeout=10)
        container.reload()
        state = container.attrs["State"]
        if reason is None and state.get("OOMKilled"):
            reason = "memory limit"
        if reason is None and self.written >= self.limits["output_bytes"]:
            reason = "output limit"
        if reason is not None:
            return {"status": "killed", "exit_code": 137, "reason": reason}
        return {"status": "exited", "exit_code": int(state["ExitCode"]), "reason": None}

    def copy_output(self, output: Iterator[bytes]) -> None:
        """What the container prints, up to the limit. The rest is read all the same, or the engine waits for us."""
        with (self.control / "output.log").open("ab", buffering=0) as log:
            for piece in output:
                kept = piece[: self.limits["output_bytes"] - self.written]
                log.write(kept)
                self.written += len(kept)

    def limit_reached(self, started: float) -> str | None:
        if self.stop_reason:
            return self.stop_reason
        if self.written >= self.limits["output_bytes"]:
            return "output limit"
        if time.monotonic() - started > self.limits["wall_seconds"]:
            return "time limit"
        return self.too_late()

    def too_late(self) -> str | None:
        try:
            deadline = float((self.control / "deadline").read_text())
        except (FileNotFoundError, ValueError):
            deadline = 0.0
        return "lease over" if time.time() >= deadline else None


def main(control: Path) -> None:
    # A job may be ended as soon as the number of this process is known: the signal waits until it is answered.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    write_whole(control / "pid.json", {"pid": os.getpid(), "start_ticks": start_ticks(os.getpid())})
    try:
        supervisor = ContainerSupervisor(control)
        status = supervisor.run()
    except Exception as error:
        write_whole(control / "status.json", {"status": "failed", "exit_code": 125, "reason": str(error)[:500]})
        raise
    write_whole(control / "status.json", status)


if __name__ == "__main__":
    main(Path(sys.argv[1]))

"""A validator that is killed at every step of its own, each once in the whole network:
`python killed_validator.py FOLDER NAME` and then the options of `assay validator run`.

A step is a place in the code that writes to one of the journals (what was signed, what was sent, what is
known), before the write, within its transaction and after it; or a step of a transaction towards the chain.
Whichever validator of FOLDER comes to a step that nobody was killed at dies there by SIGKILL, unless another is
down. The process that is started forks the validator, and again when it was killed: loading everything anew
would take longer than what is tested.
"""

from __future__ import annotations

import ctypes
import fcntl
import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from simulation.slashable import place_of

from assay.chain.transactions.journal import Journal
from assay.chain.transactions.sender import Sender, SendStep
from assay.cli.app import main
from assay.protocol.hexadecimal import to_hex
from assay.protocol.signing import Domain
from assay.signing.record import SigningRecord
from assay.signing.seat_signer import SeatSigner
from assay.validator import process
from assay.validator.storage.store import Store
from assay.validator.storage.tables import open_database

_PR_SET_PDEATHSIG = 1


class Executioner:
    """Knows at which steps somebody died, and who is down now."""

    def __init__(self, folder: Path, name: str) -> None:
        self._killed, self._times, self._down = folder / "killed", folder / "times", folder / "down"
        self._lock = (folder / "lock").open("a")
        self._name = name
        self._seen: set[str] = set()

    def step(self, step: str) -> None:
        """Dies here if nobody has yet."""
        if step in self._seen:
            return
        with self._alone():
            killed = set(self._killed.read_text().splitlines()) if self._killed.exists() else set()
            if step in killed:
                self._seen.add(step)
                return
            if self._down.exists() and self._down.read_text() != self._name:
                return  # one of four at a time; somebody comes by here again
            self._down.write_text(self._name)
            with self._killed.open("a") as file:
                file.write(f"{step}\n")
            with self._times.open("a") as file:
                file.write(f"{time.time()}\n")
        os.kill(os.getpid(), signal.SIGKILL)

    def back(self) -> None:
        """Called when this validator runs: another may die."""
        with self._alone():
            if self._down.exists() and self._down.read_text() == self._name:
                self._down.unlink()

    @contextmanager
    def _alone(self) -> Iterator[None]:
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.flock(self._lock, fcntl.LOCK_UN)


def place_in_code(owner: type) -> str:
    """Which method of `owner` is at work, which function calls it, and on behalf of which public one."""
    frame, found, callers = sys._getframe(1), "", []
    while frame is not None:
        name = frame.f_code.co_qualname
        if name.startswith(f"{owner.__name__}."):
            found, callers = name, []
        elif found:
            callers.append(name)
        frame = frame.f_back
    public = next((name for name in callers if not name.rpartition(".")[2].startswith("_")), "")
    return " from ".join(dict.fromkeys([found, *callers[:1], public]))


def watch_transactions(owner: type, step: Callable[[str], None]) -> None:
    """Three steps for each transaction of a journal that keeps its own SQLite."""
    honest = owner._transaction

    @contextmanager
    def watched(self: Any) -> Iterator[None]:
        name = place_in_code(owner)
        step(f"{name} before")
        with honest(self):
            yield
            step(f"{name} within")
        step(f"{name} after")

    owner._transaction = watched


class WatchedEngine:
    """A database's engine with three steps for each transaction."""

    def __init__(self, engine: Any, step: Callable[[str], None]) -> None:
        self._engine, self._step = engine, step

    def connect(self) -> Any:
        return self._engine.connect()

    @contextmanager
    def begin(self) -> Iterator[Any]:
        name = place_in_code(Store)
        self._step(f"{name} before")
        with self._engine.begin() as db:
            yield db
            self._step(f"{name} within")
        self._step(f"{name} after")


def watch_sender(step: Callable[[str], None]) -> None:
    """A step for each that the sender names, whatever it sends."""
    honest = Sender.__init__

    def watched(self: Sender, *arguments: Any, **options: Any) -> None:
        def on_step(reached: SendStep, intent: Any) -> None:
            step(f"Sender.{reached.name} of {intent.label if intent else 'a call'}")

        honest(self, *arguments, **options, on_step=on_step)

    Sender.__init__ = watched


def watch_statements(said: Path) -> None:
    """Writes down every signature that could leave: what for, and what it says."""
    honest = SeatSigner._state

    async def watched(self: SeatSigner, message: Any) -> bytes:
        signature = await honest(self, message)
        domain: Domain = self._domain
        place = [to_hex(part) if isinstance(part, bytes) else part for part in place_of(message)]
        with said.open("a") as file:
            file.write(json.dumps([place, to_hex(message.digest(domain))]) + "\n")
        return signature

    SeatSigner._state = watched


def live(folder: Path, name: str, options: list[str]) -> None:
    """One life of the validator."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    executioner = Executioner(folder, name)
    watch_transactions(Journal, executioner.step)
    watch_transactions(SigningRecord, executioner.step)
    process.open_database = lambda path: WatchedEngine(open_database(path), executioner.step)
    watch_sender(executioner.step)
    watch_statements(folder / f"{name}.said")
    honest = process.Daemon.run

    async def running(self: process.Daemon) -> None:
        executioner.back()
        await honest(self)

    process.Daemon.run = running
    main(["validator", "run", *options])


def lives(folder: Path, name: str, options: list[str]) -> int:
    """One after the other, for as long as it is SIGKILL that ends them."""
    while True:
        child = os.fork()
        if child == 0:
            live(folder, name, options)
            os._exit(0)
        signal.signal(signal.SIGTERM, lambda *_, child=child: os.kill(child, signal.SIGTERM))
        _, status = os.waitpid(child, 0)
        ended = os.waitstatus_to_exitcode(status)
        if ended != -signal.SIGKILL:
            return ended


if __name__ == "__main__":
    sys.exit(lives(Path(sys.argv[1]), sys.argv[2], sys.argv[3:]))

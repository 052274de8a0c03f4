"""Child processes: each with its log, none outliving this one."""

from __future__ import annotations

import asyncio
import ctypes
import os
import shutil
import signal
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from assay.devnet.errors import ChildFailed, ProgramMissing

PR_SET_PDEATHSIG = 1
TAIL_CHARACTERS = 2_000
GRACE_SECONDS = 6.0

_libc = ctypes.CDLL(None, use_errno=True)


def _die_with_parent() -> None:
    # A parent that is killed outright cannot clean up, so the kernel does (Linux, prctl(2)).
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def _program(name: str | Path, environment: Mapping[str, str]) -> str:
    """Where the program is, by the children's own PATH. Raises ProgramMissing."""
    found = shutil.which(str(name), path=environment.get("PATH"))
    if found is None:
        raise ProgramMissing(str(name))
    return found


def _tail(log: Path) -> str:
    return log.read_text(errors="replace")[-TAIL_CHARACTERS:]


@dataclass
class Child:
    """One running process and where it logs."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path


@dataclass
class Processes:
    """Starts children in groups of their own and stops them all, last started first."""

    environment: Mapping[str, str]
    children: list[Child] = field(default_factory=list)

    def start(self, name: str, arguments: Sequence[str | Path], log: Path) -> Child:
        """Start a daemon; what it prints goes to `log`."""
        with log.open("ab") as output:
            program = _program(arguments[0], self.environment)
            process = subprocess.Popen(  # noqa: S603 - our own commands
                [program, *map(str, arguments[1:])],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=dict(self.environment),
                start_new_session=True,
                preexec_fn=_die_with_parent,
            )
        child = Child(name, process, log)
        self.children.append(child)
        return child

    async def run(
        self, name: str, arguments: Sequence[str | Path], log: Path, accept: frozenset[int] = frozenset({0})
    ) -> str:
        """Run a command to its end and return its standard output. Raises ChildFailed on another status."""
        with log.open("ab") as errors:
            process = await asyncio.create_subprocess_exec(
                _program(arguments[0], self.environment),
                *map(str, arguments[1:]),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=errors,
                env=dict(self.environment),
                start_new_session=True,
                preexec_fn=_die_with_parent,
            )
            try:
                output, _ = await process.communicate()
            except asyncio.CancelledError:
                if process.returncode is None:
                    os.killpg(process.pid, signal.SIGKILL)
                    await process.wait()
                raise
        text = output.decode(errors="replace")
        with log.open("a") as written:
            written.write(text)
        status = process.returncode if process.returncode is not None else -1
        if status not in accept:
            raise ChildFailed(name, status, log, _tail(log))
        return text

    def check(self) -> None:
        """Raise ChildFailed if a daemon has ended."""
        for child in self.children:
            status = child.process.poll()
            if status is not None:
                raise ChildFailed(child.name, status, child.log, _tail(child.log))

    def named(self, name: str) -> list[Child]:
        """Those that run under a name."""
        return [child for child in self.children if child.name == name]

    def stop(self, *children: Child) -> None:
        """End these children: ask first, then kill what has not ended in time."""
        for child in children:
            # From here on its end is no failure.
            self.children.remove(child)
            _signal_group(child.process.pid, signal.SIGTERM)
        for child in children:
            try:
                child.process.wait(GRACE_SECONDS)
            except subprocess.TimeoutExpired:
                _signal_group(child.process.pid, signal.SIGKILL)
                child.process.wait()
            # What the child itself started and left behind shares its group.
            _signal_group(child.process.pid, signal.SIGKILL)

    def stop_all(self) -> None:
        """End every child, last started first."""
        self.stop(*reversed(self.children))


def _signal_group(group: int, number: signal.Signals) -> None:
    try:
        os.killpg(group, number)
    except ProcessLookupError:
        return

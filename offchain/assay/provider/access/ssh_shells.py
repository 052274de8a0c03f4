"""Shells of leases: each in the runtime's walls, in a terminal where one was asked for, dead with the lease."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import signal
import struct
import subprocess
import termios
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from typing import Any

import asyncssh

from assay.provider.errors import ProviderError
from assay.provider.runtime.supervisor import apply_limits, descendants
from assay.provider.runtime.workload import Runtime, Workload
from assay.provider.workloads.jobs import OpenShells

WATCH_S = 0.05
ASK_S = 3.0
SHELL = "/bin/sh"
PIECE = 1 << 16
INTERRUPT, END_OF_INPUT = b"\x03", b"\x04"


class Shells:
    """Starts shells and ends them when `deadline` of their lease is past. `workload` describes a lease's shell, and
    raises ProviderError for one that may not be; `most` is how many shells a lease may have open.
    """

    def __init__(
        self,
        runtime: Runtime,
        workload: Callable[[int, tuple[str, ...]], Workload],
        deadline: Callable[[int], float],
        clock: Callable[[], float],
        shells: OpenShells,
        most: Callable[[int], int],
    ) -> None:
        self._runtime = runtime
        self._workload = workload
        self._deadline = deadline
        self._clock = clock
        self._shells = shells
        self._most = most
        self._children: dict[int, int] = {}

    def over(self, lease_id: int) -> bool:
        """Whether a lease has no right to a shell, nor to any other channel."""
        return self._clock() >= self._deadline(lease_id)

    def processes(self, lease_id: int) -> list[int]:
        """The processes of a lease's open shells, newest first."""
        return [pid for pid, held_by in reversed(self._children.items()) if held_by == lease_id]

    async def serve(self, process: Any, lease_id: int) -> None:
        """Runs the command that an SSH channel asks for, or a shell, until it ends or the lease does."""
        command = (SHELL, "-c", process.command) if process.command else (SHELL, "-i")
        try:
            with self._shells.one(lease_id, await asyncio.to_thread(self._most, lease_id)):
                await self._run(process, lease_id, command)
        except (ProviderError, OSError) as error:
            with contextlib.suppress(OSError, asyncssh.Error):
                text = f"{error}\n"
                process.stderr.write(text.encode("utf-8", "backslashreplace"))
                process.exit(1)

    async def _run(self, process: Any, lease_id: int, command: tuple[str, ...]) -> None:
        workload = await asyncio.to_thread(self._workload, lease_id, command)
        argv = await asyncio.to_thread(self._runtime.shell, workload)
        if argv is None:
            process.stderr.write(f"the runtime {self._runtime.name!r} offers no shell\n".encode())
            process.exit(1)
            return
        environment = {"TERM": process.term_type or "dumb", "PATH": "/usr/local/bin:/usr/bin:/bin"}
        if process.term_type is not None:  # a client without TERM asks for one of no name
            await self._in_terminal(process, lease_id, argv, workload, environment)
        else:
            await self._in_pipes(process, lease_id, argv, workload, environment)

    async def _in_terminal(
        self, process: Any, lease_id: int, argv: list[str], workload: Workload, environment: dict[str, str]
    ) -> None:
        master, slave = os.openpty()
        width, height, _, _ = process.term_size
        fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))

        def become_leader() -> None:
            fcntl.ioctl(0, termios.TIOCSCTTY, 0)
            apply_limits(_limits(workload))

        child = subprocess.Popen(  # noqa: S603, ASYNC220 - the death signal is bound to the thread that forks
            argv,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            cwd=workload.workspace,
            env=environment,
            start_new_session=True,
            preexec_fn=become_leader,
        )
        os.close(slave)
        bridge = TerminalBridge(process, master)
        feeding = asyncio.create_task(bridge.feed())
        try:
            await self._until_over(process, lease_id, child, bridge.ended)
        finally:
            feeding.cancel()
            bridge.close()

    async def _in_pipes(
        self, process: Any, lease_id: int, argv: list[str], workload: Workload, environment: dict[str, str]
    ) -> None:
        child = subprocess.Popen(  # noqa: S603, ASYNC220 - the death signal is bound to the thread that forks
            argv,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=workload.workspace,
            env=environment,
            start_new_session=True,
            preexec_fn=lambda: apply_limits(_limits(workload)),
        )
        await process.redirect(stdin=child.stdin, stdout=child.stdout, stderr=child.stderr, send_eof=False)

        async def passed_on() -> None:
            await process.stdout.drain()
            await process.stderr.drain()

        await self._until_over(process, lease_id, child, passed_on)
        # Until then the channel holds on to the pipes that it was given.
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(process.wait_closed(), ASK_S)

    async def _until_over(
        self,
        process: Any,
        lease_id: int,
        child: subprocess.Popen[bytes],
        passed_on: Callable[[], Awaitable[None]],
    ) -> None:
        """Waits for the end; `passed_on` returns once all that was written has been sent."""
        self._children[child.pid] = lease_id
        try:
            while child.poll() is None and not process.is_closing():
                if self.over(lease_id):
                    break
                await asyncio.sleep(WATCH_S)
        finally:
            del self._children[child.pid]
            await asyncio.to_thread(_end, child)
        with contextlib.suppress(OSError, asyncssh.Error, TimeoutError):
            await asyncio.wait_for(passed_on(), ASK_S)
        code = child.returncode
        process.exit(code if code >= 0 else 128 - code)


class TerminalBridge:
    """Between an SSH channel and the master side of a terminal; closes neither child nor channel."""

    def __init__(self, process: Any, master: int) -> None:
        self._process = process
        self._master = master
        self._over = asyncio.Event()
        asyncio.get_running_loop().add_reader(master, self._read)

    def _read(self) -> None:
        try:
            data = os.read(self._master, PIECE)
        except OSError:  # EIO: nobody holds the other side any more
            data = b""
        if data:
            self._process.stdout.write(data)
        else:
            asyncio.get_running_loop().remove_reader(self._master)
            self._over.set()

    async def feed(self) -> None:
        """Passes keys and changes of size on until the channel's end."""
        while not self._process.stdin.at_eof():
            try:
                data = await self._process.stdin.read(PIECE)
            except asyncssh.TerminalSizeChanged as size:
                fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("HHHH", size.height, size.width, 0, 0))
                continue
            except (asyncssh.BreakReceived, asyncssh.SignalReceived):
                data = INTERRUPT
            # A terminal that takes no more must not hold up everybody else.
            await asyncio.to_thread(os.write, self._master, data or END_OF_INPUT)

    async def ended(self) -> None:
        """Returns when everything that was written to the terminal has been read."""
        await self._over.wait()

    def close(self) -> None:
        """Lets the terminal go."""
        asyncio.get_running_loop().remove_reader(self._master)
        os.close(self._master)


def _end(child: subprocess.Popen[bytes]) -> None:
    """Ends what is left of a shell, first by asking, then with all below it, and waits for it."""
    below = descendants(child.pid)
    if child.poll() is None:
        for number in (signal.SIGHUP, signal.SIGTERM):
            with contextlib.suppress(ProcessLookupError):
                os.kill(child.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(timeout=ASK_S)
    for one in {child.pid, *below, *descendants(child.pid)} if child.poll() is None else set(below):
        with contextlib.suppress(ProcessLookupError):
            os.kill(one, signal.SIGKILL)
    child.wait()


def _limits(workload: Workload) -> dict[str, Any]:
    return asdict(workload.limits)

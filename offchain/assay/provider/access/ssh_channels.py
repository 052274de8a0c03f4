"""A session channel and the program behind it: pipes or a terminal, input, output, signals, and the end."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import fcntl
import os
import re
import signal
import struct
import subprocess
import termios
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import asyncssh
import structlog

from assay.provider.access.ssh_programs import Launch, ProgramRequest, Programs
from assay.provider.errors import ProviderError
from assay.provider.runtime.supervisor import PR_SET_PDEATHSIG, apply_limits, descendants

PIECE = 1 << 20  # read at once, and as much as a pipe of ours holds
MAX_HELD = 1 << 20  # bytes of input that a program has not taken yet, before the client is held up
LOOK_S = 0.2
ASK_S = 3.0
F_SETPIPE_SZ = 1031
MAX_VARIABLES, MAX_VALUE = 64, 4096
TAKEN = re.compile(
    r"LANG|LANGUAGE|LC_[A-Z]{1,32}|TZ|COLORTERM|TERM_PROGRAM(_VERSION)?"
)  # as Debian's sshd, and harmless
END_OF_INPUT = b"\x04"
STDERR = 1  # the number that SSH has for it
SIGNALS = frozenset({"ABRT", "ALRM", "HUP", "INT", "KILL", "PIPE", "QUIT", "TERM", "USR1", "USR2"})

log = structlog.get_logger()


@dataclass(frozen=True)
class Terminal:
    """What a client says of its terminal."""

    name: str
    columns: int
    rows: int
    modes: Mapping[int, int]

    def packed(self) -> bytes:
        """As the kernel takes a size."""
        return struct.pack("HHHH", self.rows & 0xFFFF, self.columns & 0xFFFF, 0, 0)


class ProgramChannel(asyncssh.SSHServerSession):  # type: ignore[misc]
    """One session channel. `agent` gives the path, inside, of the forwarded agent's socket, None where there is none;
    `over` says whether the lease has no right to channels any more."""

    def __init__(
        self,
        programs: Programs,
        lease_id: int,
        over: Callable[[], bool],
        agent: Callable[[], str | None],
        ended: Callable[[ProgramChannel], None],
    ) -> None:
        self._programs = programs
        self._lease_id = lease_id
        self._over = over
        self._agent = agent
        self._ended = ended
        self._channel: Any = None
        self._terminal: Terminal | None = None
        self._wanted: ProgramRequest | None = None
        self._streams: Streams | None = None
        self._child: subprocess.Popen[bytes] | None = None
        self._early: list[bytes] = []
        self._early_eof = False
        self._gone = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def connection_made(self, chan: Any) -> None:
        """Keeps the channel."""
        self._channel = chan
        chan.set_write_buffer_limits(high=PIECE, low=PIECE // 4)

    def pty_requested(self, term_type: str, term_size: tuple[int, int, int, int], term_modes: dict[int, int]) -> bool:
        """Notes the terminal, which is made when the program starts."""
        # A client without TERM asks for one of no name.
        self._terminal = Terminal(term_type or "dumb", term_size[0], term_size[1], term_modes)
        return True

    def shell_requested(self) -> bool:
        """Every lease has a shell."""
        self._wanted = ProgramRequest("shell")
        return True

    def exec_requested(self, command: str) -> bool:
        """Any command, as the shell there takes it."""
        self._wanted = ProgramRequest("command", command)
        return True

    def subsystem_requested(self, subsystem: str) -> bool:
        """SFTP, and nothing else."""
        self._wanted = ProgramRequest("sftp")
        return subsystem == "sftp"

    def session_started(self) -> None:
        """Starts the program."""
        self._task = asyncio.get_running_loop().create_task(self._run())

    def data_received(self, data: bytes, _datatype: int | None) -> None:
        """Input for the program."""
        if self._streams is None:
            self._early.append(data)
            self._channel.pause_reading()
        else:
            self._streams.feed(data)

    def eof_received(self) -> bool:
        """The end of the input; output may follow."""
        if self._streams is None:
            self._early_eof = True
        else:
            self._streams.end_input()
        return True

    def terminal_size_changed(self, width: int, height: int, _pixwidth: int, _pixheight: int) -> None:
        """Passes a new size on; the kernel tells the program."""
        if self._terminal is not None and self._streams is not None:
            self._streams.resize(Terminal("", width, height, {}))

    def signal_received(self, signal: str) -> None:
        """Passes a signal on to the program."""
        if signal in SIGNALS and self._child is not None and self._child.poll() is None:
            self._child.send_signal(_number(signal))

    def break_received(self, _msec: int) -> bool:
        """As Ctrl-C."""
        self.signal_received("INT")
        return True

    def pause_writing(self) -> None:
        """The client takes no more for now."""
        if self._streams is not None:
            self._streams.pause_output()

    def resume_writing(self) -> None:
        """The client takes more again."""
        if self._streams is not None:
            self._streams.resume_output()

    def connection_lost(self, _error: Exception | None) -> None:
        """The channel is over: so is its program, though not what left it."""
        self._gone.set()
        if self._task is None:
            self._ended(self)

    async def _run(self) -> None:
        try:
            code = await self._served()
        except (ProviderError, OSError, subprocess.SubprocessError) as error:
            with contextlib.suppress(OSError, asyncssh.Error):
                self._channel.write(f"{error}\n".encode("utf-8", "backslashreplace"), STDERR)
            code = 1
        finally:
            self._ended(self)
        with contextlib.suppress(OSError, asyncssh.Error):
            self._channel.exit(code)

    async def _served(self) -> int:
        wanted = self._wanted
        if wanted is None or self._over():
            raise ProviderError(f"lease {self._lease_id} is over")
        with self._programs.counted(self._lease_id):
            name = None if self._terminal is None else self._terminal.name
            environment = {**accepted(self._channel.get_environment()), **connection_of(self._channel)}
            if (agent := self._agent()) is not None:
                environment["SSH_AUTH_SOCK"] = agent
            whole = ProgramRequest(wanted.kind, wanted.command, name, environment)
            launch = await asyncio.to_thread(self._programs.launch, self._lease_id, whole)
            if self._gone.is_set():
                return 1
            log.info("program started by ssh", lease=self._lease_id, kind=wanted.kind)
            return await self._until_over(launch)

    async def _until_over(self, launch: Launch) -> int:
        child, streams = start(launch, self._terminal, self._channel)
        self._child, self._streams = child, streams
        ending = ChildEnd(child)
        self._programs.opened(self._lease_id, child.pid)
        try:
            for data in self._early:
                streams.feed(data)
            self._early.clear()
            if self._early_eof:
                streams.end_input()
            self._channel.resume_reading()
            done = asyncio.ensure_future(_finished(ending, streams, launch))
            gone = asyncio.ensure_future(self._gone.wait())
            try:
                while not (done.done() or gone.done() or self._over()):
                    await asyncio.wait({done, gone}, timeout=LOOK_S, return_when=asyncio.FIRST_COMPLETED)
            finally:
                done.cancel()
                gone.cancel()
        finally:
            self._programs.closed(self._lease_id, child.pid)
            await asyncio.to_thread(end, child, launch)
            streams.read_rest()
            streams.close()
            ending.close()
        code = child.returncode
        return code if code >= 0 else 128 - code


async def _finished(ending: ChildEnd, streams: Streams, launch: Launch) -> None:
    """Returns when the program has ended and, as with OpenSSH, whatever else writes to its output has, too. Walls that
    stand for this one program end what it left behind."""
    await ending.wait()
    # Not wait_for: before Python 3.12 it swallows a cancellation that comes with the last of the output.
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(ASK_S if launch.walled else None):
            await streams.drained()


class ChildEnd:
    """Tells when a child of ours has ended, without asking again and again."""

    def __init__(self, child: subprocess.Popen[bytes]) -> None:
        self._child = child
        self._event = asyncio.Event()
        self._handle = os.pidfd_open(child.pid)
        asyncio.get_running_loop().add_reader(self._handle, self._ended)

    def _ended(self) -> None:
        self._event.set()
        asyncio.get_running_loop().remove_reader(self._handle)

    async def wait(self) -> None:
        """Returns when it has."""
        await self._event.wait()

    def close(self) -> None:
        """Asks no more."""
        asyncio.get_running_loop().remove_reader(self._handle)
        os.close(self._handle)


class Streams:
    """Between a channel and the descriptors of its program: big pieces, few calls, and neither side ahead of the other.

    `outputs` maps descriptors that are read to the channel's number for them. A terminal is `source` and output in one.
    """

    def __init__(self, channel: Any, source: int, outputs: dict[int, int | None], terminal: bool) -> None:
        self._loop = asyncio.get_running_loop()
        self._channel = channel
        self._source: int | None = source
        self._outputs = outputs
        self._terminal = terminal
        self._all = {source, *outputs}
        self._reading = set[int]()
        self._open = set(outputs)
        self._waiting: list[bytes | memoryview] = []
        self._held = 0
        self._eof = self._pushing = self._full = self._paused = False
        self._over = asyncio.Event()
        for one in self._all:
            os.set_blocking(one, False)
            if not terminal:
                with contextlib.suppress(OSError):  # a user's share of pipe memory is used up
                    fcntl.fcntl(one, F_SETPIPE_SZ, PIECE)
        self.resume_output()

    def feed(self, data: bytes) -> None:
        """Input. It is passed on once for all that one reading of the connection brought."""
        if self._source is None:
            return
        self._waiting.append(data)
        self._held += len(data)
        if self._held > MAX_HELD and not self._paused:
            self._paused = True
            self._channel.pause_reading()
        self._soon()

    def end_input(self) -> None:
        """No more input comes."""
        self._eof = True
        if self._terminal and self._source is not None:
            self._waiting.append(END_OF_INPUT)
        self._soon()

    def _soon(self) -> None:
        if not self._pushing and not self._full:
            self._pushing = True
            self._loop.call_soon(self._push)

    def _push(self) -> None:
        self._pushing = False
        while self._waiting and self._source is not None:
            try:
                self._taken(os.writev(self._source, self._waiting[:64]))
            except BlockingIOError:
                if not self._full:
                    self._full = True
                    self._loop.add_writer(self._source, self._push)
                return
            except OSError:  # the program does not read any more
                self._waiting.clear()
                self._held = 0
                self._let_go()
        if self._full and self._source is not None:
            self._full = False
            self._loop.remove_writer(self._source)
        if self._paused and self._held <= MAX_HELD // 4:
            self._paused = False
            self._channel.resume_reading()
        if self._eof and not self._terminal:
            self._let_go()

    def _taken(self, count: int) -> None:
        self._held = max(0, self._held - count)
        whole = 0
        while whole < len(self._waiting) and count >= len(self._waiting[whole]):
            count -= len(self._waiting[whole])
            whole += 1
        del self._waiting[:whole]
        if count:
            self._waiting[0] = memoryview(self._waiting[0])[count:]

    def _let_go(self) -> None:
        """Closes the program's input."""
        if self._source is None or self._terminal:
            return
        self._loop.remove_writer(self._source)
        os.close(self._source)
        self._all.discard(self._source)
        self._source = None

    def resize(self, size: Terminal) -> None:
        """Gives the terminal a size."""
        if self._terminal and self._source is not None:
            with contextlib.suppress(OSError):
                fcntl.ioctl(self._source, termios.TIOCSWINSZ, size.packed())

    def pause_output(self) -> None:
        """Leaves output where it is: the program is held up once its pipe is full."""
        for one in self._reading:
            self._loop.remove_reader(one)
        self._reading.clear()

    def resume_output(self) -> None:
        """Reads output as it comes."""
        for one in self._open - self._reading:
            self._loop.add_reader(one, self._read, one)
            self._reading.add(one)

    def _read(self, one: int) -> bool:
        try:
            data = os.read(one, PIECE)
        except BlockingIOError:
            return False
        except OSError:  # EIO: nobody holds the terminal's other side any more
            data = b""
        if not data:
            self._open.discard(one)
            self._reading.discard(one)
            self._loop.remove_reader(one)
            if not self._open:
                self._over.set()
            return False
        with contextlib.suppress(OSError, asyncssh.Error):
            self._channel.write(data, self._outputs[one])
        return True

    def read_rest(self) -> None:
        """What is in the pipes at the end, as much as one piece each."""
        for one in set(self._open):
            self._read(one)

    async def drained(self) -> None:
        """Returns when all that was written has been read and nobody can write more."""
        await self._over.wait()

    def close(self) -> None:
        """Lets every descriptor go."""
        self._source = None
        self._waiting.clear()
        for one in self._all:
            self._loop.remove_reader(one)
            self._loop.remove_writer(one)
            os.close(one)
        self._all.clear()
        self._open.clear()
        self._reading.clear()
        self._over.set()


def accepted(asked: Mapping[str, str]) -> dict[str, str]:
    """What of a client's environment a program gets: language and terminal, nothing that changes what is run."""
    taken = {name: value for name, value in asked.items() if TAKEN.fullmatch(name)}
    fit = {name: value for name, value in taken.items() if len(value) <= MAX_VALUE and "\x00" not in value}
    return dict(list(fit.items())[:MAX_VARIABLES])


def connection_of(channel: Any) -> dict[str, str]:
    """What OpenSSH tells a program of its connection, by which shells and editors know that they are remote."""
    peer, here = (channel.get_extra_info(name) for name in ("peername", "sockname"))
    if not peer or not here:
        return {}
    client, port = peer[0], peer[1]
    return {"SSH_CLIENT": f"{client} {port} {here[1]}", "SSH_CONNECTION": f"{client} {port} {here[0]} {here[1]}"}


def start(launch: Launch, terminal: Terminal | None, channel: Any) -> tuple[subprocess.Popen[bytes], Streams]:
    """Starts the command line in a terminal or with pipes. Raises OSError. From the thread of the event loop only: the
    death signal is bound to the thread that forks."""
    if terminal is not None:
        return _in_terminal(launch, terminal, channel)
    child = subprocess.Popen(  # noqa: S603
        launch.argv,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        bufsize=0,
        cwd=launch.folder,
        env=dict(launch.environment),
        start_new_session=True,
        preexec_fn=lambda: _become(launch),
    )
    assert child.stdin and child.stdout and child.stderr  # noqa: S101
    pipes = [os.dup(pipe.fileno()) for pipe in (child.stdin, child.stdout, child.stderr)]
    for pipe in (child.stdin, child.stdout, child.stderr):
        pipe.close()
    return child, Streams(channel, pipes[0], {pipes[1]: None, pipes[2]: STDERR}, terminal=False)


def _in_terminal(launch: Launch, terminal: Terminal, channel: Any) -> tuple[subprocess.Popen[bytes], Streams]:
    master, slave = os.openpty()
    try:
        fcntl.ioctl(master, termios.TIOCSWINSZ, terminal.packed())

        def become_leader() -> None:
            fcntl.ioctl(0, termios.TIOCSCTTY, 0)
            _become(launch)

        child = subprocess.Popen(  # noqa: S603
            launch.argv,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            cwd=launch.folder,
            env=dict(launch.environment),
            start_new_session=True,
            preexec_fn=become_leader,
        )
    except BaseException:
        os.close(master)
        raise
    finally:
        os.close(slave)
    return child, Streams(channel, master, {master: None}, terminal=True)


def _become(launch: Launch) -> None:
    """In the child: this daemon's death ends the program, and limits hold where the walls have none of their own."""
    if launch.limits is not None:
        apply_limits(dict(launch.limits))
    else:
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGHUP)


def end(child: subprocess.Popen[bytes], launch: Launch) -> None:
    """Ends what is left of a program, first by asking, and waits for it. Walls that stand for one program only go with
    all below it; in a pod what has left the program, as tmux and nohup do, stays until the pod's end."""
    below = descendants(child.pid) if launch.walled else []
    for number in (signal.SIGHUP, signal.SIGTERM):
        if child.poll() is not None:
            break
        with contextlib.suppress(ProcessLookupError):
            os.kill(child.pid, number)
        if number == signal.SIGHUP and not launch.walled:
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(timeout=ASK_S)
    with contextlib.suppress(subprocess.TimeoutExpired):
        child.wait(timeout=ASK_S)
    last = {*below, *descendants(child.pid)} if launch.walled else set()
    if child.poll() is None:
        last.add(child.pid)
    for one in last:
        with contextlib.suppress(ProcessLookupError):
            os.kill(one, signal.SIGKILL)
    child.wait()


def _number(name: str) -> int:
    return int(signal.Signals[f"SIG{name}"])

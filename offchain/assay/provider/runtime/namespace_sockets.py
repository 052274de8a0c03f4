"""Sockets in the namespaces of a workload: the way in and out for forwarded ports and sockets in files, without a
network of its own.

A process cannot leave its threads in two namespaces, so a small one of its own enters the workload's and passes sockets
back. Started by file path with an isolated interpreter: it imports the standard library only, and nothing at all
once it is inside, where files are the workload's.
"""

import array
import contextlib
import ctypes
import os
import socket
import subprocess
import sys
from pathlib import Path

CLONE_NEWNS = 0x00020000
CLONE_NEWUSER = 0x10000000
CLONE_NEWNET = 0x40000000
LOOPBACK, LOOPBACK_6 = "127.0.0.1", "::1"
FAMILIES = {b"4": (socket.AF_INET, LOOPBACK), b"6": (socket.AF_INET6, LOOPBACK_6)}
BACKLOG = 128
START_TIMEOUT_S = 10.0
MAX_REQUEST = 512
READY = b"r"
FILES = "files"

# Requests: a letter and what it is about.
MADE, LISTENING, OWN, CONNECTED, LISTENING_FILE = b"m", b"l", b"o", b"c", b"f"


class NamespaceError(OSError):
    """The namespace cannot be entered, or what was asked for is not to be had there."""


class NamespaceSockets:
    """Makes sockets in the network namespace that process `pid` is in now; with `files` in its user and mount
    namespaces, as its root, where paths are what they are for the workload. Not for several threads at once.
    """

    def __init__(self, pid: int, files: bool = False) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._ours = ours
        ours.settimeout(START_TIMEOUT_S)
        with theirs:
            self._process = subprocess.Popen(  # noqa: S603
                [sys.executable, "-I", "-S", __file__, str(pid), str(theirs.fileno()), *([FILES] if files else [])],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                env={},
            )
        try:
            ready = ours.recv(1) == READY
        except TimeoutError:
            ready = False
        if not ready:
            self.close()
            raise NamespaceError(f"the namespaces of process {pid} cannot be entered")

    def made(self, family: socket.AddressFamily) -> socket.socket:
        """An unconnected TCP socket. Raises OSError."""
        return self._asked(MADE + (b"6" if family == socket.AF_INET6 else b"4"))

    def listening(self, port: int, family: socket.AddressFamily = socket.AF_INET) -> socket.socket:
        """One that listens on a port of the loopback, a free one for 0. Raises OSError."""
        letter = b"6" if family == socket.AF_INET6 else b"4"
        return self._asked(LISTENING + letter + port.to_bytes(2, "big"))

    def has(self, address: str, family: socket.AddressFamily) -> bool:
        """Whether an address is one of the namespace's own."""
        letter = b"6" if family == socket.AF_INET6 else b"4"
        try:
            self._asked(OWN + letter + address.encode("ascii", "replace")).close()
        except OSError:
            return False
        return True

    def connected(self, path: str) -> socket.socket:
        """A connection to a socket in a file of the workload's. Raises OSError."""
        return self._asked(CONNECTED + os.fsencode(path))

    def listening_file(self, path: str) -> socket.socket:
        """A socket that listens in a file that was not there, for the workload's root only. Raises OSError."""
        return self._asked(LISTENING_FILE + os.fsencode(path))

    def _asked(self, request: bytes) -> socket.socket:
        if len(request) > MAX_REQUEST:
            raise NamespaceError("the path is too long")
        self._ours.send(request)
        answer, handles, _, _ = socket.recv_fds(self._ours, 256, 1)
        if not handles:
            raise NamespaceError(answer.decode(errors="replace") or "the workload is gone")
        return socket.socket(fileno=handles[0])

    def close(self) -> None:
        """Ends the process that is in the namespace; sockets that it made stay open."""
        self._ours.close()
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
        self._process.wait()


def enter(pid: int, files: bool) -> None:
    """Moves this process into namespaces of another: the network, or files as its root sees them. Through its user
    namespace where that is needed."""
    libc = ctypes.CDLL(None, use_errno=True)
    other_user = Path(f"/proc/{pid}/ns/user").readlink() != Path("/proc/self/ns/user").readlink()
    kinds = [("mnt", CLONE_NEWNS)] if files else [("net", CLONE_NEWNET)]
    if files and not other_user:
        raise OSError("the workload's root is this machine's")
    if other_user and (files or os.geteuid() != 0):
        kinds.insert(0, ("user", CLONE_NEWUSER))
    handles = [(os.open(f"/proc/{pid}/ns/{name}", os.O_RDONLY), kind) for name, kind in kinds]
    for handle, kind in handles:
        if libc.setns(handle, kind) != 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))
        os.close(handle)
        if kind == CLONE_NEWUSER and files:
            # Root there, and nobody here: what it may not touch is out of reach for us, too.
            os.setgroups([])
            os.setresgid(0, 0, 0)
            os.setresuid(0, 0, 0)
    if files:
        os.umask(0o077)


def answer(request: bytes, files: bool) -> socket.socket:
    """The socket that a request asks for. Raises OSError."""
    kind, rest = request[:1], request[1:]
    if files != (kind in (CONNECTED, LISTENING_FILE)):
        raise OSError("not in this namespace")
    if files:
        made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            if kind == CONNECTED:
                made.setblocking(False)
                made.connect(rest)
            else:
                made.bind(rest)
                made.listen(BACKLOG)
        except BaseException:
            made.close()
            raise
        return made
    family, loopback = FAMILIES[rest[:1]]
    made = socket.socket(family, socket.SOCK_STREAM)
    try:
        if kind == OWN:
            made.bind((rest[1:].decode("ascii"), 0))
        elif kind == LISTENING:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            made.bind((loopback, int.from_bytes(rest[1:], "big")))
            made.listen(BACKLOG)
    except BaseException:
        made.close()
        raise
    return made


def serve(channel: socket.socket, files: bool) -> None:
    """Sends a socket for each request until the other side is gone."""
    channel.send(READY)
    while request := channel.recv(MAX_REQUEST):
        try:
            with answer(request, files) as made:
                rights = array.array("i", [made.fileno()])
                channel.sendmsg([READY], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)])
        except (OSError, ValueError, KeyError) as error:
            channel.send(str(error).encode()[:256] or b"refused")


if __name__ == "__main__":
    in_files = sys.argv[3:] == [FILES]
    with socket.socket(fileno=int(sys.argv[2])) as back:
        # What these need is imported on first use, which must not be inside.
        "a".encode("ascii").decode("ascii")
        os.strerror(1)
        enter(int(sys.argv[1]), in_files)
        try:
            serve(back, in_files)
        except BaseException:
            os._exit(1)

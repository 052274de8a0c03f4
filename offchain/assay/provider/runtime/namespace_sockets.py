"""TCP sockets in the network namespace of a workload: the way in for forwarded ports, without a network of its own.

A process cannot leave its threads in two namespaces, so a small one of its own enters the workload's and hands sockets
over. Started by file path with an isolated interpreter: it imports the standard library only.
"""

import array
import contextlib
import ctypes
import os
import socket
import subprocess
import sys
from pathlib import Path

CLONE_NEWUSER = 0x10000000
CLONE_NEWNET = 0x40000000
LOOPBACK = "127.0.0.1"
BACKLOG = 128
START_TIMEOUT_S = 10.0
READY = b"r"


class NamespaceError(OSError):
    """The namespace cannot be entered: the process is gone, or is not ours to look into."""


class NamespaceSockets:
    """Makes sockets in the network namespace that process `pid` is in now. Not for several threads at once."""

    def __init__(self, pid: int) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._ours = ours
        ours.settimeout(START_TIMEOUT_S)
        with theirs:
            self._process = subprocess.Popen(  # noqa: S603
                [sys.executable, "-I", "-S", __file__, str(pid), str(theirs.fileno())],
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
            raise NamespaceError(f"the network namespace of process {pid} cannot be entered")

    def socket(self, listen_on: int = 0) -> socket.socket:
        """A TCP socket over IPv4, listening on that port of the loopback where one is given. Raises OSError."""
        self._ours.send(listen_on.to_bytes(2, "big"))
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


def enter(pid: int) -> None:
    """Moves this process into the network namespace of another, through its user namespace where that is needed."""
    libc = ctypes.CDLL(None, use_errno=True)
    kinds = [("net", CLONE_NEWNET)]
    if os.geteuid() != 0 and Path(f"/proc/{pid}/ns/user").readlink() != Path("/proc/self/ns/user").readlink():
        kinds.insert(0, ("user", CLONE_NEWUSER))
    handles = [(os.open(f"/proc/{pid}/ns/{name}", os.O_RDONLY), kind) for name, kind in kinds]
    for handle, kind in handles:
        if libc.setns(handle, kind) != 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))


def serve(channel: socket.socket) -> None:
    """Hands out a socket for each request until the other side is gone."""
    channel.send(READY)
    while request := channel.recv(2):
        port = int.from_bytes(request, "big")
        try:
            with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as made:
                if port:
                    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                    made.bind((LOOPBACK, port))
                    made.listen(BACKLOG)
                rights = array.array("i", [made.fileno()])
                channel.sendmsg([READY], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)])
        except OSError as error:
            channel.send(str(error).encode()[:256])


if __name__ == "__main__":
    enter(int(sys.argv[1]))
    serve(socket.socket(fileno=int(sys.argv[2])))

"""An internet for tests: a network of its own behind this host's routes, with an address that is public anywhere else,
which answers on TCP and UDP, takes and gives much, and serves names."""

from __future__ import annotations

import os
import subprocess
import sys
from types import TracebackType

OUTSIDE = "11.22.33.44"
_SERVE = r"""
import socket, threading
def tcp():
    s = socket.create_server(("", 7000))
    while True:
        c, a = s.accept(); c.recv(9); c.send(b"hello " + a[0].encode()); c.close()
def much():
    s = socket.create_server(("", 7002))
    while True:
        c, _ = s.accept(); want = c.makefile("rb", 0).readline().split(); size = int(want[1])
        if want[0] == b"give": c.sendall(bytes(size))
        while want[0] == b"take" and size > 0: size -= len(c.recv(1 << 16)) or size
        c.send(b"!"); c.close()
def udp():
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(("", 7000))
    while True:
        _, a = s.recvfrom(99); s.sendto(b"hello", a)
NAMES = {b"outwards": "11.22.33.44", b"metadata": "169.254.169.254", b"private": "10.0.0.1", b"host": "%s"}
def names():
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(("", 53))
    while True:
        q, a = s.recvfrom(999)
        label = q[13:13 + q[12]]; end = q.index(0, 12) + 5
        found = NAMES.get(label) if q[end - 4:end - 2] == b"\0\1" else None
        head = q[:2] + b"\x81\x80" + q[4:6] + (b"\0\1" if found else b"\0\0") + b"\0\0\0\0"
        answer = b"\xc0\x0c\0\1\0\1\0\0\0\1\0\4" + socket.inet_aton(found) if found else b""
        s.sendto(head + q[12:end] + answer, a)
for one in (tcp, much, udp, names): threading.Thread(target=one).start()
print("ready", flush=True)
"""


class Outside:
    """The network while it is open. `gateway` is this host's address in it."""

    def __init__(self) -> None:
        self.name = f"out{os.getpid() % 100000}"
        self.gateway = "11.22.33.1"

    def __enter__(self) -> Outside:
        name = self.name
        for command in (
            f"ip netns add {name}",
            f"ip link add {name} type veth peer name eth0 netns {name}",
            f"ip addr add {self.gateway}/24 dev {name}",
            f"ip link set {name} up",
            f"ip -n {name} addr add {OUTSIDE}/24 dev eth0",
            f"ip -n {name} link set eth0 up",
            f"ip -n {name} link set lo up",
        ):
            subprocess.run(command.split(), check=True)
        with open(f"/proc/sys/net/ipv4/conf/{name}/forwarding", "w") as forwarding:  # noqa: PTH123
            forwarding.write("1")
        self._server = subprocess.Popen(
            ["ip", "netns", "exec", name, sys.executable, "-c", _SERVE % self.gateway], stdout=subprocess.PIPE
        )
        assert self._server.stdout is not None
        assert self._server.stdout.readline() == b"ready\n"
        return self

    def argv(self, *command: str) -> list[str]:
        """A command line of this host that runs a program out there."""
        return ["ip", "netns", "exec", self.name, *command]

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._server.kill()
        self._server.wait()
        subprocess.run(["ip", "link", "del", self.name], check=False)
        subprocess.run(["ip", "netns", "del", self.name], check=False)

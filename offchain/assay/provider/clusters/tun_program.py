"""Makes the interface of a cluster in a pod's network, and passes it back by a socket.

A process cannot leave its threads in two namespaces, so a small one of its own enters the pod's. Started by file path
with an isolated interpreter: it imports the standard library only.
"""

import array
import ctypes
import fcntl
import os
import socket
import struct
import sys

CLONE_NEWNET = 0x40000000
TUN = "/dev/net/tun"
TUNSETIFF = 0x400454CA
IFF_TUN, IFF_NO_PI = 0x0001, 0x1000
READY = b"r"


def made(pid: int, name: str) -> int:
    """A descriptor of the interface, which is there as long as that is open. Raises OSError."""
    handle = os.open(TUN, os.O_RDWR | os.O_CLOEXEC)
    os.close(handle)  # before anything is entered: it says whether this host has the driver
    libc = ctypes.CDLL(None, use_errno=True)
    with open(f"/proc/{pid}/ns/net", "rb") as namespace:  # noqa: PTH123
        if libc.setns(namespace.fileno(), CLONE_NEWNET) != 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))
    handle = os.open(TUN, os.O_RDWR | os.O_CLOEXEC)
    fcntl.ioctl(handle, TUNSETIFF, struct.pack("16sH14x", name.encode(), IFF_TUN | IFF_NO_PI))
    os.set_blocking(handle, False)
    return handle


if __name__ == "__main__":
    with socket.socket(fileno=int(sys.argv[1])) as back:
        try:
            rights = array.array("i", [made(int(sys.argv[2]), sys.argv[3])])
            back.sendmsg([READY], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)])
        except OSError as error:
            back.send(str(error).encode()[:256] or b"refused")

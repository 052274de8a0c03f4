"""Ports on the loopback address."""

from __future__ import annotations

import random
import socket
from pathlib import Path

from assay.devnet.errors import PortInUse

HOST = "127.0.0.1"
LOWEST, DEFAULT_EPHEMERAL = 20_000, 32_768
RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")


def free_ports(count: int) -> list[int]:
    """`count` ports that nobody listens on now, all different.

    Below those that the kernel gives to connections: daemons listen on theirs half a minute later, and of the kernel's
    some connection could have it by then. Raises PortInUse where there are not so many.
    """
    candidates = list(range(LOWEST, _ephemeral_from()))
    random.shuffle(candidates)
    held: list[socket.socket] = []
    try:
        for port in candidates:
            if len(held) == count:
                break
            probe = socket.socket()
            try:
                probe.bind((HOST, port))
            except OSError:
                probe.close()
            else:
                held.append(probe)
        if len(held) < count:
            raise PortInUse(candidates[-1])
        return [one.getsockname()[1] for one in held]
    finally:
        for one in held:
            one.close()


def _ephemeral_from() -> int:
    try:
        return max(int(RANGE.read_text().split()[0]), LOWEST + 1_000)
    except (OSError, ValueError, IndexError):
        return DEFAULT_EPHEMERAL


def require_free(port: int) -> int:
    """The port itself. Raises PortInUse if something listens there."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            raise PortInUse(port) from None
    return port

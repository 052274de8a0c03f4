"""Ports on the loopback address."""

from __future__ import annotations

import socket

from assay.devnet.errors import PortInUse

HOST = "127.0.0.1"


def free_ports(count: int) -> list[int]:
    """`count` ports that nobody listens on now, all different."""
    held = [socket.socket() for _ in range(count)]
    try:
        for one in held:
            one.bind((HOST, 0))
        return [one.getsockname()[1] for one in held]
    finally:
        for one in held:
            one.close()


def require_free(port: int) -> int:
    """The port itself. Raises PortInUse if something listens there."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            raise PortInUse(port) from None
    return port

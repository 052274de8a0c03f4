"""Where SSH listens: how many connections strangers may hold before anybody has logged in."""

from __future__ import annotations

import socket
from collections.abc import Callable

from assay.network.connections import ConnectionLimits, is_loopback
from assay.network.server import listening_socket

MAX_IN_ALL = 1_024  # logged in or not
MAX_OF_ONE = 64  # the same, from one address


def ssh_socket(host: str, port: int, exempt: Callable[[str], bool] = is_loopback) -> socket.socket:
    """A bound socket that lets go of what is beyond the limits before a byte of it is read. `exempt` addresses count
    in all only. Raises ListenFailed."""
    limits = ConnectionLimits.of_process()
    return listening_socket(host, port, ConnectionLimits(min(MAX_IN_ALL, limits.in_all), MAX_OF_ONE, exempt))

"""Whether something in a pod listens on a port, as the kernel tells it of the pod's network."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from pathlib import Path

from assay.provider.endpoints.port_rules import Protocol
from assay.wire.pods import Listening

MAX_BYTES = 4 << 20  # of one list: a pod may have very many sockets
TCP_LISTENS, UDP_OPEN = "0A", "07"


def listening(pid: int | None, protocol: Protocol, port: int, proc: Path = Path("/proc")) -> Listening:
    """`pid` is the pod's first process, None where it does not run."""
    if pid is None:
        return "stopped"
    lines = list[str]()
    for name in (protocol, f"{protocol}6"):
        with contextlib.suppress(OSError), (proc / f"{pid}/net/{name}").open() as file:
            lines += file.read(MAX_BYTES).splitlines()[1:]
    return of_lines(lines, protocol, port)


def of_lines(lines: Iterable[str], protocol: Protocol, port: int) -> Listening:
    """From lines of /proc/net/tcp, tcp6, udp, udp6. What is bound to the loopback alone is reached by nobody else."""
    wanted, on_loopback = TCP_LISTENS if protocol == "tcp" else UDP_OPEN, False
    for line in lines:
        words = line.split()
        if len(words) < 4 or words[3] != wanted:
            continue
        address, _, number = words[1].rpartition(":")
        if int(number, 16) != port:
            continue
        if not _is_loopback(address):
            return "yes"
        on_loopback = True
    return "loopback" if on_loopback else "no"


def _is_loopback(address: str) -> bool:
    # Each word of four bytes stands in the machine's own order: 127.0.0.1 is 0100007F.
    if len(address) == 8:
        return address.endswith("7F")
    return address == "00000000000000000000000001000000" or (
        address.startswith("0000000000000000FFFF0000") and address.endswith("7F")
    )

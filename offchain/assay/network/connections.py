"""How many connections strangers may hold: in all, and each of them. What is left of the process's descriptors is for
the chain, for peers and for files.
"""

from __future__ import annotations

import ipaddress
import resource
import socket
import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Any, Self

import structlog

from assay.network.request_buckets import RequestBuckets, asker

MAX_IN_ALL = 20_000  # every seat holds one open for each device
MAX_OF_ONE = 1_024  # the same, from one seat's address
SHARES = 4  # one asker never has more than a quarter of all
CROWDED = 0.75  # of all: from here on a new connection is for those who hold few
FEW = 8
REFUSAL_BATCH = 256  # then the loop has its turn
TELL_EVERY_S = 60.0
log = structlog.get_logger()


def raise_file_limit() -> int:
    """As many open files as the system lets this process have; how many these are."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


def is_loopback(address: str) -> bool:
    """Whether an address is this machine's own: a proxy's, behind which there may be everybody."""
    try:
        found = ipaddress.ip_address(address.split("%", 1)[0])
    except ValueError:
        return False
    mapped = found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None
    return (mapped or found).is_loopback


class ConnectionLimits:
    """Counts open connections in all and by asker (see `asker`); `exempt` addresses count in all only."""

    def __init__(
        self,
        in_all: int,
        of_one: int,
        exempt: Callable[[str], bool] = is_loopback,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self.in_all, self.of_one = in_all, min(of_one, max(1, in_all // SHARES))
        self.open = 0
        self._exempt = exempt
        self._held: Counter[str] = Counter()
        self._refused = 0
        self._lines = RequestBuckets(1 / TELL_EVERY_S, 1, now)

    @classmethod
    def of_process(cls) -> Self:
        """Half of the descriptors that this process may have go to whoever comes."""
        soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        most = MAX_IN_ALL if soft == resource.RLIM_INFINITY else min(MAX_IN_ALL, soft // 2)
        return cls(most, MAX_OF_ONE)

    def admit(self, address: str) -> bool:
        """Whether one more may be opened from an address; it is counted then, until `release`."""
        who, exempt = asker(address), self._exempt(address)
        most = FEW if self.open >= CROWDED * self.in_all else self.of_one
        if self.open >= self.in_all or (not exempt and self._held[who] >= min(most, self.of_one)):
            self._refuse(who)
            return False
        self.open += 1
        self._held[who] += 1
        return True

    def release(self, address: str) -> None:
        """One of an address's connections is closed."""
        who = asker(address)
        self.open -= 1
        self._held[who] -= 1
        if not self._held[who]:
            del self._held[who]

    def _refuse(self, who: str) -> None:
        self._refused += 1
        if not self._held[who]:
            del self._held[who]
        if self._lines.take("refused") == 0:
            log.warning("connections refused", count=self._refused, asker=who, open=self.open)
            self._refused = 0


class _Accepted(socket.socket):
    """A connection that is no longer counted once it is closed."""

    def __init__(self, fd: int, listener: socket.socket, closed: Callable[[], None]) -> None:
        super().__init__(listener.family, listener.type, listener.proto, fileno=fd)
        self._when_closed: Callable[[], None] | None = closed

    def close(self) -> None:
        super().close()
        if self._when_closed is not None:
            closed, self._when_closed = self._when_closed, None
            closed()


class Listener(socket.socket):
    """A listening socket that lets go at once of connections beyond the limits: before TLS, and before any byte is
    read."""

    def __init__(self, family: int, limits: ConnectionLimits) -> None:
        # By its name, or asyncio does not take what is accepted for TCP, and leaves Nagle's algorithm on: an answer in
        # two writes would wait 40 ms for an acknowledgement.
        super().__init__(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        self.limits = limits

    def accept(self) -> tuple[socket.socket, Any]:
        for _ in range(REFUSAL_BATCH):
            connection, address = super().accept()
            who = str(address[0])
            if self.limits.admit(who):
                return _Accepted(connection.detach(), self, partial(self.limits.release, who)), address
            connection.close()
        raise BlockingIOError

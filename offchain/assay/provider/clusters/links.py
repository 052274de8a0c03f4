"""Links between pods of two providers: SSH connections that carry packets and nothing else.

The pod of the higher rank connects, out of its own network and so by the rules that its provider has for that; the
other provider's SSH server takes it as the user `link-NUMBER`, whose keys open no shell, no file and no port.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable
from typing import Any

import asyncssh

from assay.provider.access.ssh_packets import Gathered
from assay.provider.access.ssh_server import CIPHERS, KEEPALIVE_S, LINK_PREFIX
from assay.provider.clusters.packets import BadFrame, Frames, framed
from assay.wire.clusters import WayBody

SUBSYSTEM = "assay-link"
MAX_WAITING = 4 << 20  # bytes that a link has not taken; what comes then is lost, as in a router whose queue is full
CONNECT_S = 15.0


class LinkEnd:
    """One end of a link. `arrived` takes each packet, `ended` is called once it is over."""

    def __init__(self, arrived: Callable[[bytes], None], ended: Callable[[LinkEnd], None]) -> None:
        self._arrived = arrived
        self._ended = ended
        self._frames = Frames()
        self._channel: Any = None

    def connection_made(self, chan: Any) -> None:
        """Keeps the channel."""
        self._channel = chan

    def data_received(self, data: bytes, _datatype: int | None) -> None:
        """Packets from the other pod."""
        try:
            for packet in self._frames.feed(data):
                self._arrived(packet)
        except BadFrame:
            self.close()

    def eof_received(self) -> bool:
        """A link that one side ends is over."""
        return False

    def connection_lost(self, _error: Exception | None) -> None:
        """Tells that it is over."""
        self._channel = None
        self._ended(self)

    def send(self, packet: bytes) -> None:
        """Sends a packet, unless too much waits."""
        channel = self._channel
        if channel is not None and channel.get_write_buffer_size() <= MAX_WAITING:
            with contextlib.suppress(OSError):  # its connection is going
                channel.write(framed(packet))

    def close(self) -> None:
        """Ends it."""
        if self._channel is not None:
            self._channel.abort()


class CalledEnd(LinkEnd, asyncssh.SSHServerSession):  # type: ignore[misc]
    """The end at the provider that is connected to; `begun` once it is asked for."""

    def __init__(
        self,
        arrived: Callable[[bytes], None],
        ended: Callable[[LinkEnd], None],
        begun: Callable[[LinkEnd], None],
    ) -> None:
        super().__init__(arrived, ended)
        self._begun = begun

    def subsystem_requested(self, subsystem: str) -> bool:
        """This one, and no program, shell or terminal: asyncssh refuses what is not said here."""
        return subsystem == SUBSYSTEM

    def session_started(self) -> None:
        """From now on packets pass."""
        self._begun(self)


class CallingEnd(LinkEnd, asyncssh.SSHClientSession):  # type: ignore[misc]
    """The end at the provider that connects."""


async def call(
    made: socket.socket,
    way: WayBody,
    lease_id: int,
    key: asyncssh.SSHKey,
    arrived: Callable[[bytes], None],
    ended: Callable[[LinkEnd], None],
) -> tuple[Any, LinkEnd]:
    """Connects by this socket to the pod of a lease at another provider; the connection, and our end. Raises OSError,
    asyncssh.Error, TimeoutError."""
    try:
        async with asyncio.timeout(CONNECT_S):
            made.setblocking(False)
            await asyncio.get_running_loop().sock_connect(made, (way.host, way.port))
            connection = await asyncssh.connect(
                sock=made,
                username=f"{LINK_PREFIX}{lease_id}",
                client_keys=[key],
                known_hosts=([asyncssh.import_public_key(way.host_key)], [], []),
                config=None,
                agent_path=None,
                encryption_algs=CIPHERS,
                compression_algs=["none"],
                keepalive_interval=KEEPALIVE_S,
            )
    except BaseException:
        made.close()
        raise
    try:
        async with asyncio.timeout(CONNECT_S):
            Gathered.under(connection)
            _, end = await connection.create_session(
                lambda: CallingEnd(arrived, ended), subsystem=SUBSYSTEM, encoding=None
            )
    except BaseException:
        connection.abort()
        raise
    return connection, end

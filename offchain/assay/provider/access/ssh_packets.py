"""Fewer, larger writes under an SSH connection."""

from __future__ import annotations

import asyncio
from typing import Any

SEND_BATCH = 1 << 18  # bytes that are not held until the end of a turn


class Gathered:
    """A transport that sends what is written to it in one turn of the event loop at once: asyncssh writes two small
    pieces for each packet, each of which would be a call of its own."""

    def __init__(self, transport: Any) -> None:
        self._transport = transport
        self._loop = asyncio.get_running_loop()
        self._pieces: list[bytes] = []
        self._size = 0

    @classmethod
    def under(cls, connection: Any) -> None:
        """Puts one under a connection of asyncssh, which has no setting for it."""
        if getattr(connection, "_transport", None) is not None:
            connection._transport = cls(connection._transport)

    def write(self, data: bytes) -> None:
        """Sends it at the end of this turn, or now where it is much."""
        if not self._pieces:
            self._loop.call_soon(self._send)
        self._pieces.append(data)
        self._size += len(data)
        if self._size >= SEND_BATCH:
            self._send()

    def _send(self) -> None:
        if self._pieces:
            whole = b"".join(self._pieces)
            self._pieces.clear()
            self._size = 0
            self._transport.write(whole)

    def close(self) -> None:
        """Sends what is left, then closes."""
        self._send()
        self._transport.close()

    def abort(self) -> None:
        """Closes at once."""
        self._pieces.clear()
        self._transport.abort()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

"""Streams without sockets: what is written to one side is read at the other."""

from __future__ import annotations

import asyncio
from typing import Any

from assay.network.pipe import CHUNK, Duplex


class Transport:
    """Of one end. Closed once; what was written may be looked at."""

    def __init__(self) -> None:
        self.closed = self.aborted = False
        self.high = 1 << 40

    def abort(self) -> None:
        self.aborted = self.closed = True

    def set_write_buffer_limits(self, high: int) -> None:
        self.high = high


class Writer:
    """Writes into another end's reader. `taking` cleared, the other side takes nothing, and `drain` waits."""

    def __init__(self, target: asyncio.StreamReader, peer: str = "203.0.113.9") -> None:
        self.target, self.transport, self.peer = target, Transport(), peer
        self.taking = asyncio.Event()
        self.taking.set()
        self.held = 0
        self.written = bytearray()

    def write(self, data: bytes) -> None:
        if self.transport.closed:
            return
        self.written += data
        if self.taking.is_set():
            self.target.feed_data(data)
        else:
            self.held += len(data)

    async def drain(self) -> None:
        if self.transport.closed:
            raise ConnectionResetError("closed")
        await self.taking.wait()

    def close(self) -> None:
        if not self.transport.closed:
            self.transport.closed = True
            self.target.feed_eof()

    async def wait_closed(self) -> None:
        await self.taking.wait()

    def get_extra_info(self, _name: str) -> Any:
        return (self.peer, 4_000)


def pair(peer: str = "203.0.113.9") -> tuple[Duplex, Duplex]:
    """Two ends of one connection; `peer` is the address that each sees."""
    one, other = asyncio.StreamReader(limit=CHUNK), asyncio.StreamReader(limit=CHUNK)
    here, there = Writer(other, peer), Writer(one, peer)
    return Duplex(one, here), Duplex(other, there)  # type: ignore[arg-type]


async def turn(times: int = 20) -> None:
    """Lets everything that is ready run."""
    for _ in range(times):
        await asyncio.sleep(0)

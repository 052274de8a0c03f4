"""Connections to what the workloads of a lease listen on: to their loopback and nowhere else."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable, Sequence

from assay.provider.errors import NotFound
from assay.provider.runtime.namespace_sockets import LOOPBACK, NamespaceSockets
from assay.provider.runtime.supervisor import start_ticks
from assay.provider.runtime.workload import Room

ANY_ROOM = ("localhost", LOOPBACK)
CONNECT_S = 5.0
CACHE_SIZE = 64


class LeasePorts:
    """`rooms` finds the running workloads of a lease, newest first. It blocks, so it is called in a thread."""

    def __init__(self, rooms: Callable[[int], Sequence[Room]]) -> None:
        self._rooms = rooms
        self._kept: dict[tuple[int, int], NamespaceSockets] = {}
        self._opening = asyncio.Lock()

    async def connect(self, lease_id: int, host: str, port: int) -> socket.socket:
        """A connection to a port of the lease's workloads. `host` is localhost, for whichever of them listens there,
        or the id of a job. Raises NotFound where nothing does.
        """
        for room in await asyncio.to_thread(self._rooms, lease_id):
            if host not in (*ANY_ROOM, room.job_id):
                continue
            with contextlib.suppress(OSError):
                return await self._connect(room, port)
        raise NotFound(f"no workload of lease {lease_id} listens on port {port} of {host[:60]!r}")

    async def factory(self, lease_id: int, job_id: str) -> Callable[[], socket.socket]:
        """Makes unconnected sockets in the network of one job, at once. Raises NotFound where it does not run."""
        for room in await asyncio.to_thread(self._rooms, lease_id):
            if room.job_id == job_id:
                sockets = await self._sockets(room)
                return lambda: sockets.socket()
        raise NotFound(f"job {job_id[:60]!r} of lease {lease_id} does not run")

    async def _connect(self, room: Room, port: int) -> socket.socket:
        made = (await self._sockets(room)).socket()
        try:
            made.setblocking(False)
            async with asyncio.timeout(CONNECT_S):
                await asyncio.get_running_loop().sock_connect(made, (LOOPBACK, port))
        except BaseException:
            made.close()
            raise
        return made

    async def _sockets(self, room: Room) -> NamespaceSockets:
        # Numbers of processes come round again: the time at which it started tells them apart.
        known = (room.pid, start_ticks(room.pid))
        async with self._opening:
            if known not in self._kept:
                self._forget_the_dead()
                self._kept[known] = await asyncio.to_thread(NamespaceSockets, room.pid)
            return self._kept[known]

    def _forget_the_dead(self) -> None:
        for known in [one for one in self._kept if start_ticks(one[0]) != one[1]]:
            self._kept.pop(known).close()
        while len(self._kept) >= CACHE_SIZE:
            self._kept.pop(next(iter(self._kept))).close()

    def close(self) -> None:
        """Lets every namespace go."""
        while self._kept:
            self._kept.popitem()[1].close()

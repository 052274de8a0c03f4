"""Connections to what the workloads of a lease listen on, and sockets that listen among them: in their own namespaces
and nowhere else."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import socket
from collections.abc import Callable, Sequence

from assay.provider.errors import NotFound
from assay.provider.runtime.namespace_sockets import LOOPBACK, LOOPBACK_6, NamespaceSockets
from assay.provider.runtime.process_start import start_ticks
from assay.provider.runtime.workload import Room

ANY_ROOM = ("localhost", LOOPBACK)
CONNECT_S = 5.0
CACHE_SIZE = 64

Place = tuple[socket.AddressFamily, str]


class LeasePorts:
    """`rooms` finds the running workloads of a lease, newest first; a pod is one room. It blocks, so it is called in a
    thread."""

    def __init__(self, rooms: Callable[[int], Sequence[Room]]) -> None:
        self._rooms = rooms
        self._kept: dict[tuple[int, int, bool], NamespaceSockets] = {}
        self._opening = asyncio.Lock()

    async def connect(self, lease_id: int, host: str, port: int) -> socket.socket:
        """A connection to a port of the lease's workloads. `host` is localhost, for whichever of them listens there,
        the id of a job, or an address of their own network namespace. Raises NotFound where nothing listens.
        """
        for room in await asyncio.to_thread(self._rooms, lease_id):
            with contextlib.suppress(OSError):
                sockets = await self._sockets(room)
                for family, address in _places(room, host, sockets):
                    with contextlib.suppress(OSError):
                        return await _connected(sockets.made(family), (address, port))
        raise NotFound(f"no workload of lease {lease_id} listens on port {port} of {host[:60]!r}")

    async def connect_file(self, lease_id: int, path: str) -> socket.socket:
        """A connection to a socket in a file, as the path is inside. Raises NotFound."""
        reason: object = "nothing runs"
        for room in await asyncio.to_thread(self._rooms, lease_id):
            try:
                return (await self._sockets(room, files=True)).connected(path)
            except OSError as error:
                reason = error
        raise NotFound(f"no workload of lease {lease_id} listens at {path[:200]!r}: {reason}")

    async def listen(self, lease_id: int, port: int) -> list[socket.socket]:
        """Sockets that listen on a port of the newest workload's loopback, a free one for 0: IPv4, and IPv6 where it
        has that. Raises NotFound, OSError."""
        sockets = await self._sockets(await self._newest(lease_id))
        found = [sockets.listening(port)]
        with contextlib.suppress(OSError):
            found.append(sockets.listening(found[0].getsockname()[1], socket.AF_INET6))
        return found

    async def listen_file(self, lease_id: int, path: str) -> socket.socket:
        """A socket that listens in a file of the newest workload's. Raises NotFound, OSError."""
        return (await self._sockets(await self._newest(lease_id), files=True)).listening_file(path)

    async def factory(self, lease_id: int, job_id: str) -> Callable[[], socket.socket]:
        """Makes unconnected sockets in the network of one job, at once. Raises NotFound where it does not run."""
        for room in await asyncio.to_thread(self._rooms, lease_id):
            if room.job_id == job_id:
                sockets = await self._sockets(room)
                return lambda: sockets.made(socket.AF_INET)
        raise NotFound(f"job {job_id[:60]!r} of lease {lease_id} does not run")

    async def _newest(self, lease_id: int) -> Room:
        rooms = await asyncio.to_thread(self._rooms, lease_id)
        if not rooms:
            raise NotFound(f"lease {lease_id} runs nothing with a network of its own")
        return rooms[0]

    async def _sockets(self, room: Room, files: bool = False) -> NamespaceSockets:
        # Numbers of processes come round again: the time at which it started tells them apart.
        known = (room.pid, start_ticks(room.pid), files)
        async with self._opening:
            if known not in self._kept:
                self._forget_the_dead()
                self._kept[known] = await asyncio.to_thread(NamespaceSockets, room.pid, files)
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


def _places(room: Room, host: str, sockets: NamespaceSockets) -> list[Place]:
    """Where in a room to look for what a client calls `host`: nothing is resolved, and no name but these is known."""
    if host in (*ANY_ROOM, room.job_id):
        return [(socket.AF_INET, LOOPBACK), *([] if host == LOOPBACK else [(socket.AF_INET6, LOOPBACK_6)])]
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return []
    family = socket.AF_INET6 if address.version == 6 else socket.AF_INET
    return [(family, str(address))] if sockets.has(str(address), family) else []


async def _connected(made: socket.socket, where: tuple[str, int]) -> socket.socket:
    try:
        made.setblocking(False)
        async with asyncio.timeout(CONNECT_S):
            await asyncio.get_running_loop().sock_connect(made, where)
    except BaseException:
        made.close()
        raise
    return made

"""One pod's part in its cluster while it runs: its interface, its links, and those that it keeps trying to have."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import Awaitable, Callable

import asyncssh
import structlog

from assay.provider.clusters.links import CalledEnd, LinkEnd, call
from assay.provider.clusters.packets import Paths
from assay.provider.errors import ProviderError
from assay.wire.clusters import ClusterBody, LinkState, WayBody

PACKET_BATCH = 64  # packets that are read before anything else has its turn
MAX_PACKET = 1 << 16
RETRY_S, MAX_RETRY_S = 1.0, 30.0
NOT_YET = "not connected yet"

log = structlog.get_logger()


class ClusterMember:
    """The pod of `lease_id` with its interface `device`, which this closes. `way_out` makes sockets in the pod's
    network."""

    def __init__(
        self,
        lease_id: int,
        cluster: ClusterBody,
        addresses: tuple[str, ...],
        device: int,
        key: asyncssh.SSHKey,
        way_out: Callable[[], Awaitable[socket.socket]],
    ) -> None:
        self.lease_id = lease_id
        self._cluster = cluster
        self._device = device
        self._key = key
        self._way_out = way_out
        others = {rank: address for rank, address in enumerate(addresses) if rank != cluster.rank}
        self._paths = Paths(addresses[cluster.rank], others)
        self._ends: dict[int, LinkEnd] = {}
        self._reasons: dict[int, str] = dict.fromkeys(others, NOT_YET)
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(device, self._read)
        # Between any two pods one connects: the one of the higher rank.
        self._calls = [
            self._loop.create_task(self._keep(rank, member.lease_id, member.way))
            for rank, member in enumerate(cluster.members)
            if rank < cluster.rank and member.way is not None
        ]

    def states(self) -> list[LinkState]:
        """How each link stands."""
        return [
            LinkState(rank=rank, up=rank in self._ends, reason="" if rank in self._ends else reason[:400])
            for rank, reason in sorted(self._reasons.items())
        ]

    def called(self, rank: int) -> CalledEnd | None:
        """The end of a link that a member of a higher rank opens."""
        if rank <= self._cluster.rank or rank not in self._reasons:
            return None
        return CalledEnd(self._arrival(rank), lambda end: self._ended(rank, end), lambda end: self._begun(rank, end))

    def close(self) -> None:
        """Ends all links, and takes the interface away."""
        for task in self._calls:
            task.cancel()
        for end in list(self._ends.values()):
            end.close()
        self._ends.clear()
        if self._device >= 0:
            self._loop.remove_reader(self._device)
            os.close(self._device)
            self._device = -1

    def _read(self) -> None:
        for _ in range(PACKET_BATCH):
            try:
                packet = os.read(self._device, MAX_PACKET)
            except BlockingIOError:
                return
            except OSError:  # it went with the pod's network
                self._loop.remove_reader(self._device)
                return
            rank = self._paths.leads_to(packet)
            if rank is not None and (end := self._ends.get(rank)) is not None:
                end.send(packet)

    def _arrival(self, rank: int) -> Callable[[bytes], None]:
        def arrived(packet: bytes) -> None:
            if self._device >= 0 and self._paths.may_come(packet, rank):
                with contextlib.suppress(OSError):  # a queue that is full, or a network that went
                    os.write(self._device, packet)

        return arrived

    def _begun(self, rank: int, end: LinkEnd) -> None:
        if self._device < 0:
            end.close()
            return
        before = self._ends.get(rank)
        self._ends[rank] = end
        if before is not None:  # the other side has connected anew before this one noticed
            before.close()
        log.info("pods are linked", lease=self.lease_id, rank=rank)

    def _ended(self, rank: int, end: LinkEnd) -> None:
        if self._ends.get(rank) is end:
            del self._ends[rank]
            self._reasons[rank] = "the link broke"

    async def _keep(self, rank: int, lease_id: int, way: WayBody) -> None:
        again = RETRY_S
        while True:
            over = asyncio.Event()

            def ended(end: LinkEnd, over: asyncio.Event = over) -> None:
                self._ended(rank, end)
                over.set()

            connection = None
            try:
                made = await self._way_out()
                connection, end = await call(made, way, lease_id, self._key, self._arrival(rank), ended)
                self._begun(rank, end)
                again = RETRY_S
                await over.wait()
            except (OSError, asyncssh.Error, ProviderError, TimeoutError) as error:
                self._reasons[rank] = f"{way.host}:{way.port}: {str(error) or 'no answer in time'}"
                log.info("pods are not linked", lease=self.lease_id, rank=rank, reason=self._reasons[rank])
            finally:
                if connection is not None:
                    connection.abort()
            await asyncio.sleep(again)
            again = min(again * 2, MAX_RETRY_S)

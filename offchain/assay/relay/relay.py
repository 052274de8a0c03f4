"""A relay: takes links of providers, listens for them, and passes on what their callers say.

Everything a caller sends is the provider's own TLS or SSH: the relay holds no key to it. What it could do is not to
pass it on.
"""

from __future__ import annotations

import asyncio
import secrets
import socket
import ssl
import time
from collections.abc import Callable, Coroutine
from typing import Any

import structlog

from assay.daemon.ending import end_tasks
from assay.network.connections import ConnectionLimits
from assay.network.errors import ListenFailed
from assay.network.pipe import CHUNK, Duplex
from assay.network.request_buckets import RequestBuckets, asker
from assay.network.server import listening_socket
from assay.protocol.signing import Domain
from assay.protocol.types import DeviceId
from assay.relay.admission import Admission, admitted
from assay.relay.errors import LinkRefused
from assay.relay.limits import RelayLimits
from assay.relay.links import ProviderLink, RelayCounts, StreamTokens
from assay.relay.port_book import PortBook
from assay.wire.relay.messages import (
    MAX_LINE,
    MAX_REASON,
    Accept,
    Granted,
    Greeting,
    LinkRequest,
    RelayRefusal,
    first_line,
    line,
)

Listen = Callable[[int], socket.socket]
log = structlog.get_logger()


class Relay:
    """`fingerprint` is H of the certificate that providers pin, `listen` gives a public port's socket. Clock and
    randomness are handed in.
    """

    def __init__(
        self,
        admission: Admission,
        book: PortBook,
        domain: Domain,
        fingerprint: bytes,
        listen: Listen,
        limits: RelayLimits | None = None,
        now: Callable[[], float] = time.monotonic,
        random: Callable[[int], bytes] = secrets.token_bytes,
    ) -> None:
        self.limits, self.counts, self.tokens = limits or RelayLimits(), RelayCounts(), StreamTokens(random)
        self.links: dict[DeviceId, ProviderLink] = {}
        self._servers: dict[DeviceId, list[asyncio.Server]] = {}
        self.admission, self.book = admission, book
        self._domain, self._fingerprint, self._listen = domain, fingerprint, listen
        self._now, self._random = now, random
        self._tries = RequestBuckets(self.limits.tries_per_s, self.limits.tries_burst, now)
        self._bytes = RequestBuckets(self.limits.bytes_per_s, max(self.limits.burst_bytes, 2 * CHUNK), now)
        self._changing = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()

    async def serve(self, listening: socket.socket, tls: ssl.SSLContext) -> asyncio.Server:
        """Takes connections of providers from now on; `close` ends them."""
        return await asyncio.start_server(
            lambda reader, writer: self._spawn(self.provider_connected(Duplex(reader, writer)), self._tasks),
            sock=listening,
            ssl=tls,
            ssl_handshake_timeout=self.limits.first_s,
            limit=CHUNK,
        )

    async def provider_connected(self, streams: Duplex) -> None:
        """One connection of a provider's, or of somebody who says so; a link lasts as long as this does."""
        who, handed_over = asker(_address(streams)), False
        try:
            nonce = self._random(32)
            streams.writer.write(line(Greeting(nonce=nonce)))
            async with asyncio.timeout(self.limits.first_s):
                said = first_line(await streams.line(MAX_LINE))
            if isinstance(said, Accept):
                self._accept(said, streams, who)
                handed_over = True
                return
            await self._link(said, nonce, streams, who)
        except LinkRefused as refused:
            self.counts.refused[refused.kind] += 1
            log.warning("provider refused", asker=who, kind=refused.kind, reason=str(refused))
            streams.writer.write(line(RelayRefusal(reason=str(refused)[:MAX_REASON])))
            await streams.close(self.limits.send_s)
        except (ValueError, OSError):
            self.counts.refused["malformed"] += 1
        finally:
            if not handed_over:
                streams.abort()

    def keep_admitted(self) -> None:
        """Ends links of devices that are no longer let in, and holds the ports of the others."""
        for device, link in self.links.items():
            if not self.admission.admits(device):
                log.info("link ends: the device is no longer let in", device="0x" + device.hex())
                link.ending.set()
        self.book.hold(list(self.links))

    async def close(self) -> None:
        """Ends every link and every stream."""
        await end_tasks(self._tasks)

    def status(self) -> dict[str, Any]:
        """What each link has, for whoever runs the relay."""
        return {
            "links": [
                {
                    "device": "0x" + link.device.hex(),
                    "provider": link.provider,
                    "ports": list(link.ports),
                    "streams": link.streams,
                    "waiting": link.waiting,
                    "bytesIn": link.bytes_in,
                    "bytesOut": link.bytes_out,
                }
                for link in self.links.values()
            ]
        }

    def _accept(self, said: Accept, streams: Duplex, who: str) -> None:
        try:
            self.tokens.show(said.token, streams)
        except LinkRefused:
            self._try(who)
            raise

    def _try(self, who: str) -> None:
        if self._tries.take(who) > 0:
            raise LinkRefused("rate", "too many tries: wait a while")

    async def _link(self, said: LinkRequest, nonce: bytes, streams: Duplex, who: str) -> None:
        self._try(who)
        device = admitted(said, self.admission, self._domain, self._fingerprint, nonce)
        self._try("0x" + device.hex())
        # One at a time: of two links of one device the later one has the ports.
        async with self._changing:
            if (earlier := self.links.get(device)) is not None:
                earlier.ending.set()
                await end_tasks(earlier.tasks)
                for server in self._servers.pop(device, []):
                    server.close()
            ports = self.book.assign(device, said.provider, said.ports)
            link = ProviderLink(
                device,
                said.provider,
                ports,
                streams,
                self.limits,
                self.counts,
                self.tokens,
                lambda count: self._bytes.take(said.provider, count),
                self._now,
            )
            servers = await self._open(link)
            self.links[device], self._servers[device] = link, servers
        shown = "0x" + device.hex()
        try:
            self.counts.links += 1
            log.info("provider linked", device=shown, provider=said.provider, ports=ports, asker=who)
            await link.send(Granted(ports=ports, ping_seconds=self.limits.ping_s))
            await link.keep()
        finally:
            link.ending.set()
            for server in servers:
                server.close()
            if self.links.get(device) is link:
                del self.links[device]
                self._servers.pop(device, None)
            await end_tasks(link.tasks)
            log.info("provider gone", device=shown, bytes_in=link.bytes_in, bytes_out=link.bytes_out)

    async def _open(self, link: ProviderLink) -> list[asyncio.Server]:
        servers: list[asyncio.Server] = []
        try:
            for index, port in enumerate(link.ports):
                servers.append(await self._public(link, index, port))
        except ListenFailed as error:
            for server in servers:
                server.close()
            log.error("a public port cannot be listened on", port=port, error=str(error))
            raise LinkRefused("port", f"port {port} is not free on the relay's machine: tell who runs it") from None
        return servers

    async def _public(self, link: ProviderLink, index: int, port: int) -> asyncio.Server:
        def called(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            streams = Duplex(reader, writer)
            if link.ending.is_set():
                streams.abort()
                return
            address = _address(streams)
            self._spawn(link.pass_on(streams, index, address, asker(address)), link.tasks)

        return await asyncio.start_server(called, sock=self._listen(port), limit=CHUNK)

    @staticmethod
    def _spawn(work: Coroutine[Any, Any, None], tasks: set[asyncio.Task[None]]) -> None:
        task = asyncio.create_task(work)
        tasks.add(task)
        task.add_done_callback(tasks.discard)


def public_listener(host: str, limits: ConnectionLimits) -> Listen:
    """Sockets of public ports, which share their limits."""
    return lambda port: listening_socket(host, port, limits)


def _address(streams: Duplex) -> str:
    peer = streams.writer.get_extra_info("peername")
    return str(peer[0]) if peer else ""

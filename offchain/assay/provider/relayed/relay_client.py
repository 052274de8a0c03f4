"""Reaches out to a relay, and leads what its callers send to this daemon's own ports.

The relay is a stranger: it sees and decides no more than a router on the way would. What it may have us do is bounded
here, whatever it says.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import structlog

from assay.network.backoff import Backoff
from assay.network.origins import Origin
from assay.network.pinned_tls import pinned_context
from assay.network.pipe import CHUNK, Duplex, Pipe, PipeLimits
from assay.network.request_buckets import RequestBuckets, asker
from assay.network.slots import NoSlot, Slots
from assay.protocol.keccak import keccak
from assay.protocol.messages import RelayLink
from assay.protocol.signing import Domain
from assay.wire.relay.messages import (
    MAX_LINE,
    Accept,
    Dial,
    Granted,
    LinkRequest,
    Ping,
    Pong,
    answer_line,
    line,
    order_line,
)
from assay.wire.relay.messages import Greeting as RelayGreeting

LOCAL_HOST = "127.0.0.1"
BACKOFF = Backoff(1.0, 2.0, 60.0)
log = structlog.get_logger()
Open = Callable[[], Awaitable[Duplex]]
OpenLocal = Callable[[int, str], Awaitable[Duplex]]


class NoLink(Exception):
    """The relay gave no link, or ended it, and why."""


@dataclass(frozen=True, slots=True)
class ClientLimits:
    """`streams` at once, `each` of one caller, `dials_per_s` new ones on average. `answer_s` is how long the relay may
    take over a line that it owes, `pipe` as there."""

    streams: int = 512
    each: int = 64
    dials_per_s: float = 100.0
    dials_burst: float = 400.0
    answer_s: float = 15.0
    # The relay decides how long a stream may be idle; this is only for one that forgets its own.
    pipe: PipeLimits = field(default_factory=lambda: PipeLimits(idle_s=3_600.0, stall_s=60.0))


@dataclass(frozen=True, slots=True)
class Identity:
    """Who asks for the link: the provider's account, the device's `sign` over digests, the registry's domain, and H of
    the relay's certificate."""

    provider: str
    sign: Callable[[bytes], bytes]
    domain: Domain
    relay: bytes

    def request(self, nonce: bytes, ports: int) -> LinkRequest:
        """The signed request over the relay's nonce."""
        digest = RelayLink(self.provider, self.relay, nonce).digest(self.domain)
        return LinkRequest(provider=self.provider, ports=ports, signature=self.sign(digest))


class RelayClient:
    """Keeps a link to a relay. `open_relay` connects to it, `open_local` to our port with an index, for a caller's
    address; `granted` hears of the public ports, in the order of ours, and of None when the link is gone.
    """

    def __init__(
        self,
        open_relay: Open,
        open_local: OpenLocal,
        identity: Identity,
        ports: int,
        granted: Callable[[Sequence[int] | None], None],
        limits: ClientLimits | None = None,
        backoff: Backoff = BACKOFF,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._open_relay, self._open_local, self._identity, self._ports = open_relay, open_local, identity, ports
        self._granted, self._backoff, self._now = granted, backoff, now
        self.limits = limits or ClientLimits()
        self.refused = 0
        self._slots = Slots(self.limits.streams, self.limits.each)
        self._dials = RequestBuckets(self.limits.dials_per_s, self.limits.dials_burst, now)
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def streams(self) -> int:
        """How many are open."""
        return self._slots.taken

    async def run(self) -> None:
        """Links, and links again, until cancelled."""
        failures = 0
        while True:
            began = self._now()
            try:
                await self.link_once()
            except (NoLink, ValueError, OSError) as error:
                failures = 1 if self._now() - began > self._backoff.longest_s else failures + 1
                pause = self._backoff.after(failures)
                log.warning("no link to the relay", error=str(error)[:300] or type(error).__name__, again_in=pause)
                await asyncio.sleep(pause)

    async def link_once(self) -> None:
        """One link, until it ends. Raises NoLink, ValueError for what is no line of a relay, OSError."""
        async with asyncio.timeout(self.limits.answer_s):
            control = await self._open_relay()
        try:
            ping_s = await self._ask(control)
            await self._follow(control, ping_s)
        finally:
            self._granted(None)
            control.abort()
            tasks = list(self._tasks)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _ask(self, control: Duplex) -> int:
        async with asyncio.timeout(self.limits.answer_s):
            greeting = RelayGreeting.parse(await control.line(MAX_LINE))
            control.writer.write(line(self._identity.request(greeting.nonce, self._ports)))
            await control.writer.drain()
            answer = answer_line(await control.line(MAX_LINE))
        if not isinstance(answer, Granted):
            raise NoLink(f"the relay refuses: {answer.reason!a}")
        if len(answer.ports) != self._ports:
            raise NoLink(f"the relay gives {len(answer.ports)} ports in place of {self._ports}")
        self._granted(answer.ports)
        return answer.ping_seconds

    async def _follow(self, control: Duplex, ping_s: int) -> None:
        while True:
            async with asyncio.timeout(3 * ping_s):
                order = order_line(await control.line(MAX_LINE))
            if isinstance(order, Ping):
                control.writer.write(line(Pong()))
                async with asyncio.timeout(self.limits.answer_s):
                    await control.writer.drain()
            elif self._dials.take("all") > 0 or order.port >= self._ports:
                self.refused += 1
            else:
                self._begin(order)

    def _begin(self, order: Dial) -> None:
        try:
            slot = self._slots.take(asker(order.source))
        except NoSlot:
            self.refused += 1
            return
        task = asyncio.create_task(self._stream(order))
        self._tasks.add(task)

        def ended(done: asyncio.Task[None]) -> None:
            self._tasks.discard(done)
            slot.give_back()

        task.add_done_callback(ended)

    async def _stream(self, order: Dial) -> None:
        relay: Duplex | None = None
        local: Duplex | None = None
        try:
            async with asyncio.timeout(self.limits.answer_s):
                local = await self._open_local(order.port, order.source)
                relay = await self._open_relay()
                relay.writer.write(line(Accept(token=order.token)))
                RelayGreeting.parse(await relay.line(MAX_LINE))
            await Pipe(relay, local, self.limits.pipe).run()
        except (ValueError, OSError) as error:
            log.info("a stream through the relay came to nothing", error=str(error)[:300] or type(error).__name__)
        finally:
            for side in (relay, local):
                if side is not None:
                    side.abort()


def relay_opener(origin: Origin, fingerprint: bytes) -> Open:
    """Connections to a relay that shows exactly this certificate."""

    async def opened() -> Duplex:
        streams = await asyncio.open_connection(
            origin.host, origin.port, ssl=pinned_context(fingerprint), server_hostname=origin.host, limit=CHUNK
        )
        return Duplex(*streams)

    return opened


def local_opener(ports: Sequence[int]) -> OpenLocal:
    """Connections to our own ports on the loopback, each caller from an address of its own there, so that what limits
    each caller goes on doing so."""

    async def opened(index: int, source: str) -> Duplex:
        streams = await asyncio.open_connection(
            LOCAL_HOST, ports[index], local_addr=(loopback_of(source), 0), limit=CHUNK
        )
        return Duplex(*streams)

    return opened


def loopback_of(source: str) -> str:
    """An address of 127.0.0.0/8 that stands for a caller's, whatever text the relay gives for it."""
    first, second, third = keccak(asker(source).encode())[:3]
    return f"127.{first}.{second}.{1 + third % 254}"


def told(origin: Origin, ports: Sequence[int] | None) -> dict[str, Any]:
    """What the status says of the link."""
    if ports is None:
        return {"relay": origin.url, "linked": False}
    return {"relay": origin.url, "linked": True, "endpoint": Origin("https", origin.host, ports[0]).url}

"""Refuses bodies beyond a limit before anything parses them, each and all that are held at once."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Callable
from http import HTTPStatus

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from assay.network.connections import is_loopback
from assay.network.request_buckets import asker

READ_S = 30.0  # in which a body must be there
MAX_OF_ONE = 128 << 20  # bytes of bodies held at once, from one asker
MAX_IN_ALL = 512 << 20
MAX_DIGITS = 18
TOO_MUCH = "too much is being received already: try again in a moment"


class BytesInFlight:
    """How many bytes of bodies are held, in all and by asker; `exempt` addresses count in all only."""

    def __init__(
        self, of_one: int = MAX_OF_ONE, in_all: int = MAX_IN_ALL, exempt: Callable[[str], bool] = is_loopback
    ) -> None:
        self._of_one, self._in_all, self._exempt = of_one, in_all, exempt
        self.held = 0
        self._by_asker: Counter[str] = Counter()

    def take(self, address: str, count: int) -> bool:
        """Whether so many more may be held for an address; they are counted then, until they are given back."""
        who = asker(address)
        crowded = not self._exempt(address) and self._by_asker[who] + count > self._of_one
        if crowded or self.held + count > self._in_all:
            return False
        self.held += count
        self._by_asker[who] += count
        return True

    def give_back(self, address: str, count: int) -> None:
        """So many are held no longer."""
        who = asker(address)
        self.held -= count
        self._by_asker[who] -= count
        if self._by_asker[who] <= 0:
            del self._by_asker[who]


class BodyLimit:
    """ASGI middleware: 413 for a declared or an actual body beyond its path's limit in bytes, 408 for one that does not
    come within `read_s` seconds, 503 while too much is held already. `name` is that of the reason in the answer's JSON.
    """

    def __init__(
        self,
        app: ASGIApp,
        most: Callable[[str], int],
        name: str = "error",
        read_s: float = READ_S,
        in_flight: BytesInFlight | None = None,
    ) -> None:
        self._app, self._most, self._name, self._read_s = app, most, name, read_s
        self._in_flight = in_flight or BytesInFlight()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        most = self._most(scope["path"])
        declared = dict(scope["headers"]).get(b"content-length", b"0")
        # More digits than any limit has are not even a number worth reading.
        if not declared.isdigit() or len(declared) > MAX_DIGITS or int(declared) > most:
            await self._refuse(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"bodies of at most {most} bytes are taken", scope, receive, send
            )
            return
        client = scope.get("client")
        held = _Held(self._in_flight, client[0] if client else "")
        try:
            await self._within(most, int(declared), held, scope, receive, send)
        finally:
            held.give_back()

    async def _within(self, most: int, declared: int, held: _Held, scope: Scope, receive: Receive, send: Send) -> None:
        # What is declared is set aside before a byte of it is read.
        if not held.grow_to(declared):
            await self._refuse(HTTPStatus.SERVICE_UNAVAILABLE, TOO_MUCH, scope, receive, send)
            return
        try:
            async with asyncio.timeout(self._read_s):
                messages, status = await _read(receive, most, held)
        except TimeoutError:
            await self._refuse(
                HTTPStatus.REQUEST_TIMEOUT, f"the body did not come within {self._read_s:.0f} s", scope, receive, send
            )
            return
        if status:
            reason = (
                TOO_MUCH if status == HTTPStatus.SERVICE_UNAVAILABLE else f"bodies of at most {most} bytes are taken"
            )
            await self._refuse(status, reason, scope, receive, send)
            return

        async def replay() -> Message:
            return messages.popleft() if messages else await receive()

        await self._app(scope, replay, send)

    async def _refuse(self, status: int, reason: str, scope: Scope, receive: Receive, send: Send) -> None:
        headers = {"retry-after": "1"} if status == HTTPStatus.SERVICE_UNAVAILABLE else None
        await JSONResponse({self._name: reason}, status, headers)(scope, receive, send)


class _Held:
    """What one request holds."""

    def __init__(self, in_flight: BytesInFlight, address: str) -> None:
        self._in_flight, self._address, self._count = in_flight, address, 0

    def grow_to(self, count: int) -> bool:
        more = count - self._count
        if more > 0:
            if not self._in_flight.take(self._address, more):
                return False
            self._count = count
        return True

    def give_back(self) -> None:
        self._in_flight.give_back(self._address, self._count)
        self._count = 0


async def _read(receive: Receive, most: int, held: _Held) -> tuple[deque[Message], int]:
    # Read in whole: what is left to the app is then known to be small enough. The status is that of a refusal, or 0.
    received, messages = 0, deque[Message]()
    while True:
        message = await receive()
        messages.append(message)
        received += len(message.get("body", b""))
        if received > most:
            return messages, HTTPStatus.REQUEST_ENTITY_TOO_LARGE
        if not held.grow_to(received):
            return messages, HTTPStatus.SERVICE_UNAVAILABLE
        if message["type"] != "http.request" or not message.get("more_body"):
            return messages, 0

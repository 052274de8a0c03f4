"""Refuses bodies beyond a limit before anything parses them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

READ_S = 30.0  # in which a body must be there


class BodyLimit:
    """ASGI middleware: 413 for a declared or an actual body beyond its path's limit in bytes, 408 for one that does not
    come within `read_s` seconds. `name` is that of the reason in the answer's JSON.
    """

    def __init__(self, app: ASGIApp, most: Callable[[str], int], name: str = "error", read_s: float = READ_S) -> None:
        self._app, self._most, self._name, self._read_s = app, most, name, read_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        most = self._most(scope["path"])
        declared = dict(scope["headers"]).get(b"content-length", b"0")
        if not declared.isdigit() or int(declared) > most:
            await self._refuse(413, f"bodies of at most {most} bytes are taken", scope, receive, send)
            return
        try:
            async with asyncio.timeout(self._read_s):
                messages, fits = await _read(receive, most)
        except TimeoutError:
            await self._refuse(408, f"the body did not come within {self._read_s:.0f} s", scope, receive, send)
            return
        if not fits:
            await self._refuse(413, f"bodies of at most {most} bytes are taken", scope, receive, send)
            return

        async def replay() -> Message:
            return messages.pop(0) if messages else await receive()

        await self._app(scope, replay, send)

    async def _refuse(self, status: int, reason: str, scope: Scope, receive: Receive, send: Send) -> None:
        await JSONResponse({self._name: reason}, status)(scope, receive, send)


async def _read(receive: Receive, most: int) -> tuple[list[Message], bool]:
    # Read in whole: what is left to the app is then known to be small enough.
    received, messages = 0, []
    while True:
        message = await receive()
        messages.append(message)
        received += len(message.get("body", b""))
        if received > most:
            return messages, False
        if message["type"] != "http.request" or not message.get("more_body"):
            return messages, True

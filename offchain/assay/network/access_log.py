"""A line for each request, and an id by which the asker's report of it finds the line."""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Callable

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

REQUEST_ID = "x-request-id"
MAX_PATH = 200
_GIVEN_ID = re.compile(r"[A-Za-z0-9._-]{1,64}", re.ASCII)
log = structlog.get_logger()


class AccessLog:
    """ASGI middleware: gives each request an id, or keeps the asker's own, returns it, binds it to what is logged
    meanwhile, and logs method, path without query, status and time; at `debug`, failures of ours at `warning`.
    """

    def __init__(
        self,
        app: ASGIApp,
        new_id: Callable[[], str] = lambda: secrets.token_hex(8),
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._app, self._new_id, self._now = app, new_id, now

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        given = Headers(scope=scope).get(REQUEST_ID, "")
        request_id = given if _GIVEN_ID.fullmatch(given) else self._new_id()
        started, status = self._now(), 0

        async def noting(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = int(message["status"])
                MutableHeaders(scope=message)[REQUEST_ID] = request_id
            await send(message)

        with structlog.contextvars.bound_contextvars(request=request_id):
            try:
                await self._app(scope, receive, noting)
            finally:
                tell = log.warning if status >= 500 or status == 0 else log.debug
                tell(
                    "request answered" if status else "request not answered",
                    method=scope["method"],
                    path=scope["path"][:MAX_PATH],
                    status=status,
                    seconds=round(self._now() - started, 4),
                )

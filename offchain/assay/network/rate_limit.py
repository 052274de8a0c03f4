"""Requests beyond what one asker may make are refused before anything looks at them."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from assay.network.request_buckets import RequestBuckets, asker


class RateLimit:
    """ASGI middleware: 429 with the time to wait where an asker's bucket is empty. `limited` tells the paths that
    count, `name` is that of the reason in the answer's JSON.
    """

    def __init__(
        self, app: ASGIApp, buckets: RequestBuckets, limited: Callable[[str], bool], name: str = "error"
    ) -> None:
        self._app, self._buckets, self._limited, self._name = app, buckets, limited, name

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not self._limited(scope["path"]):
            await self._app(scope, receive, send)
            return
        client = scope.get("client")
        who = asker(client[0] if client else None)
        wait = self._buckets.take(who)
        if wait <= 0:
            await self._app(scope, receive, send)
            return
        reason = f"too many requests from {who}: wait {wait:.0f} seconds"
        headers = {"retry-after": str(max(1, round(wait)))}
        await JSONResponse({self._name: reason}, HTTPStatus.TOO_MANY_REQUESTS, headers)(scope, receive, send)

"""How much one client may ask: a bucket of requests an address, refilled by the second."""

from __future__ import annotations

import json
import time
from collections.abc import Callable

from starlette.types import ASGIApp, Receive, Scope, Send

from assay.network.request_buckets import RequestBuckets

FREE = ("/livez", "/readyz", "/metrics", "/static/")


class RateLimit:
    """ASGI middleware. `rate` requests a second and `burst` at once for each client address."""

    def __init__(self, app: ASGIApp, rate: float, burst: int, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._app = app
        self._buckets = RequestBuckets(rate, float(burst), monotonic)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"].startswith(FREE):
            await self._app(scope, receive, send)
            return
        client = scope.get("client")
        wait = self.take(client[0] if client else "")
        if wait <= 0:
            await self._app(scope, receive, send)
            return
        body = json.dumps({"error": f"too many requests: wait {wait:.0f} seconds"}).encode()
        headers = [
            (b"content-type", b"application/json"),
            (b"retry-after", str(max(1, round(wait))).encode()),
            (b"content-length", str(len(body)).encode()),
        ]
        await send({"type": "http.response.start", "status": 429, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    def take(self, client: str) -> float:
        """0 where the client may go on, else the seconds to wait."""
        return self._buckets.take(client)

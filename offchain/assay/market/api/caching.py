"""Answers are the same until the index moves: an ETag of its tip lets clients and proxies keep them."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable
from http import HTTPStatus

from fastapi import Request, Response

from assay.market.api.context import context_of
from assay.wire.market_paths import STREAM
from assay.wire.paths import API, LIVEZ, METRICS, READYZ

MAX_AGE_S = 2
STATIC = "/static/"
RELAY = "/relay/"
_UNCACHED = (LIVEZ, READYZ, METRICS, STREAM)


def etag_of(tip: str, revision: int, url: str) -> str:
    """A weak ETag: `at` tells the time, which differs between equal answers."""
    return 'W/"' + hashlib.sha256(f"{tip} {revision} {url}".encode()).hexdigest()[:24] + '"'


async def cache_headers(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
    """Middleware: ETag, Cache-Control, 304 and the block height on every GET of the index."""
    path = request.url.path
    status = context_of(request).status
    if request.method != "GET" or path in _UNCACHED or path.startswith((STATIC, RELAY)):
        response = await call_next(request)
        if path.startswith(STATIC):
            response.headers["cache-control"] = "public, max-age=31536000, immutable"
        return response
    tip = status.tip.hash.hex() if status.tip else ""
    # A part of a page for htmx has the address of the whole page: browsers must not show the one for the other.
    part = request.headers.get("hx-request", "")
    # Pages tell the time, also while the chain does not go on.
    told = status.stale if path.startswith(API) else status.now // MAX_AGE_S
    tag = etag_of(tip, status.revision, f"{request.url} {part} {told}")
    held = request.headers.get("if-none-match", "")
    if status.tip and tag in held:
        response = Response(status_code=HTTPStatus.NOT_MODIFIED)
    else:
        response = await call_next(request)
    if response.status_code in (HTTPStatus.OK, HTTPStatus.NOT_MODIFIED):
        response.headers["etag"] = tag
        response.headers["cache-control"] = "no-store" if part else f"public, max-age={MAX_AGE_S}"
        response.headers["vary"] = "accept, accept-encoding, hx-request"
    response.headers["x-assay-block"] = str(status.block)
    response.headers["x-assay-lag-seconds"] = str(status.lag_seconds)
    return response

"""The application: API under /v1, pages at the root, health and metrics beside them."""

from __future__ import annotations

import time
from http import HTTPStatus

from fastapi import APIRouter, Depends, FastAPI, Request
from fastapi.responses import JSONResponse, Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Gauge, generate_latest
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.gzip import GZipMiddleware

from assay.market.api import activity_routes, check_routes, device_routes, models, network_routes, stream_routes
from assay.market.api.caching import STATIC, cache_headers
from assay.market.api.context import Context, context_of
from assay.market.api.descriptions import described
from assay.market.api.failures import add_failures
from assay.market.api.parameters import known_only
from assay.market.store.database import database_bytes
from assay.network.access_log import AccessLog
from assay.network.body_limit import BodyLimit
from assay.network.rate_limit import RateLimit
from assay.network.request_buckets import RequestBuckets
from assay.wire import market_paths
from assay.wire.paths import LIVEZ, METRICS, READYZ

MAX_BODY = 64 << 10
FREE = (LIVEZ, READYZ, METRICS, STATIC)
_FAILURES = {
    code: {"model": models.Failure, "description": text}
    for code, text in (
        (HTTPStatus.BAD_REQUEST, "The request cannot be answered"),
        (HTTPStatus.NOT_FOUND, "Not there"),
        (HTTPStatus.UNPROCESSABLE_ENTITY, "An unknown parameter, or a value that it does not take"),
        (HTTPStatus.TOO_MANY_REQUESTS, "Too many requests"),
    )
}

health = APIRouter(include_in_schema=False)


@health.get(LIVEZ)
def live() -> dict[str, str]:
    """The process runs."""
    return {"status": "live"}


@health.get(READYZ)
def ready(request: Request) -> Response:
    """200 where the index follows a chain that goes on, else 503 with the reason."""
    context = context_of(request)
    status = context.status
    trouble = status.trouble
    body = {
        "ready": not trouble,
        "reason": trouble,
        "lastError": status.last_error,
        **models.At(**context.at()).model_dump(),
    }
    return JSONResponse(body, HTTPStatus.SERVICE_UNAVAILABLE if trouble else HTTPStatus.OK)


@health.get(METRICS)
def metrics(request: Request) -> Response:
    """For Prometheus."""
    context = context_of(request)
    status = context.status
    registry = CollectorRegistry()
    for name, text, value in (
        ("assay_market_block", "Newest indexed block", status.block),
        ("assay_market_lag_blocks", "Final blocks not indexed yet", status.lag_blocks),
        ("assay_market_lag_seconds", "Age of the newest indexed block", status.lag_seconds),
        ("assay_market_ready", "1 where the index follows a chain that goes on", int(status.ready)),
        ("assay_market_taken_in", "Rounds that took in offers or contents", status.revision),
        ("assay_market_unread_logs", "Logs that could not be read and were left out", status.unread),
        ("assay_market_dropped_rows", "Rows dropped for their age since the start", status.dropped),
        ("assay_market_database_bytes", "Size of the index", database_bytes(context.engine)),
        ("assay_market_streams", "Open event streams", context.streams.taken),
        ("assay_market_passed_on", "Requests that are being passed on to providers", context.passing.taken),
    ):
        Gauge(name, text, registry=registry).set(value)
    return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)


def create_app(context: Context, *, rate: float = 20.0, burst: int = 100, pages: bool = True) -> FastAPI:
    """The application over an index. `rate` requests a second and `burst` at once for each client address."""
    app = FastAPI(
        title="Assay market",
        version="1",
        description="Offers, measurements, payments, and slashes with their reasons. "
        "Every answer says at which block it holds, and every fact can be checked against the chain.",
        openapi_url=market_paths.OPENAPI,
        docs_url=None,
        redoc_url=None,
    )
    app.state.context = context
    plain_description = app.openapi
    app.openapi = lambda: app.openapi_schema or described(plain_description())  # type: ignore[method-assign]
    for routes in (device_routes, network_routes, activity_routes, check_routes, stream_routes):
        app.include_router(routes.router, responses=_FAILURES, dependencies=[Depends(known_only)])  # type: ignore[arg-type]
    app.include_router(health)
    add_failures(app)
    app.add_middleware(BaseHTTPMiddleware, dispatch=cache_headers)
    # Anybody's page may read what is public; nothing here knows who asks.
    app.add_middleware(
        CORSMiddleware,
        allow_origins=["*"],
        allow_methods=["GET"],
        expose_headers=["etag", "x-assay-block", "x-assay-lag-seconds"],
    )
    app.add_middleware(GZipMiddleware, minimum_size=500)
    app.add_middleware(BodyLimit, most=lambda _: MAX_BODY)
    app.add_middleware(RateLimit, buckets=RequestBuckets(rate, float(burst), time.monotonic), limited=_is_limited)
    app.add_middleware(AccessLog)
    if pages:
        from assay.market.web.pages import add_pages

        add_pages(app, context)
    return app


def _is_limited(path: str) -> bool:
    return not path.startswith(FREE)

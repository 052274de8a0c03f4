"""The application: limits first, then routes."""

from __future__ import annotations

from http import HTTPStatus

import structlog
from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from sqlalchemy.exc import OperationalError

from assay.network.access_log import AccessLog
from assay.network.body_limit import BodyLimit
from assay.network.rate_limit import RateLimit
from assay.validator.api.content_routes import content_routes
from assay.validator.api.message_routes import message_routes
from assay.validator.api.sender_check import SenderCheck
from assay.validator.api.services import ApiServices
from assay.validator.errors import Refused
from assay.wire import paths
from assay.wire.limits import MAX_MESSAGE_BYTES, MAX_SHORT_MESSAGE_BYTES

log = structlog.get_logger()


def body_limit(path: str) -> int:
    """Bytes that a request to a path may carry: lists of devices are long, an instant is not."""
    return MAX_MESSAGE_BYTES if path in paths.LONG_MESSAGES else MAX_SHORT_MESSAGE_BYTES


def create_app(services: ApiServices) -> FastAPI:
    """Routes under /v1, /livez, /readyz and /metrics."""
    app = FastAPI(title="Assay validator", version="1", docs_url=None, redoc_url=None)

    @app.exception_handler(Refused)
    async def refused(_: Request, error: Refused) -> JSONResponse:
        return JSONResponse({"reason": error.reason}, error.status)

    @app.exception_handler(RequestValidationError)
    async def malformed(_: Request, error: RequestValidationError) -> JSONResponse:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"][:6])
        return JSONResponse({"reason": f"{where}: {first['msg']}"[:300]}, HTTPStatus.UNPROCESSABLE_ENTITY)

    @app.exception_handler(OperationalError)
    async def no_room(_: Request, error: OperationalError) -> JSONResponse:
        # A full disk, most likely: the peer asks again later.
        return JSONResponse({"reason": "nothing can be stored here now"}, HTTPStatus.SERVICE_UNAVAILABLE)

    @app.exception_handler(Exception)
    async def failed(request: Request, error: Exception) -> JSONResponse:
        log.error("request failed", path=request.url.path, error=repr(error))
        return JSONResponse({"reason": "internal error"}, HTTPStatus.INTERNAL_SERVER_ERROR)

    app.include_router(message_routes(services))
    app.include_router(content_routes(services))
    app.include_router(health_routes(services))
    app.add_middleware(BodyLimit, most=body_limit, name="reason")
    app.add_middleware(SenderCheck, check=services.inbox.sender)
    app.add_middleware(
        RateLimit, buckets=services.limit, limited=lambda path: path.startswith(paths.API), name="reason"
    )
    app.add_middleware(AccessLog)
    return app


def health_routes(services: ApiServices) -> APIRouter:
    """Whether the process lives, whether it can take part, and its counters."""
    router = APIRouter()

    @router.get(paths.LIVEZ)
    async def livez() -> dict[str, bool]:
        """The process answers."""
        return {"live": True}

    @router.get(paths.READYZ, responses={HTTPStatus.SERVICE_UNAVAILABLE: {}})
    async def readyz() -> JSONResponse:
        """200 when it can take part in an epoch, 503 with every reason why not."""
        reasons = services.unready()
        return JSONResponse(
            {"ready": not reasons, "reasons": reasons}, HTTPStatus.SERVICE_UNAVAILABLE if reasons else HTTPStatus.OK
        )

    @router.get(paths.METRICS)
    async def metrics() -> Response:
        """Prometheus text."""
        return Response(services.metrics(), media_type=paths.PROMETHEUS)

    return router

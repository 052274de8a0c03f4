"""The application: routes, limits, and errors as JSON."""

from __future__ import annotations

from functools import partial
from http import HTTPStatus
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response

from assay.chain.errors import ChainError, UnreachableChain
from assay.network.access_log import AccessLog
from assay.network.body_limit import BodyLimit
from assay.protocol.hexadecimal import HexadecimalError
from assay.protocol.typed_message import MessageError
from assay.provider.api.backup_routes import backup_routes
from assay.provider.api.cluster_routes import cluster_routes
from assay.provider.api.endpoint_routes import endpoint_routes
from assay.provider.api.file_routes import file_routes
from assay.provider.api.job_routes import job_routes
from assay.provider.api.json_bodies import AsciiResponse, body_limit
from assay.provider.api.lease_routes import lease_routes
from assay.provider.api.login_routes import login_routes
from assay.provider.api.measurement_routes import measurement_routes
from assay.provider.api.notebook_routes import notebook_routes
from assay.provider.api.pod_routes import pod_routes
from assay.provider.api.renter_check import announced_upload
from assay.provider.api.services import Services
from assay.provider.api.upload_check import UploadCheck
from assay.provider.errors import ProviderError
from assay.wire import paths

log = structlog.get_logger()


def create_app(services: Services) -> FastAPI:
    """The provider's HTTP application."""
    app = FastAPI(title="Assay provider", version="1", docs_url=None, redoc_url=None)
    app.add_middleware(BodyLimit, most=body_limit)
    app.add_middleware(UploadCheck, check=partial(announced_upload, services))
    app.add_middleware(AccessLog)
    app.include_router(measurement_routes(services))
    app.include_router(lease_routes(services))
    app.include_router(job_routes(services))
    app.include_router(file_routes(services))
    app.include_router(login_routes(services))
    app.include_router(notebook_routes(services))
    app.include_router(pod_routes(services))
    app.include_router(cluster_routes(services))
    app.include_router(endpoint_routes(services))
    app.include_router(backup_routes(services))

    @app.get(paths.LIVEZ)
    async def livez() -> dict[str, str]:
        return {"status": "alive"}

    @app.get(paths.READYZ)
    async def readyz() -> JSONResponse:
        cards = services.cards
        ready, works = services.ready(), cards is None or cards.works()
        state = "ready" if ready and works else "no card works" if ready else "starting"
        told = {} if cards is None else {"cards": cards.status()}
        return JSONResponse(
            {"status": state, **told}, HTTPStatus.OK if ready and works else HTTPStatus.SERVICE_UNAVAILABLE
        )

    @app.get(paths.STATUS)
    async def status() -> Any:
        return services.status()

    @app.get(paths.METRICS)
    async def metrics() -> Response:
        return Response(services.metrics(), media_type=paths.PROMETHEUS)

    @app.exception_handler(ProviderError)
    async def refused(_request: Request, error: ProviderError) -> AsciiResponse:
        return AsciiResponse({"error": str(error)}, error.status)

    @app.exception_handler(HexadecimalError)
    @app.exception_handler(MessageError)
    async def malformed(_request: Request, error: Exception) -> AsciiResponse:
        return AsciiResponse({"error": str(error)}, HTTPStatus.BAD_REQUEST)

    @app.exception_handler(RequestValidationError)
    async def invalid(_request: Request, error: RequestValidationError) -> AsciiResponse:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        return AsciiResponse({"error": f"{where}: {first['msg']}"}, HTTPStatus.UNPROCESSABLE_ENTITY)

    @app.exception_handler(ChainError)
    async def chain(_request: Request, error: ChainError) -> AsciiResponse:
        log.warning("chain error while answering", error=str(error))
        if isinstance(error, UnreachableChain):
            return AsciiResponse({"error": "this provider cannot reach the chain now"}, HTTPStatus.SERVICE_UNAVAILABLE)
        return AsciiResponse({"error": str(error)[:500]}, HTTPStatus.CONFLICT)

    return app

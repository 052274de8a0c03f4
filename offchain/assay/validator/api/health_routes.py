"""Whether the process lives, whether it can take part, and its counters."""

from __future__ import annotations

from http import HTTPStatus

from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse

from assay.validator.api.services import ApiServices
from assay.wire import paths


def health_routes(services: ApiServices) -> APIRouter:
    """/livez, /readyz, /metrics."""
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

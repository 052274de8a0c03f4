"""A seat as a provider's eye outside its own network."""

from __future__ import annotations

from fastapi import APIRouter

from assay.validator.api.message_routes import REFUSALS
from assay.validator.api.services import ApiServices
from assay.wire import paths
from assay.wire.reachability import Reached, SignedReachabilityRequest


def reachability_routes(services: ApiServices) -> APIRouter:
    """POST /v1/reachability."""
    router = APIRouter(responses={**REFUSALS, 404: REFUSALS[422]})

    @router.post(paths.REACHABILITY)
    async def reachability(request: SignedReachabilityRequest) -> Reached:
        """Dials the origin that the registry has of a device, for whoever holds its key."""
        return await services.reachability.look(request)

    return router

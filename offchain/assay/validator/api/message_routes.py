"""What seats post to each other."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from fastapi import APIRouter, Request
from pydantic import BaseModel

from assay.protocol.hexadecimal import to_hex
from assay.validator.api.message_bodies import MessageBodies, body_schema
from assay.validator.api.services import ApiServices
from assay.wire import paths
from assay.wire.gossip import BatchMessage, InstantMessage, InventoryMessage, ReportProposal, SealProposal


class Taken(BaseModel):
    """The message was taken, or was known."""

    taken: bool = True


class Signed(BaseModel):
    """This seat's compact signature."""

    signature: str


class Reason(BaseModel):
    """Why not."""

    reason: str


REFUSALS: dict[int | str, dict[str, Any]] = {
    status: {"model": Reason}
    for status in (
        HTTPStatus.UNAUTHORIZED,
        HTTPStatus.FORBIDDEN,
        HTTPStatus.REQUEST_TIMEOUT,
        HTTPStatus.CONFLICT,
        HTTPStatus.LENGTH_REQUIRED,
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        HTTPStatus.UNPROCESSABLE_ENTITY,
        HTTPStatus.TOO_MANY_REQUESTS,
        HTTPStatus.SERVICE_UNAVAILABLE,
    )
}


def message_routes(services: ApiServices) -> APIRouter:
    """POST routes under /v1. Every body is signed by a current seat, and every post too (see SenderCheck)."""
    router = APIRouter(responses=REFUSALS)
    bodies = MessageBodies()

    @router.post(paths.INSTANTS, openapi_extra=body_schema(InstantMessage))
    async def instants(request: Request) -> Taken:
        """A leader's instant."""
        services.inbox.instant(await bodies.read(request, InstantMessage))
        return Taken()

    @router.post(paths.INVENTORIES, openapi_extra=body_schema(InventoryMessage))
    async def inventories(request: Request) -> Taken:
        """What a seat holds."""
        services.inbox.inventory(await bodies.read(request, InventoryMessage))
        return Taken()

    @router.post(paths.OBSERVATIONS, openapi_extra=body_schema(BatchMessage))
    async def observations(request: Request) -> Taken:
        """What a seat saw."""
        services.inbox.batch(await bodies.read(request, BatchMessage))
        return Taken()

    @router.post(paths.SEAL_PROPOSALS, openapi_extra=body_schema(SealProposal))
    async def seal_proposals(request: Request) -> Signed:
        """A leader's seal; answered with this seat's signature."""
        proposal = await bodies.read(request, SealProposal)
        return Signed(signature=to_hex(await services.inbox.seal_proposal(proposal)))

    @router.post(paths.REPORT_PROPOSALS, openapi_extra=body_schema(ReportProposal))
    async def report_proposals(request: Request) -> Signed:
        """A leader's report; answered with this seat's signature."""
        proposal = await bodies.read(request, ReportProposal)
        return Signed(signature=to_hex(await services.inbox.report_proposal(proposal)))

    return router

"""What seats post to each other."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel

from assay.protocol.hexadecimal import to_hex
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
    status: {"model": Reason} for status in (401, 403, 408, 409, 413, 422, 429, 503)
}


def message_routes(services: ApiServices) -> APIRouter:
    """POST routes under /v1. Every body is signed by a current seat."""
    router = APIRouter(responses=REFUSALS)

    @router.post(paths.INSTANTS)
    async def instants(message: InstantMessage) -> Taken:
        """A leader's instant."""
        services.inbox.instant(message)
        return Taken()

    @router.post(paths.INVENTORIES)
    async def inventories(message: InventoryMessage) -> Taken:
        """What a seat holds."""
        services.inbox.inventory(message)
        return Taken()

    @router.post(paths.OBSERVATIONS)
    async def observations(message: BatchMessage) -> Taken:
        """What a seat saw."""
        services.inbox.batch(message)
        return Taken()

    @router.post(paths.SEAL_PROPOSALS)
    async def seal_proposals(proposal: SealProposal) -> Signed:
        """A leader's seal; answered with this seat's signature."""
        return Signed(signature=to_hex(await services.inbox.seal_proposal(proposal)))

    @router.post(paths.REPORT_PROPOSALS)
    async def report_proposals(proposal: ReportProposal) -> Signed:
        """A leader's report; answered with this seat's signature."""
        return Signed(signature=to_hex(await services.inbox.report_proposal(proposal)))

    return router

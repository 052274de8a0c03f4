"""What anybody may read: contents by hash, epochs, status."""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Path, Request, Response

from assay.network.request_buckets import asker
from assay.protocol.hexadecimal import parse_address, parse_bytes32
from assay.protocol.types import DeviceId
from assay.validator.api.message_routes import REFUSALS
from assay.validator.api.services import ApiServices
from assay.validator.errors import Refused
from assay.wire import paths

Hash = Annotated[str, Path(pattern="^0x[0-9a-fA-F]{64}$")]
Account = Annotated[str, Path(pattern="^0x[0-9a-fA-F]{40}$")]
Epoch = Annotated[int, Path(ge=0, lt=2**63)]


def content_routes(services: ApiServices) -> APIRouter:
    """GET routes under /v1."""
    not_found: dict[int | str, dict[str, Any]] = {HTTPStatus.NOT_FOUND: REFUSALS[HTTPStatus.UNPROCESSABLE_ENTITY]}
    router = APIRouter(responses={**REFUSALS, **not_found})

    def charge(request: Request, length: int) -> None:
        peer = asker(request.client.host if request.client is not None else None)
        wait = services.downloads.take(peer, float(length))
        if wait > 0:
            raise Refused(HTTPStatus.TOO_MANY_REQUESTS, f"{peer} has used up its share of bytes: wait {wait:.0f} s")

    @router.get(paths.CONTENT)
    async def content(digest: Hash, request: Request) -> Response:
        """The body with this H: JSON, or an opening as bytes."""
        found = await asyncio.to_thread(services.store.content, parse_bytes32(digest))
        if found is None:
            raise Refused(HTTPStatus.NOT_FOUND, f"no content with hash {digest}")
        kind, body = found
        charge(request, len(body))
        media = paths.BYTES if kind == "opening" else paths.JSON
        # The hash names the bytes: they never change.
        return Response(body, media_type=media, headers={"cache-control": "public, immutable"})

    @router.get(paths.EPOCH)
    async def epoch_index(epoch: Epoch) -> dict[str, Any]:
        """What is held of an epoch, by hash, and the lines of its report with proofs."""
        found = await asyncio.to_thread(services.publication.epoch, epoch)
        if found is None:
            raise Refused(HTTPStatus.NOT_FOUND, f"epoch {epoch} is unknown here")
        return found

    @router.get(paths.EPOCH_OPENING)
    async def opening(epoch: Epoch, device_id: Hash, request: Request) -> Response:
        """The opening of a device that verified here: for the seats that did not ask the device themselves."""
        found = await asyncio.to_thread(services.store.valid_opening, epoch, DeviceId(parse_bytes32(device_id)))
        if found is None:
            raise Refused(HTTPStatus.NOT_FOUND, f"no opening of {device_id} that verified in epoch {epoch} here")
        charge(request, len(found))
        return Response(found, media_type=paths.BYTES)

    @router.get(paths.EPOCH_DEVICE)
    async def device(epoch: Epoch, device_id: Hash) -> dict[str, Any]:
        """A device's line in the report with its proof."""
        found = await asyncio.to_thread(services.publication.device, epoch, DeviceId(parse_bytes32(device_id)))
        if found is None:
            raise Refused(HTTPStatus.NOT_FOUND, f"device {device_id} is not in a report of epoch {epoch} here")
        return found

    @router.get(paths.EPOCH_REWARD)
    async def reward(epoch: Epoch, account: Account) -> dict[str, Any]:
        """An account's line in the reward tree with its proof."""
        address = parse_address(account.lower())
        found = await asyncio.to_thread(services.publication.reward, epoch, address)
        if found is None:
            raise Refused(HTTPStatus.NOT_FOUND, f"{account} is not in the reward tree of epoch {epoch} here")
        return found

    @router.get(paths.STATUS)
    async def status() -> dict[str, Any]:
        """How this validator is doing."""
        return dict(services.status())

    return router

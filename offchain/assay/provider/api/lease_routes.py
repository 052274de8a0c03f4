"""What a renter asks before a lease runs: offers, the handover proof, the start."""

from __future__ import annotations

import asyncio
from typing import Any

from fastapi import APIRouter, Request, Response

from assay.chain.contracts.leases import LeaseStatus
from assay.protocol.hexadecimal import parse_bytes32, to_hex
from assay.protocol.types import DeviceId
from assay.provider.api.renter_check import authorised_lease
from assay.provider.api.services import Services
from assay.provider.leasing.lease_rules import ends_from
from assay.wire import paths
from assay.wire.leases import NonceBody, QuoteBody, RevealBody, StartBody


def lease_routes(services: Services) -> APIRouter:
    """Routes under /v1 for offers and for the parties of a lease."""
    router = APIRouter()

    @router.get(paths.OFFERS)
    async def offers() -> dict[str, Any]:
        """Signed offers of the devices and nodes that are free, and what those devices were enrolled as."""
        return await services.offers()

    @router.post(paths.QUOTES)
    async def quote(body: QuoteBody) -> dict[str, Any]:
        """An offer for one renter alone, by the provider's policy."""
        return await services.quote(body.devices(), body.renter_address(), body.seconds)

    @router.get(paths.LEASE)
    async def lease_(lease_id: int, request: Request) -> dict[str, Any]:
        """How the lease stands, what is in the way of its start, whether notice was given, until when its files can be
        fetched, and the proof that they are gone.
        """
        lease, offer = await authorised_lease(services, lease_id, request)
        pending = lease.status is LeaseStatus.PENDING
        obstacle = await services.starts.obstacle(lease, offer) if pending else None
        return {
            "leaseId": lease_id,
            "status": lease.status.name.lower(),
            "deviceIds": [to_hex(device_id) for device_id in offer.device_ids],
            "obstacle": None if obstacle is None else str(obstacle),
            "stop": lease.stop,
            "leftEarly": lease.left_early,
            "notice": offer.notice,
            "noticeAt": lease.notice_at or None,
            "endsFrom": ends_from(lease),
            "fetchUntil": int(lease.stop + services.grace),
            "wiped": await asyncio.to_thread(services.wipes.of_lease, lease_id),
        }

    @router.post(paths.LEASE + paths.HANDOVER)
    async def handover(lease_id: int, body: NonceBody, request: Request) -> Response:
        """H(x) in, the signed Handover of one device out. Refused where the lease could not be started."""
        lease, offer = await authorised_lease(services, lease_id, request)
        if lease.status is LeaseStatus.PENDING:
            await services.starts.require(lease, offer)
        answer = await services.handovers.handover(lease, offer, body.device(), body.value())
        return Response(answer, media_type=paths.JSON)

    @router.post(paths.LEASE + paths.HANDOVER_OPENING)
    async def opening(lease_id: int, body: RevealBody, request: Request) -> Response:
        """x in, the rows of one device that it samples out."""
        lease, offer = await authorised_lease(services, lease_id, request)
        data = await services.handovers.opening(lease, offer, body.device(), body.value())
        return Response(data, media_type=paths.BYTES)

    @router.post(paths.LEASE + paths.START)
    async def start(lease_id: int, body: StartBody, request: Request) -> dict[str, Any]:
        """The renter's LeaseStart in, the provider's transaction out."""
        lease, offer = await authorised_lease(services, lease_id, request)
        mined = await services.starts.start(lease, offer, body.roots(), body.valid_until, body.signature_bytes())
        services.started(lease)
        return {"transaction": mined.hash, "gasUsed": mined.gas_used}

    @router.get(paths.DEVICE)
    async def device(device_id: str) -> dict[str, Any]:
        """What is known here of a device: its profile and whether it is leased."""
        found = services.devices.get(DeviceId(parse_bytes32(device_id, "deviceId")))
        if found is None:
            return {"served": False}
        lease_id = await services.leases.active_lease(found.device_id)
        return {
            "served": True,
            "deviceId": found.name,
            "profile": found.profile.id,
            "lease": lease_id or None,
        }

    return router

"""What a renter asks before a lease runs: offers, the handover proof, the start."""

from __future__ import annotations

import asyncio
from typing import Any

from fastapi import APIRouter, Request, Response

from assay.chain.leases import LeaseStatus
from assay.protocol.hexadecimal import parse_bytes32
from assay.provider.api.json_bodies import NonceBody, QuoteBody, RevealBody, StartBody
from assay.provider.api.renter_check import authorised_lease
from assay.provider.api.services import Services
from assay.provider.errors import Conflict


def lease_routes(services: Services) -> APIRouter:
    """Routes under /v1 for offers and for the parties of a lease."""
    router = APIRouter(prefix="/v1")

    @router.get("/offers")
    async def offers() -> dict[str, Any]:
        """Offers of the devices that are free, signed by the provider, and what those devices were enrolled as."""
        return await services.offers()

    @router.post("/quotes")
    async def quote(body: QuoteBody) -> dict[str, Any]:
        """An offer for one renter alone, by the provider's policy."""
        return await services.quote(body.device(), body.renter_address(), body.seconds)

    @router.get("/leases/{lease_id}")
    async def lease_(lease_id: int, request: Request) -> dict[str, Any]:
        """How the lease stands, until when its files can be fetched, and the proof that they are gone."""
        lease = await authorised_lease(services, lease_id, request)
        return {
            "leaseId": lease_id,
            "status": lease.status.name.lower(),
            "stop": lease.stop,
            "fetchUntil": int(lease.stop + services.grace),
            "wiped": await asyncio.to_thread(services.wipes.of_lease, lease_id),
        }

    @router.post("/leases/{lease_id}/handover")
    async def handover(lease_id: int, body: NonceBody, request: Request) -> Response:
        """H(x) in, the signed Handover out."""
        lease = await authorised_lease(services, lease_id, request)
        return Response(await services.handovers.handover(lease, body.value()), media_type="application/json")

    @router.post("/leases/{lease_id}/handover/opening")
    async def opening(lease_id: int, body: RevealBody, request: Request) -> Response:
        """x in, the rows that it samples out."""
        lease = await authorised_lease(services, lease_id, request)
        data = await services.handovers.opening(lease, body.value())
        return Response(data, media_type="application/octet-stream")

    @router.post("/leases/{lease_id}/start")
    async def start(lease_id: int, body: StartBody, request: Request) -> dict[str, Any]:
        """The renter's LeaseStart in, the provider's transaction out."""
        lease = await authorised_lease(services, lease_id, request)
        if lease.status is not LeaseStatus.PENDING:
            raise Conflict(f"lease {lease_id} is {lease.status.name.lower()}; only a pending one can start")
        if body.valid_until <= services.clock():
            raise Conflict(f"the start was valid until {body.valid_until}, which is over")
        mined = await services.escrow.start(lease, body.root(), body.valid_until, body.signature_bytes())
        services.started(lease)
        return {"transaction": mined.hash, "gasUsed": mined.gas_used}

    @router.get("/devices/{device_id}")
    async def device(device_id: str) -> dict[str, Any]:
        """What is known here of a device: its profile and whether it is leased."""
        found = services.devices.get(parse_bytes32(device_id, "deviceId"))
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

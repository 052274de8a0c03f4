"""What a renter asks so that anybody can call a port of its pod."""

from __future__ import annotations

import asyncio
from typing import Any

from fastapi import APIRouter, Request

from assay.provider.api.renter_check import authorised_lease, require_running
from assay.provider.api.services import Services
from assay.provider.endpoints.endpoints import Endpoints
from assay.provider.endpoints.port_rules import Protocol
from assay.provider.errors import Conflict
from assay.wire import paths
from assay.wire.pods import ExposeBody


def endpoint_routes(services: Services) -> APIRouter:
    """Routes under /v1/leases/{leaseId}/endpoints for the lease's renter."""
    router = APIRouter()

    @router.get(paths.LEASE + paths.ENDPOINTS)
    async def show(lease_id: int, request: Request) -> Any:
        """The lease's endpoints, and what has gone through each."""
        await authorised_lease(services, lease_id, request)
        return (await asyncio.to_thread(_endpoints(services).shown, lease_id)).to_json()

    @router.post(paths.LEASE + paths.ENDPOINTS)
    async def open_(lease_id: int, body: ExposeBody, request: Request) -> Any:
        """A port of the pod in, where anybody reaches it out. One that is open already stays as it is."""
        lease, _ = await authorised_lease(services, lease_id, request)
        require_running(services, lease)
        return (await asyncio.to_thread(_endpoints(services).open, lease_id, body, lease.renter)).to_json()

    @router.delete(paths.LEASE + paths.NAME)
    async def close_name(lease_id: int, name: str, request: Request) -> Any:
        """Closes an endpoint with HTTPS; what is left of them out."""
        await authorised_lease(services, lease_id, request)
        await asyncio.to_thread(_endpoints(services).close_name, lease_id, name)
        return (await asyncio.to_thread(_endpoints(services).shown, lease_id)).to_json()

    @router.delete(paths.LEASE + paths.ENDPOINT)
    async def close(lease_id: int, protocol: Protocol, public_port: int, request: Request) -> Any:
        """Closes an endpoint; what is left of them out."""
        await authorised_lease(services, lease_id, request)
        await asyncio.to_thread(_endpoints(services).close, lease_id, protocol, public_port)
        return (await asyncio.to_thread(_endpoints(services).shown, lease_id)).to_json()

    return router


def _endpoints(services: Services) -> Endpoints:
    if services.endpoints is None:
        raise Conflict(
            "this provider has neither public ports nor a domain: "
            "reach the pod with `assay ssh LEASE -L PORT:localhost:PORT`"
        )
    return services.endpoints

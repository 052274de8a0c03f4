"""What a renter asks so that its pods on several hosts reach each other."""

from __future__ import annotations

import asyncio
from typing import Any

from fastapi import APIRouter, Request

from assay.provider.api.renter_check import authorised_lease, require_running
from assay.provider.api.services import Services
from assay.provider.clusters.clusters import Clusters
from assay.provider.errors import Conflict
from assay.wire import paths
from assay.wire.clusters import ClusterBody


def cluster_routes(services: Services) -> APIRouter:
    """Routes under /v1/leases/{leaseId}/cluster for the lease's renter."""
    router = APIRouter()

    async def shown(lease_id: int, renter: str) -> Any:
        where = services.status().get("ssh")
        port = None if where is None else where["port"]
        return (await asyncio.to_thread(_clusters(services).shown, lease_id, renter, port)).to_json()

    @router.get(paths.LEASE + paths.CLUSTER)
    async def show(lease_id: int, request: Request) -> Any:
        """What other providers must know of the lease, and how its cluster stands."""
        lease, _ = await authorised_lease(services, lease_id, request)
        return await shown(lease_id, lease.renter)

    @router.put(paths.LEASE + paths.CLUSTER)
    async def join(lease_id: int, body: ClusterBody, request: Request) -> Any:
        """All members in; the lease's pod is linked to the others from now on."""
        lease, _ = await authorised_lease(services, lease_id, request)
        require_running(services, lease)
        if body.members[0].way is not None and services.status().get("ssh") is None:
            raise Conflict("this provider offers no SSH, which links pods on several hosts")
        await _clusters(services).set(lease_id, lease.renter, body)
        return await shown(lease_id, lease.renter)

    return router


def _clusters(services: Services) -> Clusters:
    if services.clusters is None:
        raise Conflict("this provider runs jobs without pods, so there is nothing to link")
    return services.clusters

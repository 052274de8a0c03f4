"""Lets a request through to a lease only with its renter's signature."""

from __future__ import annotations

from fastapi import Request

from assay.chain.leases import Lease
from assay.provider.api.services import Services
from assay.provider.errors import NotFound
from assay.provider.request_signatures import ISSUED_AT_HEADER, SIGNATURE_HEADER


async def authorised_lease(services: Services, lease_id: int, request: Request) -> Lease:
    """The lease at a final block. Raises NotFound for one that is not of a device here, and as RequestGuard."""
    lease = await services.leases.lease(lease_id)
    if lease is None or lease.device_id not in services.devices:
        raise NotFound(f"no lease {lease_id} of a device that is served here")
    path = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    services.guard.check(
        lease,
        request.method,
        path,
        await request.body(),
        request.headers.get(SIGNATURE_HEADER),
        request.headers.get(ISSUED_AT_HEADER),
    )
    return lease

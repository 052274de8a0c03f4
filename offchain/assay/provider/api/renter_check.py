"""Lets a request through to a lease only with its renter's signature, or in a session that its renter opened."""

from __future__ import annotations

from fastapi import Request, WebSocket

from assay.chain.leases import Lease, LeaseStatus
from assay.provider.api.services import Services
from assay.provider.errors import Conflict, NotFound
from assay.provider.request_signatures import ISSUED_AT_HEADER, SIGNATURE_HEADER


async def served_lease(services: Services, lease_id: int) -> Lease:
    """The lease at a final block, whoever asks. Raises NotFound for one that is not of a device here."""
    lease = await services.leases.lease(lease_id)
    if lease is None or lease.device_id not in services.devices:
        raise NotFound(f"no lease {lease_id} of a device that is served here")
    return lease


def require_running(services: Services, lease: Lease) -> None:
    """Raises Conflict for a lease under which nothing may run now."""
    if lease.status is not LeaseStatus.ACTIVE or services.clock() >= lease.stop:
        state = "over" if lease.status is LeaseStatus.ACTIVE else lease.status.name.lower()
        raise Conflict(f"lease {lease.lease_id} is {state}; jobs need an active one")


async def authorised_lease(services: Services, lease_id: int, request: Request) -> Lease:
    """The lease at a final block. Raises NotFound for one that is not of a device here, and as RequestGuard."""
    lease = await served_lease(services, lease_id)
    if token := bearer_token(request):
        services.logins.check(token, lease)
        return lease
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


def bearer_token(request: Request | WebSocket) -> str | None:
    """The token of an Authorization header, None without one."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" and token.strip() else None

"""Lets a request through to a lease only with its renter's signature, or in a session that its renter opened."""

from __future__ import annotations

from dataclasses import replace
from urllib.parse import quote

from fastapi import Request, WebSocket

from assay.chain.contracts.leases import Lease, LeaseStatus
from assay.protocol.hexadecimal import parse_bytes32
from assay.protocol.keccak import keccak
from assay.protocol.messages import Offer
from assay.provider.access.request_signatures import SignedHeaders
from assay.provider.api.services import Services
from assay.provider.errors import Conflict, NotAuthorised, NotFound
from assay.provider.leasing.lease_rules import runs
from assay.provider.workloads.jobs import JobRequest
from assay.wire.limits import MAX_REQUEST_BYTES
from assay.wire.post_headers import BODY_HASH


async def served_lease(services: Services, lease_id: int) -> tuple[Lease, Offer]:
    """The lease at a final block and the offer it stands on, whoever asks. Raises NotFound for one with any device that
    is not served here.
    """
    lease = await services.leases.lease(lease_id)
    if lease is not None:
        offer = await services.lease_offers.of(lease)
        if all(device_id in services.devices for device_id in offer.device_ids):
            return lease, offer
    raise NotFound(f"no lease {lease_id} of devices that are served here")


def require_running(services: Services, lease: Lease) -> None:
    """Raises Conflict for a lease under which nothing may run now."""
    if not runs(lease, services.clock()):
        over = "left early" if lease.left_early else "over"
        state = over if lease.status is LeaseStatus.ACTIVE else lease.status.name.lower()
        raise Conflict(f"lease {lease.lease_id} is {state}; jobs need an active one")


async def authorised_lease(services: Services, lease_id: int, request: Request) -> tuple[Lease, Offer]:
    """The lease at a final block, and its offer. Raises NotFound for one not served here, and as RequestGuard."""
    lease, offer = await served_lease(services, lease_id)
    if token := bearer_token(request):
        services.logins.check(token, lease)
        return lease, offer
    told = request.headers.get(BODY_HASH)
    body_hash = keccak(await request.body()) if told is None else parse_bytes32(told, BODY_HASH)
    services.guard.check(
        lease,
        request.method,
        target_of(request),
        body_hash,
        SignedHeaders.of(request.headers),
    )
    # A long body was read only after `announced_upload`: of one that nobody answers for not a byte is read.
    if told is not None and keccak(await request.body()) != body_hash:
        raise NotAuthorised(f"{BODY_HASH} is not the hash of the body that came")
    return lease, offer


async def with_image(services: Services, lease_id: int, wanted: JobRequest) -> JobRequest:
    """A job with the image that it names at the engine. Engines fetch nothing themselves: what renters name could send
    them anywhere. Raises ImageRefused, Unavailable."""
    if wanted.image is None or services.images is None:
        return wanted
    return replace(wanted, image=await services.images.for_job(lease_id, wanted.image))


async def announced_upload(services: Services, lease_id: int, request: Request) -> None:
    """Lets a body be read that the renter has signed by its H, or that comes in a session. Raises as
    `authorised_lease`, which judges what came.
    """
    lease, _ = await served_lease(services, lease_id)
    if token := bearer_token(request):
        services.logins.check(token, lease)
        return
    if (announced := request.headers.get(BODY_HASH)) is None:
        raise NotAuthorised(f"a body of more than {MAX_REQUEST_BYTES} bytes needs the header {BODY_HASH}")
    services.guard.check_hash(
        lease,
        request.method,
        target_of(request),
        parse_bytes32(announced, BODY_HASH),
        SignedHeaders.of(request.headers),
    )


def target_of(request: Request) -> str:
    """The path with its query as they came, which is what was signed: decoded, `%3F` and `?` are one."""
    path, query = raw_path(request).decode("latin-1"), request.scope.get("query_string", b"").decode("latin-1")
    return f"{path}?{query}" if query else path


def raw_path(request: Request) -> bytes:
    """The path as it came, still quoted. Servers decode it as text, and lose what is not UTF-8."""
    raw = request.scope.get("raw_path")
    return bytes(raw) if raw is not None else quote(request.scope["path"]).encode()


def bearer_token(request: Request | WebSocket) -> str | None:
    """The token of an Authorization header, None without one."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" and token.strip() else None

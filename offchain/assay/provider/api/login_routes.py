"""Log in with a wallet, for browsers and tools that cannot sign every request."""

from __future__ import annotations

from fastapi import APIRouter, Request

from assay.network.request_buckets import asker
from assay.provider.api.renter_check import authorised_lease, bearer_token, served_lease
from assay.provider.api.services import Services
from assay.provider.errors import Conflict
from assay.wire import paths
from assay.wire.leases import LoginBody, SshKeyBody


def login_routes(services: Services) -> APIRouter:
    """Routes under /v1 for sessions."""
    router = APIRouter()

    @router.get(paths.LOGIN_NONCE)
    async def nonce() -> dict[str, str]:
        """A nonce to sign, good for one login within five minutes."""
        return {"nonce": services.logins.nonce()}

    @router.post(paths.LEASE + paths.LOGIN)
    async def login(lease_id: int, body: LoginBody, request: Request) -> dict[str, object]:
        """A signed message in, a bearer token out, for this lease and at most an hour."""
        lease, offer = await served_lease(services, lease_id)
        origins = services.origins.of(offer.device_ids)
        who = asker(request.client.host if request.client is not None else None)
        token, until = await services.logins.log_in(body.message, body.signature_bytes(), origins, lease, who)
        return {"token": token, "expiresAt": until}

    @router.post(paths.LEASE + paths.SSH_KEYS)
    async def ssh_key(lease_id: int, body: SshKeyBody, request: Request) -> dict[str, object]:
        """A public key in, vouched for by the renter's signature; where to connect out."""
        await authorised_lease(services, lease_id, request)
        where = services.status().get("ssh")
        if where is None:
            raise Conflict("this provider offers no SSH")
        fingerprint = services.ssh_keys.add(lease_id, body.public_key)
        return {"user": f"lease-{lease_id}", "fingerprint": fingerprint, **where}

    @router.post(paths.LOGOUT)
    async def logout(request: Request) -> dict[str, str]:
        """Ends the session of the bearer token."""
        if token := bearer_token(request):
            services.logins.log_out(token)
        return {}

    return router

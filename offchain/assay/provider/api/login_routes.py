"""Log in with a wallet, for browsers and tools that cannot sign every request."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Request
from pydantic import Field

from assay.protocol.hexadecimal import parse_hex
from assay.protocol.sign_in import MAX_TEXT
from assay.provider.api.json_bodies import MAX_SIGNATURE, Body
from assay.provider.api.renter_check import authorised_lease, bearer_token, served_lease
from assay.provider.api.services import Services
from assay.provider.errors import Conflict


class LoginBody(Body):
    """The signed text of EIP-4361 and the wallet's signature, 0x-hex: what a contract takes for one may be long."""

    message: Annotated[str, Field(max_length=MAX_TEXT)]
    signature: Annotated[str, Field(max_length=2 + 2 * MAX_SIGNATURE)]


class SshKeyBody(Body):
    """A public key in OpenSSH's form."""

    public_key: Annotated[str, Field(max_length=4096)]


def login_routes(services: Services) -> APIRouter:
    """Routes under /v1 for sessions."""
    router = APIRouter(prefix="/v1")

    @router.get("/login/nonce")
    async def nonce() -> dict[str, str]:
        """A nonce to sign, good for one login within five minutes."""
        return {"nonce": services.logins.nonce()}

    @router.post("/leases/{lease_id}/login")
    async def login(lease_id: int, body: LoginBody, request: Request) -> dict[str, object]:
        """A signed message in, a bearer token out, for this lease and at most an hour."""
        lease, _ = await served_lease(services, lease_id)
        signature = parse_hex(body.signature, "signature", max_bytes=MAX_SIGNATURE)
        token, until = await services.logins.log_in(body.message, signature, request.url.netloc, lease)
        return {"token": token, "expiresAt": until}

    @router.post("/leases/{lease_id}/ssh-keys")
    async def ssh_key(lease_id: int, body: SshKeyBody, request: Request) -> dict[str, object]:
        """A public key in, vouched for by the renter's signature; where to connect out."""
        await authorised_lease(services, lease_id, request)
        where = services.status().get("ssh")
        if where is None:
            raise Conflict("this provider offers no SSH")
        fingerprint = services.ssh_keys.add(lease_id, body.public_key)
        return {"user": f"lease-{lease_id}", "fingerprint": fingerprint, **where}

    @router.post("/logout")
    async def logout(request: Request) -> dict[str, str]:
        """Ends the session of the bearer token."""
        if token := bearer_token(request):
            services.logins.log_out(token)
        return {}

    return router

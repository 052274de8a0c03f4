"""The notebook of a lease in the renter's browser: opened by a signed request, kept open by a cookie."""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import Any

from fastapi import APIRouter, Query, Request, Response, WebSocket
from fastapi.responses import RedirectResponse

from assay.chain.contracts.leases import Lease
from assay.chain.errors import ChainError
from assay.provider.access.notebooks import PORT, base_path
from assay.provider.api.json_bodies import job_request
from assay.provider.api.renter_check import authorised_lease, bearer_token, require_running, served_lease
from assay.provider.api.services import Services
from assay.provider.errors import NotAuthorised, NotFound, ProviderError
from assay.wire import paths
from assay.wire.jobs import NotebookBody

COOKIES = "assay_notebook_"  # and the lease: browsers hold one of each
_LEASES = paths.LEASE.partition("{")[0]
METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]


def notebook_routes(services: Services) -> APIRouter:
    """Routes under /v1/leases/{leaseId}/notebook."""
    router = APIRouter(prefix=paths.LEASE + paths.NOTEBOOK)

    @router.post("")
    async def start(lease_id: int, body: NotebookBody, request: Request) -> dict[str, Any]:
        """Starts the lease's notebook unless it runs; a path that opens it in a browser, once and within a minute."""
        lease, _ = await authorised_lease(services, lease_id, request)
        require_running(services, lease)
        wanted = job_request(body, services.jobs.most(lease_id))
        job_id = await asyncio.to_thread(services.notebooks.open, lease_id, float(lease.stop), wanted)
        return {"jobId": job_id, "path": f"{base_path(lease_id)}open?ticket={services.logins.ticket(lease)}"}

    @router.get("/open")
    async def open_(lease_id: int, request: Request, ticket: str = Query(max_length=64)) -> Response:
        """The ticket in, a cookie out."""
        lease, _ = await served_lease(services, lease_id)
        token = services.logins.redeem(ticket, lease)
        # Relative, so that it holds behind a proxy on the renter's own machine too.
        answer = RedirectResponse("lab", HTTPStatus.SEE_OTHER)
        answer.set_cookie(
            cookie_of(lease_id),
            token,
            path=base_path(lease_id),
            httponly=True,
            samesite="strict",
            secure=request.url.scheme == "https",
        )
        return answer

    @router.api_route("/{path:path}", methods=METHODS, include_in_schema=False)
    async def http(lease_id: int, path: str, request: Request) -> Response:
        """Anything else, passed on to the notebook."""
        lease, _ = await served_lease(services, lease_id)
        _require_session(services, lease, request)
        job_id = await _running(services, lease)
        return await services.proxy.http(request, lease_id, job_id, PORT, COOKIES)

    @router.websocket("/{path:path}")
    async def websocket(lease_id: int, path: str, browser: WebSocket) -> None:
        """Kernels talk over WebSockets."""
        try:
            lease, _ = await served_lease(services, lease_id)
            _require_session(services, lease, browser)
            job_id = await _running(services, lease)
        except (ProviderError, ChainError):
            await browser.close(1008)  # before it was accepted: the handshake ends with 403
            return
        await services.proxy.websocket(browser, lease_id, job_id, PORT, COOKIES)

    return router


def _require_session(services: Services, lease: Lease, request: Request | WebSocket) -> None:
    origin = request.headers.get("origin")
    if origin is not None and _host_of(origin) != request.headers.get("host"):
        raise NotAuthorised("this page may not speak for its reader here")
    if _is_page_of_another(request.headers.get("referer", ""), lease.lease_id):
        raise NotAuthorised("this is a page of another lease: it may not speak for its reader here")
    token = bearer_token(request) or request.cookies.get(cookie_of(lease.lease_id))
    if not token:
        raise NotAuthorised("open the notebook with `assay notebook`: this browser is not logged in")
    services.logins.check(token, lease)


def cookie_of(lease_id: int) -> str:
    """The name of the cookie that keeps a lease's notebook open."""
    return f"{COOKIES}{lease_id}"


def _is_page_of_another(referer: str, lease_id: int) -> bool:
    """Whether a browser says that another lease's notebook asks. It says so unless that page takes care that it does
    not: the leases of one origin are as far apart as their renter's caution keeps them."""
    _, _, rest = referer.partition("://")
    path = "/" + rest.partition("/")[2]
    return path.startswith(_LEASES) and (".." in path or not path.startswith(base_path(lease_id)))


def _host_of(origin: str) -> str | None:
    """What a browser put between scheme and path: compared, not connected to."""
    scheme, mark, host = origin.partition("://")
    return host if mark and scheme in ("http", "https") else None


async def _running(services: Services, lease: Lease) -> str:
    require_running(services, lease)
    job_id = await asyncio.to_thread(services.notebooks.running, lease.lease_id)
    if job_id is None:
        raise NotFound(f"no notebook of lease {lease.lease_id} runs")
    return job_id

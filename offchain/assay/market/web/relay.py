"""Passes a renter's signed requests on to the lease's provider, whose certificate browsers cannot pin.

Each request carries a signature over method, path, body and time, of the wallet or of a key that the wallet vouches
for, so that a market that passes it on can neither change it nor make one up. It does see what it passes on, logs
included: the page says so.
"""

from __future__ import annotations

import re
from contextlib import AsyncExitStack
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends, HTTPException, Request

from assay.market.api.caching import RELAY
from assay.market.api.context import Context, UnknownName, context_of
from assay.market.api.parameters import Number
from assay.market.errors import SourceFault
from assay.market.queries.listings import parts_of
from assay.market.queries.pages import one
from assay.market.sources.http_fetch import Asked
from assay.market.store.tables import leases
from assay.network.origins import Endpoint
from assay.network.request_buckets import asker
from assay.network.slots import SlotResponse
from assay.wire import paths

router = APIRouter(prefix=RELAY.rstrip("/") + paths.LEASE, include_in_schema=False)
Ctx = Annotated[Context, Depends(context_of)]
# What the pages use; everything else is the command line's.
_PASSED_ON = re.compile(
    r"POST (handover|handover/opening|start|jobs|ssh-keys)|PUT pod"
    r"|GET (pod)?|GET jobs(/[A-Za-z0-9_-]{1,64}(/output)?)?|DELETE jobs/[A-Za-z0-9_-]{1,64}"
)
HEADERS = ("x-assay-signature", "x-assay-issued-at")
SESSION_HEADER = "x-assay-session"  # only where a key of the browser has signed
MAX_HEADER = 300
MAX_BODY = 64 << 10
MAX_ANSWER = 64 << 20
MAX_SECONDS = 300.0


@router.get("", response_model=None)
@router.api_route("/{path:path}", methods=["GET", "POST", "PUT", "DELETE"], response_model=None)
async def pass_on(ctx: Ctx, request: Request, lease_id: Number, path: str = "") -> SlotResponse:
    """The provider's answer, as it comes."""
    if not _PASSED_ON.fullmatch(f"{request.method} {path}"):
        raise HTTPException(HTTPStatus.NOT_FOUND, "this is not passed on: ask the provider itself")
    fetch = ctx.links.fetch
    if fetch is None:
        raise HTTPException(HTTPStatus.SERVICE_UNAVAILABLE, "this market passes nothing on")
    # Before the body is read: one that never ends holds a slot of its sender's as well.
    slot = ctx.passing.take(asker(request.client.host if request.client else None))
    stack = AsyncExitStack()
    try:
        asked = await _asked(ctx, request, lease_id)
        answer = await stack.enter_async_context(fetch.passed_on(asked, MAX_ANSWER, MAX_SECONDS))
    except SourceFault as fault:
        slot.give_back()
        raise HTTPException(HTTPStatus.BAD_GATEWAY, f"the provider does not answer: {fault}") from None
    except BaseException:
        slot.give_back()
        raise
    # Compressing would hold back what a log has just written.
    headers = {"content-encoding": "identity", "cache-control": "no-store", "x-content-type-options": "nosniff"}
    kind = "application/json" if answer.content_type.startswith("application/json") else "application/octet-stream"
    return SlotResponse(slot, answer.pieces, status=answer.status, media_type=kind, headers=headers, stack=stack)


async def _asked(ctx: Context, request: Request, lease_id: int) -> Asked:
    endpoint = _provider_of(ctx, lease_id)
    headers = {name: request.headers[name] for name in (*HEADERS, SESSION_HEADER) if name in request.headers}
    if not headers.keys() >= set(HEADERS) or not all(_is_plain(value) for value in headers.values()):
        raise HTTPException(HTTPStatus.UNAUTHORIZED, "the renter's wallet has to sign this request")
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > MAX_BODY:
            raise HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"at most {MAX_BODY} bytes are passed on")
    # The signature is over the path with its query, to the letter.
    path = request.scope["raw_path"].decode("ascii").removeprefix("/relay").split("?", 1)[0]
    query = request.url.query
    target = path + (f"?{query}" if query else "")
    return Asked(request.method, endpoint, target, bytes(body), {**headers, "content-type": "application/json"})


def _is_plain(value: str) -> bool:
    return len(value) <= MAX_HEADER and value.isascii() and value.isprintable()


def _provider_of(ctx: Context, lease_id: int) -> Endpoint:
    """Endpoint and certificate of the lease's devices, as the registry announces them: a node is served at one."""
    with ctx.reading() as connection:
        lease = one(connection, leases, lease_id=lease_id)
        parts = parts_of(connection, lease["device_ids"]) if lease else []
    announced = {Endpoint(p.device["endpoint"], bytes(p.device["tls_fingerprint"] or bytes(32))) for p in parts}
    if not announced or not all(endpoint.url for endpoint in announced):
        raise UnknownName(f"Lease {lease_id} has no provider that this market knows.")
    if len(announced) > 1:
        raise HTTPException(
            HTTPStatus.BAD_GATEWAY, f"the devices of lease {lease_id} are served at {len(announced)} places, not at one"
        )
    return announced.pop()

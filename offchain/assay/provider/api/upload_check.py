"""Uploads are read only once the lease's renter has answered for them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from http import HTTPStatus

import structlog
from fastapi import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from assay.chain.errors import ChainError
from assay.protocol.hexadecimal import HexadecimalError
from assay.provider.api.json_bodies import AsciiResponse, body_limit
from assay.provider.errors import ProviderError
from assay.wire.limits import MAX_REQUEST_BYTES

MAX_DIGITS = 20
log = structlog.get_logger()


class UploadCheck:
    """ASGI middleware: refuses a body of more than `MAX_REQUEST_BYTES`, or of no declared length, to a lease before a
    byte of it is asked for, unless `check` of (lease, request) lets it pass. Stands outside all that reads bodies.
    """

    def __init__(self, app: ASGIApp, check: Callable[[int, Request], Awaitable[None]]) -> None:
        self._app, self._check = app, check

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and _is_upload(scope):
            refusal = await self._refusal(scope)
            if refusal is not None:
                # What is on its way stays unread: there is no next request on this connection.
                refusal.headers["connection"] = "close"
                await refusal(scope, receive, send)
                return
        await self._app(scope, receive, send)

    async def _refusal(self, scope: Scope) -> AsciiResponse | None:
        lease_id = scope["path"].split("/")[3]
        if not (lease_id.isascii() and lease_id.isdigit() and len(lease_id) <= MAX_DIGITS):
            return AsciiResponse({"error": f"no lease {lease_id[:MAX_DIGITS]!r}"}, HTTPStatus.NOT_FOUND)
        try:
            await self._check(int(lease_id), Request(scope))
        except ProviderError as error:
            return AsciiResponse({"error": str(error)}, error.status)
        except HexadecimalError as error:
            return AsciiResponse({"error": str(error)}, HTTPStatus.UNAUTHORIZED)
        except ChainError as error:
            log.warning("chain error before an upload", error=str(error))
            return AsciiResponse({"error": "this provider cannot reach the chain now"}, HTTPStatus.SERVICE_UNAVAILABLE)
        return None


def _is_upload(scope: Scope) -> bool:
    if body_limit(scope["path"]) <= MAX_REQUEST_BYTES:
        return False
    headers = dict(scope["headers"])
    declared = headers.get(b"content-length", b"0")
    short = declared.isdigit() and len(declared) <= MAX_DIGITS and int(declared) <= MAX_REQUEST_BYTES
    return b"transfer-encoding" in headers or not short

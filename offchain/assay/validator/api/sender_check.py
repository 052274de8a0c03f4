"""Messages of seats are read only once a seat has answered for them."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from assay.validator.errors import Refused
from assay.wire import paths
from assay.wire.post_headers import PostHeaders

SENDER = "assay.sender"  # the checked headers, in a request's scope


class SenderCheck:
    """ASGI middleware: refuses what is posted to a path of messages before a byte of its body is asked for, unless its
    length is declared and `check` of (path, headers) lets it pass. Stands outside all that reads bodies.
    """

    def __init__(self, app: ASGIApp, check: Callable[[str, PostHeaders], None]) -> None:
        self._app, self._check = app, check

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] == "POST" and scope["path"] in paths.MESSAGES:
            try:
                scope[SENDER] = self._sender(scope["path"], Headers(scope=scope))
            except Refused as error:
                await JSONResponse({"reason": error.reason}, error.status)(scope, receive, send)
                return
        await self._app(scope, receive, send)

    def _sender(self, path: str, headers: Headers) -> PostHeaders:
        if "content-length" not in headers:
            raise Refused(HTTPStatus.LENGTH_REQUIRED, "messages need a declared length")
        try:
            said = PostHeaders.parse(headers)
        except ValueError as error:
            raise Refused(HTTPStatus.UNAUTHORIZED, f"this message comes from no seat: {str(error)[:200]}") from None
        self._check(path, said)
        return said

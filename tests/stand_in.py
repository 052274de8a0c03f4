"""A network without sockets for the client: each request is answered by a function."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx2

from assay.network.client import Client
from assay.network.exchange import Request, Response


@dataclass
class Reply:
    """An answer: its status, and its body in pieces."""

    status: int = 200
    body: bytes | list[bytes] = b""
    content_type: str = "application/json"
    closed: bool = False
    headers: Mapping[str, str] = field(default_factory=dict)

    async def pieces(self) -> AsyncIterator[bytes]:
        for piece in [self.body] if isinstance(self.body, bytes) else self.body:
            if piece:
                yield piece

    def close(self) -> None:
        self.closed = True


class StandIn:
    """An exchange that hands requests to `answer` and keeps them."""

    def __init__(self, answer: Callable[[Request], Response | Awaitable[Response]]) -> None:
        self._answer = answer
        self.requests: list[Request] = []

    async def send(self, request: Request) -> Response:
        self.requests.append(request)
        request.sent()
        answer = self._answer(request)
        return answer if hasattr(answer, "pieces") else await answer  # type: ignore[misc]

    async def close(self) -> None:
        """Nothing is open."""


def client_of(answer: Callable[[httpx2.Request], httpx2.Response], **options: Any) -> Client:
    """A client of a handler in httpx's terms."""

    def handled(request: Request) -> Response:
        url = request.origin.url + request.path
        given = answer(httpx2.Request(request.method, url, content=request.body, headers=dict(request.headers)))
        kind = given.headers.get("content-type", "application/octet-stream")
        return Reply(given.status_code, given.content, kind)

    return Client(StandIn(handled), **options)

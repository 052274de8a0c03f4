"""Requests of the market to what strangers announce. What is fetched proves itself by hash or signature, whoever
serves it; what is passed on for a renter goes to the certificate that the registry names.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Protocol

from assay.market.errors import SourceFault
from assay.network.client import Client, Stream
from assay.network.errors import NetworkError
from assay.network.origins import Endpoint

REQUEST_S = 30.0
MAX_BYTES = 64 << 20


class Fetch(Protocol):
    """Fetches what an announced endpoint serves."""

    async def __call__(self, endpoint: str, path: str, max_bytes: int = MAX_BYTES) -> bytes:
        """The body of a 200 answer. Raises SourceFault."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A request that somebody else made and that is passed on to an endpoint."""

    method: str
    endpoint: Endpoint
    path: str
    body: bytes
    headers: Mapping[str, str]


class HttpFetch:
    """A Fetch over the network."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def __call__(self, endpoint: str, path: str, max_bytes: int = MAX_BYTES) -> bytes:
        try:
            answer = await self._client.request(
                "GET", Endpoint(endpoint), path, max_bytes=max_bytes, timeout_s=REQUEST_S, verified=False
            )
        except NetworkError as error:
            raise SourceFault(str(error)) from None
        if answer.status != HTTPStatus.OK:
            raise SourceFault(f"{endpoint[:200]}{path}: HTTP {answer.status}")
        return answer.body

    @asynccontextmanager
    async def passed_on(self, asked: Asked, max_bytes: int, max_seconds: float) -> AsyncIterator[Stream]:
        """The answer to a request, read while it comes. Raises SourceFault, also while the pieces are read."""
        try:
            async with self._client.stream(
                asked.method,
                asked.endpoint,
                asked.path,
                body=asked.body,
                headers=asked.headers,
                max_bytes=max_bytes,
                timeout_s=max_seconds,
                read_s=max_seconds,
            ) as answer:
                yield Stream(answer.status, answer.content_type, _as_faults(answer.pieces))
        except NetworkError as error:
            raise SourceFault(str(error)) from None

    async def close(self) -> None:
        """Lets connections go."""
        await self._client.close()


async def _as_faults(pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    try:
        async for piece in pieces:
            yield piece
    except NetworkError as error:
        raise SourceFault(str(error)) from None


def parse_json(body: bytes, what: str) -> Any:
    """Raises SourceFault for a body that is no JSON."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        raise SourceFault(f"{what}: is not JSON") from None

"""HTTP to providers, validators and markets in a renter's terms: an answer, a refusal, or nobody there. Nothing that
they answer is believed here.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from http import HTTPStatus
from typing import Any

from assay.network.client import READ_S, Client
from assay.network.errors import NetworkError, Silence
from assay.network.origins import Endpoint
from assay.protocol.text import printable
from assay.renter.errors import ProviderRefused, Unreachable

MAX_JSON = 16 << 20
MAX_REASON = 500
MAX_REFUSAL = 64 << 10


class HttpClient:
    """Requests to announced endpoints, each under the certificate announced with it."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def close(self) -> None:
        """Lets connections go."""
        await self._client.close()

    async def bytes_of(
        self,
        method: str,
        endpoint: Endpoint,
        path: str,
        *,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        most: int = MAX_JSON,
        timeout_s: float = 30.0,
    ) -> bytes:
        """The body of a good answer. Raises ProviderRefused for a refusal, Unreachable for anything else."""
        try:
            answer = await self._client.request(
                method, endpoint, path, body=body, headers=headers, max_bytes=most, timeout_s=timeout_s
            )
        except NetworkError as error:
            raise Unreachable(str(error)) from None
        if answer.status >= HTTPStatus.BAD_REQUEST:
            raise ProviderRefused(answer.status, _reason(answer.body))
        return answer.body

    async def json_of(self, method: str, endpoint: Endpoint, path: str, **options: Any) -> dict[str, Any]:
        """As `bytes_of`, parsed: a JSON object."""
        content = await self.bytes_of(method, endpoint, path, **options)
        try:
            value = json.loads(content)
        except (ValueError, RecursionError):
            raise Unreachable(f"{endpoint}{path}: the answer is not JSON") from None
        if not isinstance(value, dict):
            raise Unreachable(f"{endpoint}{path}: the answer is not a JSON object")
        return value

    async def pieces_of(
        self, endpoint: Endpoint, path: str, *, headers: Mapping[str, str] | None = None, read_s: float = READ_S
    ) -> AsyncIterator[bytes]:
        """The body of a good answer as it comes, for as long as no silence in it is longer than `read_s` seconds.

        What falls silent has ended here: whoever follows it asks again for what comes next.
        """
        try:
            async with self._client.stream("GET", endpoint, path, headers=headers, read_s=read_s) as answer:
                if answer.status >= HTTPStatus.BAD_REQUEST:
                    raise ProviderRefused(answer.status, _reason(await _beginning(answer.pieces)))
                async for piece in answer.pieces:
                    yield piece
        except Silence:
            return
        except NetworkError as error:
            raise Unreachable(str(error)) from None


async def _beginning(pieces: AsyncIterator[bytes]) -> bytes:
    content = bytearray()
    async for piece in pieces:
        content += piece
        if len(content) >= MAX_REFUSAL:
            break
    return bytes(content)


def _reason(content: bytes) -> str:
    try:
        value = json.loads(content)
        text = value["error"] if "error" in value else value["detail"]
    except (ValueError, KeyError, TypeError, RecursionError):
        text = content.decode("utf-8", "replace")
    return reason_of(str(text))


def reason_of(text: str) -> str:
    """What another host says, fit for a line on a terminal."""
    return printable(text[:MAX_REASON], " ")

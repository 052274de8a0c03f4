"""HTTP to the other seats' daemons, with limits on time and size."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import httpx2

from assay.validator.errors import PeerFailure
from assay.validator.ports import Answer

MOST_ANSWER_BYTES = 1 << 20
CONNECT_S = 2.0


async def read_limited(response: httpx2.Response, most_bytes: int) -> bytes:
    """The body. Raises PeerFailure where it is longer than `most_bytes`."""
    body = bytearray()
    async for piece in response.aiter_bytes():
        body += piece
        if len(body) > most_bytes:
            raise PeerFailure(f"the answer is longer than {most_bytes} bytes")
    return bytes(body)


class PeerClient:
    """Reaches seats by account at the endpoints that the chain announces."""

    def __init__(self, transport: httpx2.AsyncBaseTransport | None = None) -> None:
        self._endpoints: dict[str, str] = {}
        self._client = httpx2.AsyncClient(
            transport=transport,
            trust_env=False,
            follow_redirects=False,
            limits=httpx2.Limits(max_connections=256, max_keepalive_connections=64),
        )

    def update(self, endpoints: Mapping[str, str]) -> None:
        """Takes the endpoints announced last."""
        self._endpoints = dict(endpoints)

    def accounts(self) -> Sequence[str]:
        """Accounts with an endpoint."""
        return list(self._endpoints)

    async def post(self, account: str, path: str, body: bytes, timeout_s: float) -> Answer:
        return await self._request("POST", account, path, body, MOST_ANSWER_BYTES, timeout_s)

    async def get(self, account: str, path: str, most_bytes: int, timeout_s: float) -> Answer:
        return await self._request("GET", account, path, b"", most_bytes, timeout_s)

    async def close(self) -> None:
        """Lets connections go."""
        await self._client.aclose()

    async def _request(
        self, method: str, account: str, path: str, body: bytes, most_bytes: int, timeout_s: float
    ) -> Answer:
        endpoint = self._endpoints.get(account)
        if not endpoint:
            raise PeerFailure(f"{account} has announced no endpoint")
        try:
            async with self._client.stream(
                method,
                endpoint.rstrip("/") + path,
                content=body if method == "POST" else None,
                headers={"content-type": "application/json"} if method == "POST" else {},
                timeout=httpx2.Timeout(timeout_s, connect=min(CONNECT_S, timeout_s)),
            ) as response:
                return Answer(response.status_code, await read_limited(response, most_bytes))
        except (httpx2.HTTPError, httpx2.InvalidURL, httpx2.StreamError, ValueError) as error:
            raise PeerFailure(f"{account} at {endpoint}: {error or type(error).__name__}") from None

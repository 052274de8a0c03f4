"""HTTP to the other seats' daemons, with limits on time and size."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from urllib.parse import urlsplit

import httpx2

from assay.chain.pinned_tls import pinned_context
from assay.validator.errors import PeerFailure
from assay.validator.ports import Answer, Endpoint

MOST_ANSWER_BYTES = 1 << 20
CONNECT_S = 2.0
LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


async def _read_limited(response: httpx2.Response, most_bytes: int) -> bytes:
    """The body. Raises PeerFailure where it is longer than `most_bytes`."""
    body = bytearray()
    async for piece in response.aiter_bytes():
        body += piece
        if len(body) > most_bytes:
            raise PeerFailure(f"the answer is longer than {most_bytes} bytes")
    return bytes(body)


def refusal_of(endpoint: Endpoint) -> str | None:
    """Why a seat's address is not spoken to, None where it is.

    What seats tell each other is signed, and whoever reads along on a plain connection learns the instant of the
    challenges: plain http is for this machine only.
    """
    parts = urlsplit(endpoint.url)
    if parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in LOOPBACK):
        return None
    return f"{endpoint.url[:100]!r} is neither https nor http on this machine"


class PeerClient:
    """Reaches seats by account at the endpoints that the chain announces, with the certificate announced there.

    Where a seat announces https and no certificate, the system's authorities are asked.
    """

    def __init__(self, transport: httpx2.AsyncBaseTransport | None = None) -> None:
        self._endpoints: dict[str, Endpoint] = {}
        self._transport = transport
        self._clients: dict[bytes, httpx2.AsyncClient] = {}

    def update(self, endpoints: Mapping[str, Endpoint]) -> None:
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
        for client in self._clients.values():
            await client.aclose()

    def _client(self, fingerprint: bytes) -> httpx2.AsyncClient:
        if fingerprint not in self._clients:
            self._clients[fingerprint] = httpx2.AsyncClient(
                transport=self._transport,
                verify=pinned_context(fingerprint) if any(fingerprint) else True,
                trust_env=False,
                follow_redirects=False,
                limits=httpx2.Limits(max_connections=256, max_keepalive_connections=64),
            )
        return self._clients[fingerprint]

    async def _request(
        self, method: str, account: str, path: str, body: bytes, most_bytes: int, timeout_s: float
    ) -> Answer:
        endpoint = self._endpoints.get(account)
        if endpoint is None or not endpoint.url:
            raise PeerFailure(f"{account} has announced no endpoint")
        refusal = refusal_of(endpoint)
        if refusal is not None:
            raise PeerFailure(f"{account}: {refusal}")
        try:
            async with self._client(endpoint.tls_fingerprint).stream(
                method,
                endpoint.url.rstrip("/") + path,
                content=body if method == "POST" else None,
                headers={"content-type": "application/json"} if method == "POST" else {},
                timeout=httpx2.Timeout(timeout_s, connect=min(CONNECT_S, timeout_s)),
            ) as response:
                return Answer(response.status_code, await _read_limited(response, most_bytes))
        except (httpx2.HTTPError, httpx2.InvalidURL, httpx2.StreamError, ValueError) as error:
            raise PeerFailure(f"{account} at {endpoint.url}: {error or type(error).__name__}") from None

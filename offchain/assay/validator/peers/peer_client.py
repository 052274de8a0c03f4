"""HTTP to the other seats' daemons: each is reached where it announces, under the certificate that it announces."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from assay.network.client import Client, HttpAnswer
from assay.network.errors import BadOrigin, NetworkError
from assay.network.origins import Endpoint, parse_origin
from assay.validator.errors import PeerFailure

MAX_ANSWER_BYTES = 1 << 20


def refusal_of(endpoint: Endpoint) -> str | None:
    """Why a seat's address is not spoken to, None where it is.

    What seats tell each other is signed, and whoever reads along on a plain connection learns the instant of the
    challenges: plain http is for this machine only.
    """
    try:
        origin = parse_origin(endpoint.url)
    except BadOrigin as error:
        return str(error)
    if origin.is_secure or origin.names_loopback:
        return None
    return f"{endpoint.url[:100]!r} is neither https nor http on this machine"


class PeerClient:
    """Reaches seats by account at the endpoints that the chain announces, with the certificate announced there.

    Where a seat announces https and no certificate, the system's authorities are asked.
    """

    def __init__(self, client: Client) -> None:
        self._endpoints: dict[str, Endpoint] = {}
        self._client = client

    def update(self, endpoints: Mapping[str, Endpoint]) -> None:
        """Takes the endpoints announced last."""
        self._endpoints = dict(endpoints)

    def accounts(self) -> Sequence[str]:
        """Accounts with an endpoint."""
        return list(self._endpoints)

    async def post(
        self, account: str, path: str, body: bytes, headers: Mapping[str, str], timeout_s: float
    ) -> HttpAnswer:
        return await self._request("POST", account, path, body, MAX_ANSWER_BYTES, timeout_s, headers)

    async def get(self, account: str, path: str, max_bytes: int, timeout_s: float) -> HttpAnswer:
        return await self._request("GET", account, path, None, max_bytes, timeout_s)

    async def close(self) -> None:
        """Lets connections go."""
        await self._client.close()

    async def _request(
        self,
        method: str,
        account: str,
        path: str,
        body: bytes | None,
        max_bytes: int,
        timeout_s: float,
        headers: Mapping[str, str] | None = None,
    ) -> HttpAnswer:
        endpoint = self._endpoints.get(account)
        if endpoint is None or not endpoint.url:
            raise PeerFailure(f"{account} has announced no endpoint")
        refusal = refusal_of(endpoint)
        if refusal is not None:
            raise PeerFailure(f"{account}: {refusal}")
        try:
            return await self._client.request(
                method, endpoint, path, body=body, headers=headers, max_bytes=max_bytes, timeout_s=timeout_s
            )
        except NetworkError as error:
            raise PeerFailure(f"{account} at {error}") from None

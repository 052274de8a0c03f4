"""One JSON-RPC endpoint over HTTP: limits on time and size, garbage told apart from answers."""

from __future__ import annotations

import asyncio
import json
from itertools import count
from typing import Any, Protocol

import httpx2

from assay.chain.errors import BadEndpoint, EndpointFault, RpcError
from assay.network.errors import BadOrigin
from assay.network.origins import origin_of_url

MAX_RESPONSE = 64 << 20
TIMEOUT_S = 15.0
WHOLE = 4  # times the time-out of one read, for a whole answer


class RpcEndpoint(Protocol):
    """Where JSON-RPC requests go."""

    url: str

    async def request(self, method: str, params: Any) -> Any:
        """The result. Raises RpcError for an error the node answered, EndpointFault for anything else."""

    async def close(self) -> None:
        """Lets connections go."""


class HttpEndpoint:
    """JSON-RPC over HTTP. `transport` stands in for the network in tests."""

    def __init__(
        self, url: str, *, timeout_s: float = TIMEOUT_S, transport: httpx2.AsyncBaseTransport | None = None
    ) -> None:
        self.url = checked_url(url)
        self._ids = count(1)
        self._timeout_s = timeout_s
        self._client = httpx2.AsyncClient(
            timeout=httpx2.Timeout(timeout_s),
            transport=transport,
            limits=httpx2.Limits(max_connections=32, max_keepalive_connections=8),
            trust_env=False,
        )

    async def request(self, method: str, params: Any) -> Any:
        identifier = next(self._ids)
        body = {"jsonrpc": "2.0", "id": identifier, "method": method, "params": params}
        answer = await self._post(body)
        if not isinstance(answer, dict) or answer.get("id") != identifier:
            raise EndpointFault(self.url, f"{method}: the response is not the answer to the request")
        if error := answer.get("error"):
            if not isinstance(error, dict):
                raise EndpointFault(self.url, f"{method}: malformed error in the response")
            code = error.get("code")
            message = str(error.get("message", "error without a message"))
            raise RpcError(method, code if isinstance(code, int) else 0, message, error.get("data"))
        if "result" not in answer:
            raise EndpointFault(self.url, f"{method}: the response has neither result nor error")
        return answer["result"]

    async def _post(self, body: dict[str, Any]) -> Any:
        try:
            # The client's own time-out is for each read; this one ends an answer that never does.
            async with (
                asyncio.timeout(WHOLE * self._timeout_s),
                self._client.stream("POST", self.url, json=body) as response,
            ):
                content = bytearray()
                async for piece in response.aiter_bytes():
                    content += piece
                    if len(content) > MAX_RESPONSE:
                        raise EndpointFault(self.url, f"{body['method']}: response above {MAX_RESPONSE} bytes")
        except (httpx2.TimeoutException, TimeoutError):
            raise EndpointFault(self.url, f"{body['method']}: no answer in time", timed_out=True) from None
        except (httpx2.HTTPError, httpx2.InvalidURL, httpx2.StreamError) as error:
            reason = str(error) or type(error).__name__
            raise EndpointFault(self.url, f"{body['method']}: {reason}") from None
        try:
            return json.loads(content)
        except (ValueError, RecursionError):
            raise EndpointFault(
                self.url, f"{body['method']}: HTTP {response.status_code} with a body that is not JSON"
            ) from None

    async def close(self) -> None:
        await self._client.aclose()


def checked_url(url: str) -> str:
    """The address itself. Raises BadEndpoint unless it is http(s) with a host."""
    try:
        origin_of_url(url)
    except BadOrigin:
        raise BadEndpoint(f"{url[:80]!r} is not an RPC address: expected http://host:port or https://host") from None
    return url

"""web3's view of an endpoint pool."""

from __future__ import annotations

from typing import Any

from web3.providers.async_base import AsyncBaseProvider
from web3.types import RPCEndpoint, RPCResponse

from assay.chain.errors import RpcError
from assay.chain.rpc.pool import EndpointPool, means_no_block


class PoolProvider(AsyncBaseProvider):
    """Hands web3's requests to the pool."""

    # A contract must not be able to make a daemon fetch an address of its choice.
    global_ccip_read_enabled = False

    def __init__(self, pool: EndpointPool) -> None:
        super().__init__()
        self._pool = pool

    async def make_request(self, method: RPCEndpoint, params: Any) -> RPCResponse:
        """A JSON-RPC response object; transport faults are raised as the pool raises them."""
        try:
            result = await self._pool.request(method, params)
        except RpcError as error:
            if means_no_block(error):
                raise
            body = {"code": error.code, "message": error.message, "data": error.data}
            return {"jsonrpc": "2.0", "id": 1, "error": body}  # type: ignore[typeddict-item]
        return {"jsonrpc": "2.0", "id": 1, "result": result}

    async def is_connected(self, show_traceback: bool = False) -> bool:
        """Whether any endpoint answers."""
        try:
            await self._pool.request("eth_chainId", [])
        except Exception:
            if show_traceback:
                raise
            return False
        return True

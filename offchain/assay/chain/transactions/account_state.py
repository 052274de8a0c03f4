"""What the sender asks the chain about its account and its transactions."""

from __future__ import annotations

from typing import Any

from assay.chain.errors import ChainError, RpcError
from assay.chain.rpc.blocks import Block
from assay.chain.rpc.client import Chain
from assay.chain.transactions.intents import FeePolicy, SendRequest
from assay.chain.transactions.receipts import Receipt, parse_receipt
from assay.protocol.hexadecimal import to_hex

# The state may have moved between the estimate and the block.
_GAS_MARGIN_PERCENT = 25
# Until it is mined, time and others' transactions may lead it another way: two storage slots more, written first there.
_GAS_MARGIN_FLAT = 50_000


class AccountState:
    """Questions about one account, in the sender's words."""

    def __init__(self, chain: Chain, address: str) -> None:
        self._chain = chain
        self.address = address

    async def count(self, at: str | Block) -> int:
        """Transactions of the account that `at` has: a block, "latest", or
        "pending" for those that wait too."""
        where = hex(at.number) if isinstance(at, Block) else at
        return await self._chain.number("eth_getTransactionCount", [self.address, where])

    async def prices(self, policy: FeePolicy) -> tuple[int, int]:
        """(base fee of the latest block, suggested tip), wei a gas."""
        base_fee = (await self._chain.head()).base_fee
        try:
            return base_fee, await self._chain.number("eth_maxPriorityFeePerGas", [])
        except RpcError:
            pass  # a node that knows no tips may know a price
        try:
            price = await self._chain.number("eth_gasPrice", [])
        except RpcError:
            return base_fee, policy.min_tip
        return base_fee, max(price - base_fee, policy.min_tip if price else 0)

    async def simulate(self, request: SendRequest, at: str) -> int:
        """Gas limit for the request with a margin. Raises Reverted with the contract's own error."""
        call = self._call(request)
        try:
            await self._chain.rpc("eth_call", [call, at])
            used = await self._chain.number("eth_estimateGas", [call, at])
        except RpcError as error:
            raise self._chain.revert_of(request.label, error) or error from None
        return used + used * _GAS_MARGIN_PERCENT // 100 + _GAS_MARGIN_FLAT

    def _call(self, request: SendRequest) -> dict[str, Any]:
        return {
            "from": self.address,
            "to": request.recipient,
            "data": to_hex(request.data),
            "value": hex(request.value),
        }

    async def receipt(self, label: str, transaction: bytes) -> Receipt | None:
        """None while it is not in a block."""

        def read(data: Any) -> Receipt | None:
            return None if data is None else parse_receipt(label, data)

        found: Receipt | None = await self._chain.rpc("eth_getTransactionReceipt", [to_hex(transaction)], read)
        return found

    async def knows(self, transaction: bytes) -> bool:
        """Whether a node holds the transaction, waiting or mined."""
        return await self._chain.rpc("eth_getTransactionByHash", [to_hex(transaction)]) is not None

    async def failure(self, request: SendRequest, number: int) -> str:
        """Why a transaction mined in block `number` reverted, as far as a replay on the state before tells."""
        call = {**self._call(request), "gas": hex(request.gas)}
        try:
            await self._chain.rpc("eth_call", [call, hex(number - 1)])
        except RpcError as error:
            return str(self._chain.revert_of(request.label, error) or error)
        except ChainError as error:
            return str(error)
        return "its replay succeeds: the state was another when it was mined, or it ran out of gas"

"""A connection to the chain a deployment is on: fixed blocks, calls at them, events."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, Self

from eth_abi.exceptions import DecodingError
from eth_utils.exceptions import ValidationError
from web3 import AsyncWeb3
from web3.contract import AsyncContract
from web3.exceptions import Web3Exception
from web3.middleware import AttributeDictMiddleware
from web3.providers.async_base import AsyncBaseProvider
from web3.types import RPCEndpoint, RPCResponse

from assay.chain.deployment import Deployment
from assay.chain.errors import BlockGone, ChainError, NoCodeAt, Reverted, RpcError, UnreadableAnswer
from assay.chain.rpc.abi_values import decode_outputs, size_of
from assay.chain.rpc.blocks import Block, parse_block, quantity
from assay.chain.rpc.call_batch import CallBatch, View, code_sizes, single
from assay.chain.rpc.endpoint import HttpEndpoint, RpcEndpoint
from assay.chain.rpc.log_cache import LogCache
from assay.chain.rpc.logs import LogReader
from assay.chain.rpc.pool import EndpointPool, means_no_block
from assay.chain.rpc.revert_decoder import RevertDecoder
from assay.protocol.hexadecimal import HexadecimalError, parse_hex, to_hex
from assay.protocol.signing import Domain


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
            result: Any = await self._pool.request(method, params)
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


MAX_ANSWER = 16 << 20
MAX_CACHED_ANSWER, ANSWER_CACHE_SIZE = 4_096, 4_096  # characters of one, and how many, at fixed blocks
RECENT_S = 1.0
At = Block | Literal["latest", "pending"] | None


@dataclass(frozen=True, slots=True)
class ContractCall:
    """A call that can be simulated, encoded and sent; `value` in wei."""

    contract: str
    function: str
    args: tuple[Any, ...] = ()
    value: int = 0

    def __str__(self) -> str:
        return f"{self.contract}.{self.function}"


class _Recent:
    """A block that is asked for once a second, and so is why it cannot be told."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._found: Block | ChainError | None = None
        self._when = 0.0
        self._lock = asyncio.Lock()

    async def block(self, ask: Callable[[], Awaitable[Block]]) -> Block:
        """Raises ChainError."""
        async with self._lock:
            if self._found is None or not 0 <= self._now() - self._when < RECENT_S:
                try:
                    self._found = await ask()
                except ChainError as error:
                    self._found = error
                self._when = self._now()
            if isinstance(self._found, ChainError):
                raise self._found
            return self._found


class Chain:
    """Use `Chain.connect`. Readers decide on final blocks; `at=None` means the latest final one."""

    def __init__(
        self,
        pool: EndpointPool,
        deployment: Deployment,
        *,
        final_depth: int | None = None,
        log_cache: LogCache | None = None,
        batch: bool = False,
    ) -> None:
        self.pool = pool
        self.deployment = deployment
        self.final_depth = final_depth
        self.web3: AsyncWeb3[Any] = AsyncWeb3(
            PoolProvider(pool), middleware=[(AttributeDictMiddleware, "attrdict")], ens=None
        )
        self.logs = LogReader(pool)
        self.log_cache = log_cache
        self.unread = 0  # logs that did not decode
        self._batch = CallBatch(pool) if batch else None
        self._recent_final, self._recent_head = _Recent(pool.now), _Recent(pool.now)
        self._answers: OrderedDict[tuple[bytes, str, bytes], str] = OrderedDict()
        self._asking: dict[tuple[bytes, str, bytes], asyncio.Future[Any]] = {}
        self.decoder = RevertDecoder(c.abi for c in deployment.contracts.values())
        self._contracts: dict[str, AsyncContract] = {}

    @classmethod
    async def connect(
        cls,
        rpc_url: str | Sequence[str],
        deployment: Deployment,
        *,
        final_depth: int | None = None,
        agreement: int | None = None,
        endpoints: Sequence[RpcEndpoint] | None = None,
        log_cache: LogCache | None = None,
        batch: bool = False,
    ) -> Self:
        """Connects and checks. `final_depth` None trusts the chain's own finality, a number counts that
        many blocks below the head as final; `endpoints` stands in for the addresses in tests; `log_cache` keeps what
        logs were read for the next process; with `batch`, views asked for at once go out as one call.

        Raises BadEndpoint, UnreachableChain, WrongChainId, NoCodeAt.
        """
        urls = [rpc_url] if isinstance(rpc_url, str) else list(rpc_url)
        pool = EndpointPool(
            list(endpoints) if endpoints is not None else [HttpEndpoint(url) for url in urls],
            deployment.chain_id,
            agreement=agreement,
        )
        chain = cls(pool, deployment, final_depth=final_depth, log_cache=log_cache, batch=batch)
        try:
            await chain._check(urls[0] if urls else "")
        except BaseException:
            await pool.close()
            raise
        return chain

    async def _check(self, url: str) -> None:
        await self.pool.check()
        if self._batch is not None and (sizes := await self._code_sizes()) is not None:
            has_code = dict(zip(self.deployment.contracts, sizes, strict=True))
        else:
            has_code = {
                name: await self.pool.request("eth_getCode", [contract.address, "latest"]) not in ("0x", None)
                for name, contract in self.deployment.contracts.items()
            }
        for name, has in has_code.items():
            if not has:
                raise NoCodeAt(name, self.deployment.address(name), url)

    async def _code_sizes(self) -> list[bool] | None:
        """Whether each contract has code, by one call; None where the node does not run one."""
        contracts = self.deployment.contracts.values()
        code = code_sizes([contract.address for contract in contracts])
        try:
            given: Any = await self.pool.request("eth_call", [{"data": to_hex(code)}, "latest"])
            answer = parse_hex(given, max_bytes=1 << 14)
        except (RpcError, HexadecimalError):
            return None
        if len(answer) != 32 * (len(contracts) + 1):
            return None
        return [any(answer[at : at + 32]) for at in range(32, len(answer), 32)]

    @property
    def chain_id(self) -> int:
        """The deployment's."""
        return self.deployment.chain_id

    def domain(self, contract: str) -> Domain:
        """EIP-712 domain of a contract."""
        return self.deployment.domain(contract)

    async def close(self) -> None:
        """Lets connections go."""
        await self.pool.close()

    async def finalised(self) -> Block:
        """The latest final block that the endpoints agree on."""
        if self.final_depth is None:
            return await self.pool.agreed_block("finalized")
        return await self.pool.agreed_block("latest", self.final_depth)

    async def recent_final(self) -> Block:
        """The latest final block as of at most a second ago, asked for once however many ask: what strangers want of a
        daemon must not cost it calls of its own. Raises as `finalised`."""
        return await self._recent_final.block(self.finalised)

    async def recent_head(self) -> Block:
        """As `recent_final`, the latest block."""
        return await self._recent_head.block(self.head)

    async def head(self) -> Block:
        """The latest block: for fees and progress, never to decide on."""
        return await self.pool.agreed_block("latest")

    async def block(self, number: int) -> Block:
        """Raises BlockGone for a block that the chain does not have."""

        def read(data: Any) -> Block | None:
            return None if data is None else parse_block(data)

        found = await self.pool.request("eth_getBlockByNumber", [hex(number), False], read)
        if found is None:
            raise BlockGone(f"the chain has no block {number}")
        return found

    async def is_canonical(self, block: Block) -> bool:
        """Whether the chain still has this block at its height."""
        return await self.has_block(block.number, block.hash)

    async def has_block(self, number: int, block_hash: bytes) -> bool:
        """Whether the chain has this block at this height."""
        try:
            return (await self.block(number)).hash == block_hash
        except BlockGone:
            return False

    def contract(self, name: str) -> AsyncContract:
        """web3's contract object. Raises BadDeployment."""
        if name not in self._contracts:
            deployed = self.deployment.contract(name)
            self._contracts[name] = self.web3.eth.contract(
                address=self.web3.to_checksum_address(deployed.address), abi=deployed.abi
            )
        return self._contracts[name]

    def encode(self, call: ContractCall) -> bytes:
        """Calldata. Raises ChainError for a function or arguments that the ABI does not have."""
        try:
            return parse_hex(self.contract(call.contract).encode_abi(call.function, list(call.args)))
        except (Web3Exception, ValidationError, TypeError, ValueError) as error:
            raise ChainError(f"{call}: cannot be encoded: {str(error)[:300]}") from None

    async def call(self, contract: str, function: str, *args: Any, at: At = None, sender: str | None = None) -> Any:
        """What a view returns at a fixed block; structs as named tuples.

        Raises Reverted, BlockGone, UnreachableChain, ChainError.
        """
        call = ContractCall(contract, function, args)
        where = at if at is not None else await self.finalised()
        address, data = self.deployment.address(contract), self.encode(call)
        outputs = self.contract(contract).get_function_by_name(function).abi["outputs"]

        def read(answer: Any) -> Any:
            if answer == "0x" and outputs:
                raise ValueError(f"{call}: no code there")
            try:
                return decode_outputs(outputs, parse_hex(answer, max_bytes=MAX_ANSWER))
            except (DecodingError, HexadecimalError, OverflowError) as error:
                raise ValueError(f"{call}: the answer does not decode ({str(error)[:200]})") from None

        try:
            if sender:
                transaction = {"to": address, "data": to_hex(data), "from": sender}
                return await self.pool.request("eth_call", [transaction, _identifier(where)], read)
            return read(await self._view(View(address, data, size_of(outputs), read), where))
        except RpcError as error:
            raise self.revert_of(str(call), error) or error from None
        except UnreadableAnswer as error:
            if error.answer == "0x":
                raise NoCodeAt(contract, address, self.pool.endpoints[0].url) from None
            raise ChainError(f"{error}; another ABI than the contract's, or a faulty node") from None
        except ValueError as error:
            raise ChainError(str(error)) from None

    async def _view(self, view: View, where: Block | str) -> Any:
        """What a view returns. At a fixed block it is asked once: who asks a daemon the same again, or at the same
        time, costs it no call."""
        if not isinstance(where, Block):
            return await self._ask(view, where)
        key = (where.hash, view.to, view.data)
        if key in self._answers:
            self._answers.move_to_end(key)
            return self._answers[key]
        if key not in self._asking:
            # A task of its own: whoever asked first may be cancelled while others wait.
            task = asyncio.ensure_future(self._ask(view, where))
            self._asking[key] = task
            task.add_done_callback(partial(self._asked, key))
        return await asyncio.shield(self._asking[key])

    def _asked(self, key: tuple[bytes, str, bytes], task: asyncio.Future[Any]) -> None:
        del self._asking[key]
        if task.cancelled() or task.exception() is not None:
            return
        answer = task.result()
        if isinstance(answer, str) and len(answer) <= MAX_CACHED_ANSWER:
            self._keep(key, answer)

    async def _ask(self, view: View, where: Block | str) -> Any:
        if self._batch is not None:
            return await self._batch.call(view, _identifier(where))
        return await single(self.pool, view, _identifier(where))

    async def has_code(self, account: str, at: Block) -> bool:
        """Whether an account is a contract at a block, asked once a block."""
        key = (at.hash, account.lower(), b"code")
        if key not in self._answers:
            code = await self.pool.request("eth_getCode", [account, _identifier(at)], parse_hex)
            self._keep(key, "0x1" if code else "0x")
        return self._answers[key] != "0x"

    def _keep(self, key: tuple[bytes, str, bytes], answer: str) -> None:
        self._answers[key] = answer
        if len(self._answers) > ANSWER_CACHE_SIZE:
            self._answers.popitem(last=False)

    def reverted(self, call: str, data: Any) -> Reverted:
        """The decoded refusal behind revert data in JSON-RPC's forms."""
        raw = _revert_bytes(data)
        name, arguments = self.decoder.decode(raw)
        return Reverted(call, name, arguments, raw)

    async def rpc(self, method: str, params: list[Any], read: Callable[[Any], Any] = lambda answer: answer) -> Any:
        """A plain JSON-RPC request, and what `read` makes of it; as `EndpointPool.request`."""
        return await self.pool.request(method, params, read)

    async def number(self, method: str, params: list[Any]) -> int:
        """The quantity that a method gives. Raises ChainError for an answer that is none, and as `rpc`."""
        return await self.pool.request(method, params, lambda answer: quantity(answer, method))

    def revert_of(self, call: str, error: RpcError) -> Reverted | None:
        """The refusal in an error of `eth_call` or `eth_estimateGas`; None where the
        node failed for another reason."""
        if _revert_bytes(error.data) or error.code == 3 or "revert" in error.message.lower():
            return self.reverted(call, error.data)
        return None


def _identifier(at: Block | str) -> Any:
    # By hash (EIP-1898), and only while it is canonical: a number may come to name another block.
    return {"blockHash": to_hex(at.hash), "requireCanonical": True} if isinstance(at, Block) else at


def _revert_bytes(data: Any) -> bytes:
    if isinstance(data, dict):
        data = data.get("data")
    if isinstance(data, (bytes, bytearray)):
        return bytes(data)
    if isinstance(data, str) and data.startswith("0x"):
        try:
            return parse_hex(data, max_bytes=1 << 16)
        except ValueError:
            return b""
    return b""

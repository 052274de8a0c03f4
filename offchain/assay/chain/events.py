"""Events of the contracts, read in pieces between fixed blocks."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any

from eth_abi.exceptions import DecodingError
from hexbytes import HexBytes
from web3.exceptions import Web3Exception
from web3.types import LogReceipt

from assay.chain.blocks import Block, quantity
from assay.chain.client import Chain
from assay.chain.errors import ChainError, RpcError
from assay.chain.rpc_endpoint import Endpoint
from assay.protocol.hexadecimal import parse_address, parse_bytes32, to_hex

FIRST_PIECE = 2_000
_TOO_MUCH = ("range", "limit", "too many", "more than", "too large", "timeout", "timed out", "exceed")


@dataclass(frozen=True, slots=True)
class Event:
    """A decoded log; `args` by the ABI's names, bytes as bytes, structs as mappings."""

    contract: str
    name: str
    args: dict[str, Any]
    block_number: int
    block_hash: bytes
    transaction: bytes
    log_index: int


async def read_events(
    chain: Chain, contract: str, names: Sequence[str], first: int, last: Block, *, piece: int = FIRST_PIECE
) -> list[Event]:
    """All events of these names from block `first` up to `last`, oldest first. Raises as `event_pieces`."""
    found: list[Event] = []
    async for _, events in event_pieces(chain, contract, names, first, last, piece=piece):
        found += events
    return found


async def event_pieces(
    chain: Chain, contract: str, names: Sequence[str], first: int, last: Block, *, piece: int = FIRST_PIECE
) -> AsyncIterator[tuple[int, list[Event]]]:
    """(last block of the piece, its events) for consecutive pieces, so that a reader can resume after any
    of them.

    Each piece is asked of an endpoint that was seen to hold `last`: one that lags would answer with
    silence. A piece that the node finds too large is halved. Raises BlockGone when `last` was reorganised
    away, UnreachableChain.
    """
    topics = _topics(chain, contract, names)
    address = chain.deployment.address(contract)
    start = first
    while start <= last.number:
        end = min(start + piece - 1, last.number)
        query = {"address": address, "fromBlock": hex(start), "toBlock": hex(end), "topics": [list(topics)]}

        async def ask(endpoint: Endpoint, query: dict[str, Any] = query) -> Any:
            return await endpoint.request("eth_getLogs", [query])

        try:
            logs = await chain.pool.with_block(last, ask)
        except RpcError as error:
            if end > start and any(word in error.message.lower() for word in _TOO_MUCH):
                piece = max(1, (end - start + 1) // 2)
                continue
            raise
        yield end, _decoded(chain, contract, topics, logs, start, end)
        start = end + 1


def _topics(chain: Chain, contract: str, names: Sequence[str]) -> dict[str, str]:
    bound = chain.contract(contract)
    topics: dict[str, str] = {}
    for name in names:
        try:
            topics[to_hex(bytes.fromhex(bound.events[name]().topic.removeprefix("0x")))] = name
        except Exception as error:
            raise ChainError(f"{contract} has no event {name}: {str(error)[:200]}") from None
    return topics


def _decoded(chain: Chain, contract: str, topics: dict[str, str], logs: Any, first: int, last: int) -> list[Event]:
    try:
        if not isinstance(logs, list):
            raise TypeError("not a list")
        events = [_event(chain, contract, topics, log) for log in logs if not log.get("removed")]
    except (LookupError, TypeError, ValueError, AttributeError, Web3Exception, DecodingError) as error:
        raise ChainError(
            f"{contract}: eth_getLogs({first}..{last}) returned malformed logs: {str(error)[:200]}"
        ) from None
    for event in events:
        if not first <= event.block_number <= last:
            raise ChainError(f"eth_getLogs({first}..{last}) returned a log of block {event.block_number}")
    return sorted(events, key=lambda e: (e.block_number, e.log_index))


def _event(chain: Chain, contract: str, topics: dict[str, str], log: Any) -> Event:
    name = topics[log["topics"][0]]
    if parse_address(log["address"]) != chain.deployment.address(contract):
        raise ValueError(f"it is of {log['address']}")
    receipt = _log_receipt(log)
    data = chain.contract(contract).events[name]().process_log(receipt)
    args = {k: bytes(v) if isinstance(v, (bytes, bytearray)) else v for k, v in data["args"].items()}
    return Event(
        contract, name, args, receipt["blockNumber"], bytes(receipt["blockHash"]),
        bytes(receipt["transactionHash"]), receipt["logIndex"],
    )  # fmt: skip


def _log_receipt(log: Any) -> LogReceipt:
    return {
        "address": log["address"],
        "blockHash": HexBytes(parse_bytes32(log["blockHash"], "blockHash")),
        "blockNumber": quantity(log["blockNumber"], "blockNumber"),  # type: ignore[typeddict-item]
        "data": HexBytes(log["data"]),
        "logIndex": quantity(log["logIndex"], "logIndex"),
        "removed": False,
        "topics": [HexBytes(parse_bytes32(topic, "topic")) for topic in log["topics"]],
        "transactionHash": HexBytes(parse_bytes32(log["transactionHash"], "transactionHash")),
        "transactionIndex": quantity(log["transactionIndex"], "transactionIndex"),
    }

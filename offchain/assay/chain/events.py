"""Events of the contracts, read in pieces between fixed blocks."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from eth_abi.abi import encode
from eth_abi.exceptions import DecodingError, EncodingError

from assay.chain.abi_values import decode_log, signature_of
from assay.chain.blocks import Block
from assay.chain.client import Chain
from assay.chain.errors import ChainError
from assay.chain.log_cache import KeptLogs, LogCache
from assay.chain.logs import Log, LogQuery
from assay.protocol.keccak import keccak

WORTH_KEEPING = 32  # blocks: fewer are asked for again as cheaply
log = logging.getLogger(__name__)


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
    chain: Chain,
    contract: str,
    names: Sequence[str],
    first: int,
    last: Block,
    *,
    piece: int | None = None,
    where: Mapping[str, Sequence[Any]] | None = None,
) -> list[Event]:
    """All events of these names from block `first` up to `last`, oldest first. Raises as `event_pieces`."""
    found: list[Event] = []
    async for _, events in event_pieces(chain, contract, names, first, last, piece=piece, where=where):
        found += events
    return found


async def event_pieces(
    chain: Chain,
    contract: str,
    names: Sequence[str],
    first: int,
    last: Block,
    *,
    piece: int | None = None,
    where: Mapping[str, Sequence[Any]] | None = None,
) -> AsyncIterator[tuple[int, list[Event]]]:
    """(last block of the piece, its events) for consecutive pieces of at most `piece` blocks, so that a reader can
    resume after any of them. `where` names values of indexed arguments: the node shows no other events.

    Each piece is asked of an endpoint that was seen to hold `last`: one that lags would answer with silence. A log that
    does not decode is left out and counted (`chain.unread`): what one account had a contract say must not hide what all
    others did. Raises BlockGone when `last` was reorganised away, UnreachableChain, EndpointsDisagree, ChainError.
    """
    if first > last.number:
        return
    abis = {topic: abi for topic, abi in _abis(chain, contract, names)}
    query = LogQuery(chain.deployment.address(contract), (tuple(abis), *_filters(contract, list(abis.values()), where)))
    if chain.log_cache is None or last.number - first < WORTH_KEEPING:
        async for end, logs in chain.logs.pieces(query, first, last, most=piece):
            yield end, _decoded(chain, contract, abis, logs)
        return
    async for end, logs in _through_cache(chain, chain.log_cache, query, first, last):
        yield end, _decoded(chain, contract, abis, logs)


async def _through_cache(
    chain: Chain, cache: LogCache, query: LogQuery, first: int, last: Block
) -> AsyncIterator[tuple[int, list[Log]]]:
    """Pieces as a `LogReader` gives them, the first from the disk; what was read is kept, also of a reading that broke
    off."""
    known = cache.read(query)
    if known is None or known.first > first or not await chain.has_block(known.seen, known.seen_hash):
        known = KeptLogs(first, first - 1, last.number, last.hash, [])
    end = min(known.until, last.number)
    if end >= first:
        yield end, [one for one in known.logs if first <= one.block_number <= end]
    if end == last.number:
        return
    found, until = list(known.logs), known.until
    try:
        async for end, logs in chain.logs.pieces(query, known.until + 1, last):
            found += logs
            until = end
            yield end, [one for one in logs if one.block_number >= first]
    finally:
        if until > known.until:
            cache.write(query, KeptLogs(known.first, until, last.number, last.hash, found))


def _abis(chain: Chain, contract: str, names: Sequence[str]) -> list[tuple[bytes, Mapping[str, Any]]]:
    known = {abi["name"]: abi for abi in chain.deployment.contract(contract).abi if abi.get("type") == "event"}
    if missing := [name for name in names if name not in known]:
        raise ChainError(f"{contract} has no event {missing[0]}")
    return [(keccak(signature_of(known[name]).encode()), known[name]) for name in names]


def _filters(
    contract: str, abis: Sequence[Mapping[str, Any]], where: Mapping[str, Sequence[Any]] | None
) -> list[tuple[bytes, ...] | None]:
    """Topics behind the first. Raises ChainError where an argument is not indexed, or in another place, in one of the
    events: it could not be asked for."""
    filters: list[tuple[bytes, ...] | None] = []
    for name, values in (where or {}).items():
        places = set()
        for abi in abis:
            indexed = [p["name"] for p in abi["inputs"] if p["indexed"]]
            places.add(indexed.index(name) if name in indexed else -1)
        if len(places) != 1 or -1 in places:
            raise ChainError(f"{contract}: events cannot be asked for by {name}")
        place = places.pop()
        kind = next(p["type"] for p in abis[0]["inputs"] if p["name"] == name)
        filters += [None] * (place + 1 - len(filters))
        try:
            filters[place] = tuple(encode([kind], [value]) for value in values)
        except (EncodingError, ValueError, TypeError) as error:
            raise ChainError(f"{contract}: {name}: {str(error)[:200]}") from None
    return filters


def _decoded(chain: Chain, contract: str, abis: Mapping[bytes, Mapping[str, Any]], logs: Sequence[Log]) -> list[Event]:
    events = []
    for one in logs:
        abi = abis[one.topics[0]]
        try:
            args = decode_log(abi, one.topics, one.data)
        except (DecodingError, ValueError) as error:
            chain.unread += 1
            log.warning(
                "%s: the log %d of block %d is left out, as %s it cannot be read: %s",
                contract, one.index, one.block_number, abi["name"], str(error)[:200],
            )  # fmt: skip
            continue
        events.append(Event(contract, abi["name"], args, one.block_number, one.block_hash, one.transaction, one.index))
    return events

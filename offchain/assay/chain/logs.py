"""Logs between blocks as nodes hand them out: in pieces that they answer, from whichever answers, and compared where
there are several."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from assay.chain.blocks import Block, quantity
from assay.chain.errors import ChainError, Declined, EndpointFault, EndpointsDisagree, RpcError, shown_url
from assay.chain.log_refusals import LogRefusal, blocks_allowed, log_refusal
from assay.chain.rpc_endpoint import Endpoint
from assay.chain.rpc_pool import EndpointPool
from assay.protocol.hexadecimal import parse_address, parse_bytes32, parse_hex, to_hex

MOST_DATA = 1 << 20  # bytes of one log
_PATIENCE = 4  # times that a question is made smaller for a refusal that does not say it was too large
_AT_ONCE_AFTER = 8  # answers in a row, after which twice as much is asked for


@dataclass(frozen=True, slots=True)
class Log:
    """A log whose form was checked; what is in it was not."""

    topics: tuple[bytes, ...]
    data: bytes
    block_number: int
    block_hash: bytes
    transaction: bytes
    index: int

    def to_json(self) -> list[Any]:
        """As it is kept on disk."""
        return [
            [to_hex(topic) for topic in self.topics], to_hex(self.data), self.block_number, to_hex(self.block_hash),
            to_hex(self.transaction), self.index,
        ]  # fmt: skip

    @classmethod
    def from_json(cls, data: Any) -> Log:
        """Of `to_json`'s form. Raises ValueError, TypeError."""
        topics, body, number, block_hash, transaction, index = data
        return cls(
            tuple(parse_bytes32(topic, "topic") for topic in topics), parse_hex(body, "data", max_bytes=MOST_DATA),
            int(number), parse_bytes32(block_hash, "block"), parse_bytes32(transaction, "transaction"), int(index),
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class LogQuery:
    """Logs of one contract; `topics` as `eth_getLogs` takes them, the first names the events."""

    address: str
    topics: tuple[tuple[bytes, ...] | None, ...]

    def matches(self, log: Log) -> bool:
        """Whether a log is one that was asked for."""
        return len(log.topics) >= len(self.topics) and all(
            wanted is None or topic in wanted for wanted, topic in zip(self.topics, log.topics, strict=False)
        )

    def parameters(self, first: int, last: int) -> dict[str, Any]:
        """As the method takes them."""
        topics = [None if wanted is None else [to_hex(topic) for topic in wanted] for wanted in self.topics]
        return {"address": self.address, "fromBlock": hex(first), "toBlock": hex(last), "topics": topics}


@dataclass(slots=True)
class _Span:
    blocks: int  # what an endpoint answers at once
    answers: int = 0


@dataclass(frozen=True, slots=True)
class _Piece:
    last: int
    logs: list[Log]
    source: Endpoint


class LogReader:
    """Remembers how much each endpoint answers at once."""

    def __init__(self, pool: EndpointPool) -> None:
        self._pool = pool
        self._spans: dict[str, _Span] = {}

    async def pieces(
        self, query: LogQuery, first: int, last: Block, *, most: int | None = None
    ) -> AsyncIterator[tuple[int, list[Log]]]:
        """(last block of the piece, its logs, oldest first) for consecutive pieces of at most `most` blocks.

        Where two endpoints or more hold `last`, a second is asked the same, and what they do not agree on is asked of
        the others. Raises EndpointsDisagree, BlockGone, UnreachableChain, RpcError, Declined.
        """
        async for piece in self._walk(query, first, last.number, last, most, ()):
            yield piece.last, await self._agreed(query, first, last, piece)
            first = piece.last + 1

    async def _walk(
        self, query: LogQuery, first: int, end: int, last: Block, most: int | None, skip: Collection[Endpoint]
    ) -> AsyncIterator[_Piece]:
        size, failures = most or end - first + 1, 0
        while first <= end:
            until = min(first + size - 1, end)
            try:
                piece = await self._ask(query, first, until, last, skip)
            except Declined as error:
                asked = until - first + 1
                failures += error.refusal < LogRefusal.TOO_MUCH
                if asked == 1 or error.refusal in (LogRefusal.ABSENT, LogRefusal.PRUNED) or failures > _PATIENCE:
                    raise
                size = min(asked - 1, self._largest(skip) or error.blocks)
                continue
            yield piece
            first, failures = until + 1, 0
            # A limit on logs or seconds may let more blocks pass further on.
            size = min(2 * size, most or 2 * size, self._largest(skip) or 2 * size)

    def _largest(self, skip: Collection[Endpoint]) -> int:
        """The most blocks that any endpoint is known to answer; 0 where nothing is known of one of them."""
        urls = [endpoint.url for endpoint in self._pool.endpoints if endpoint not in skip]
        return max((self._spans[url].blocks for url in urls if url in self._spans), default=0)

    async def _ask(self, query: LogQuery, first: int, until: int, last: Block, skip: Collection[Endpoint]) -> _Piece:
        asked = until - first + 1

        async def ask(endpoint: Endpoint) -> _Piece:
            span = self._spans.get(endpoint.url)
            if span is not None and asked > span.blocks:
                least = f"{shown_url(endpoint.url)} answers {span.blocks} blocks at once"
                raise Declined(least, LogRefusal.TOO_MUCH, span.blocks)
            try:
                answer = await endpoint.request("eth_getLogs", [query.parameters(first, until)])
            except (RpcError, EndpointFault) as error:
                raise self._declined(endpoint, error, asked) from None
            logs = _checked(query, answer, first, until, endpoint)
            if span is not None:
                span.answers += 1
                if span.answers % _AT_ONCE_AFTER == 0:
                    span.blocks *= 2
            return _Piece(until, logs, endpoint)

        piece: _Piece = await self._pool.with_block(last, ask, skip=skip)
        return piece

    def _declined(self, endpoint: Endpoint, error: RpcError | EndpointFault, asked: int) -> Declined:
        refusal, blocks = log_refusal(error), blocks_allowed(error, asked)
        if refusal is LogRefusal.TOO_MUCH and asked > 1:
            self._spans[endpoint.url] = _Span(blocks)
        if refusal is LogRefusal.BUSY:
            self._pool.distrust(endpoint, str(error))
        advice = "; it no longer has the logs of that time: name an endpoint that keeps them with --rpc"
        return Declined(
            f"{shown_url(endpoint.url)}: {error}{advice if refusal is LogRefusal.PRUNED else ''}", refusal, blocks
        )

    async def _agreed(self, query: LogQuery, first: int, last: Block, piece: _Piece) -> list[Log]:
        """The piece's logs as two endpoints show them; the only one's where no other answers."""
        answers = [piece]
        while len(answers) < len(self._pool.endpoints):
            other = await self._other(query, first, last, piece.last, [answer.source for answer in answers])
            if other is None:
                break
            answers.append(other)
            if [answer for answer in answers if answer.logs == other.logs][:-1]:
                for answer in answers:
                    if answer.logs != other.logs:
                        self._pool.distrust(
                            answer.source, f"its logs of blocks {first}..{piece.last} are not the others'"
                        )
                return other.logs
        if len(answers) > 1:
            shown = ", ".join(f"{shown_url(a.source.url)} shows {len(a.logs)}" for a in answers)
            raise EndpointsDisagree(
                f"logs of {query.address} in blocks {first}..{piece.last}: {shown}, and they are not the same; "
                "nothing is read until two endpoints agree: check which of them leaves some out"
            )
        return piece.logs

    async def _other(
        self, query: LogQuery, first: int, last: Block, until: int, skip: Sequence[Endpoint]
    ) -> _Piece | None:
        found: list[Log] = []
        source = skip[0]
        try:
            async for piece in self._walk(query, first, until, last, None, skip):
                found += piece.logs
                source = piece.source
        except ChainError:
            return None
        return _Piece(until, found, source)


def _checked(query: LogQuery, answer: Any, first: int, last: int, endpoint: Endpoint) -> list[Log]:
    try:
        if not isinstance(answer, list):
            raise TypeError("not a list")
        logs = [_parsed(query, log) for log in answer if not log.get("removed")]
        for log in logs:
            if not first <= log.block_number <= last:
                raise ValueError(f"one is of block {log.block_number}")
            if not query.matches(log):
                raise ValueError("one was not asked for")
        logs.sort(key=lambda log: (log.block_number, log.index))
        if len({(log.block_number, log.index) for log in logs}) != len(logs):
            raise ValueError("one is there twice")
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise Declined(
            f"{shown_url(endpoint.url)}: eth_getLogs({first}..{last}) returned malformed logs: {str(error)[:200]}",
            LogRefusal.ABSENT, 0,
        ) from None  # fmt: skip
    return logs


def _parsed(query: LogQuery, log: Mapping[str, Any]) -> Log:
    if parse_address(log["address"]).lower() != query.address.lower():
        raise ValueError(f"one is of {log['address']}")
    return Log(
        tuple(parse_bytes32(topic, "topic") for topic in log["topics"]),
        parse_hex(log["data"], "data", max_bytes=MOST_DATA),
        quantity(log["blockNumber"], "blockNumber"),
        parse_bytes32(log["blockHash"], "blockHash"),
        parse_bytes32(log["transactionHash"], "transactionHash"),
        quantity(log["logIndex"], "logIndex"),
    )

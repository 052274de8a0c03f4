"""The chain as the follower reads it: final blocks, logs, the seats of sets."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Protocol

import structlog

from assay.chain.blocks import Block
from assay.chain.client import Chain
from assay.chain.errors import BlockGone, ChainError
from assay.chain.events import Event as ChainEvent
from assay.chain.events import read_events
from assay.market.events.record import BadEvent, Place
from assay.market.events.registry import RECORDS, Log
from assay.protocol.hexadecimal import HexadecimalError, parse_address, parse_hex, to_hex

MOST_CALLDATA = 1 << 20
NOBODY = "0x0000000000000000000000000000000000000000"
_AT_ONCE = 16
log = structlog.get_logger()


class ChainSource(Protocol):
    """What the follower needs of a chain."""

    async def finalised(self) -> Block:
        """The newest final block."""

    async def block(self, number: int) -> Block | None:
        """The block at this height, None where the chain has none."""

    async def logs(self, first: int, last: Block) -> Sequence[Log]:
        """Logs of the followed events in blocks `first` to `last`, oldest first."""

    async def seats(self, set_id: int, at: Block) -> Sequence[tuple[str, str]]:
        """(account, signer) of a set's seats in signing order."""

    async def calldata(self, transaction: bytes) -> tuple[str, bytes]:
        """The receiver of a transaction and what it was sent."""


class NodeSource:
    """A ChainSource over RPC endpoints."""

    def __init__(self, chain: Chain) -> None:
        self._chain = chain
        self._followed: dict[str, list[str]] = {}
        for contract, name in RECORDS:
            abi = chain.deployment.contracts[contract].abi if contract in chain.deployment.contracts else []
            # A deployment may predate an event that this version knows.
            if any(item.get("type") == "event" and item.get("name") == name for item in abi):
                self._followed.setdefault(contract, []).append(name)

    async def finalised(self) -> Block:
        return await self._chain.finalised()

    async def block(self, number: int) -> Block | None:
        try:
            return await self._chain.block(number)
        except BlockGone:
            return None

    async def logs(self, first: int, last: Block) -> Sequence[Log]:
        read = [read_events(self._chain, c, names, first, last) for c, names in self._followed.items()]
        found = [event for events in await asyncio.gather(*read) for event in events]
        found.sort(key=lambda event: (event.block_number, event.log_index))
        times = await self._timestamps(found)
        logs = [
            Log(Place(e.block_number, e.log_index, e.transaction, times[e.block_number]), e.contract, e.name, e.args)
            for e in found
        ]
        return [one for one in logs if self._is_readable(one)]

    def _is_readable(self, one: Log) -> bool:
        """One log that is not its event's hides only itself."""
        try:
            one.record()
        except BadEvent as error:
            self._chain.unread += 1
            log.warning(
                "a log could not be read and was left out", contract=one.contract, log_event=one.name,
                block=one.place.block, index=one.place.log_index, reason=str(error)[:200],
            )  # fmt: skip
            return False
        return True

    async def _timestamps(self, events: Sequence[ChainEvent]) -> dict[int, int]:
        limit = asyncio.Semaphore(_AT_ONCE)

        async def timestamp(number: int, expected: bytes) -> tuple[int, int]:
            async with limit:
                block = await self._chain.block(number)
            if block.hash != expected:
                raise BlockGone(f"block {number} was replaced while it was read")
            return number, block.timestamp

        wanted = {event.block_number: event.block_hash for event in events}
        return dict(await asyncio.gather(*(timestamp(n, h) for n, h in wanted.items())))

    async def seats(self, set_id: int, at: Block) -> Sequence[tuple[str, str]]:
        rows = await self._chain.call("ValidatorSet", "seatsOf", set_id, at=at)
        return [(row.account, row.signer) for row in rows]

    async def calldata(self, transaction: bytes) -> tuple[str, bytes]:
        found = await self._chain.rpc("eth_getTransactionByHash", [to_hex(transaction)])
        if not isinstance(found, dict):
            raise BlockGone(f"transaction {to_hex(transaction)} was taken back while it was read")
        try:
            data = parse_hex(found.get("input", ""), "input", max_bytes=MOST_CALLDATA)
            return parse_address(found.get("to") or NOBODY), data
        except HexadecimalError as error:
            raise ChainError(f"the node returned a malformed transaction: {error}") from None

"""The bill of a lease: what it streamed, what came back, and every transaction that moved or fixed its money."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from assay.chain.contracts.leases import Lease
from assay.chain.errors import ChainError
from assay.chain.rpc.client import Chain
from assay.chain.rpc.events import DecodedLog, read_events
from assay.protocol.hexadecimal import to_hex
from assay.renter.market.offer_checks import ESCROW

MAX_TIMES = 16  # blocks whose time is asked for: beyond that a line has its block's number alone


@dataclass(frozen=True)
class ReceiptLine:
    """One thing that happened to a lease's money. `amount` in base units, None where none moved; `at` in seconds since
    1970, None for one of many lines, whose block then says when."""

    what: str
    amount: int | None
    at: int | None
    block: int
    transaction: str


@dataclass(frozen=True)
class LeaseReceipt:
    """A lease's bill as it stands at `now`; amounts in base units."""

    lease: Lease
    now: int
    streamed: int
    refundable: int
    fees: int
    lines: tuple[ReceiptLine, ...]

    @property
    def seconds(self) -> int:
        """For how long it has streamed."""
        return max(0, min(self.now, self.lease.stop) - self.lease.start) if self.lease.start else 0

    @property
    def net(self) -> int:
        """What the lease has cost its renter: the stream, less downtime and what of the bond was forfeited to it."""
        return self.streamed - self.lease.downtime_refund - self.lease.forfeited


@dataclass(frozen=True)
class _Kind:
    """How an event reads. `amount` and `at` take its arguments."""

    what: str
    amount: Callable[[Mapping[str, Any]], int] | None = None
    at: Callable[[Mapping[str, Any]], int] | None = None
    ours: bool = True


_KINDS = {
    "LeaseOpened": _Kind("deposit paid in", lambda args: args["deposit"]),
    "LeaseCancelled": _Kind("cancelled, all of it due back", lambda args: args["refund"]),
    "LeaseStarted": _Kind("started", at=lambda args: args["start"]),
    "LeaseToppedUp": _Kind("topped up", lambda args: args["amount"]),
    "NoticeGiven": _Kind("notice given by the provider"),
    "DowntimeRefunded": _Kind("downtime credited", lambda args: args["amount"]),
    "DeviceOfLeaseSlashed": _Kind("device slashed"),
    "BondForfeited": _Kind("bond forfeited to the network", lambda args: args["amount"]),
    "LeaseEnded": _Kind("ended"),
    "LeaseReleased": _Kind("released by the provider"),
    "LeaseRefunded": _Kind("paid back to the renter", lambda args: args["amount"]),
    "LeaseClaimed": _Kind("paid to the provider", lambda args: args["amount"], ours=False),
}


class Receipts:
    """Reads bills from the chain. A bill takes one question for its logs and a few more."""

    def __init__(self, chain: Chain) -> None:
        self._chain = chain

    async def of(self, lease: Lease) -> LeaseReceipt:
        """The bill of a lease, at the latest block. Raises ChainError."""
        head = await self._chain.head()
        # A cancelled lease no longer says when it was opened.
        first = lease.opened_block or self._chain.deployment.block
        events, streamed, refundable = await asyncio.gather(
            read_events(self._chain, ESCROW, list(_KINDS), first, head, where={"leaseId": [lease.lease_id]}),
            self._chain.call(ESCROW, "streamed", lease.lease_id, at="latest"),
            self._chain.call(ESCROW, "refundable", lease.lease_id, at="latest"),
        )
        times = await self._times(events)
        lines = tuple(_line(event, times) for event in events)
        fees = sum(int(event.args["fee"]) for event in events if event.name == "LeaseClaimed")
        return LeaseReceipt(lease, head.timestamp, int(streamed), int(refundable), fees, lines)

    async def _times(self, events: Sequence[DecodedLog]) -> dict[int, int]:
        """Times of the blocks that are worth a question, the renter's own before the provider's many."""
        untold = [event for event in events if _KINDS[event.name].at is None]
        ordered = sorted(untold, key=lambda event: not _KINDS[event.name].ours)
        blocks = list(dict.fromkeys(event.block_number for event in ordered))[:MAX_TIMES]
        found = await asyncio.gather(*(self._chain.block(number) for number in blocks), return_exceptions=True)
        for one in found:
            if isinstance(one, BaseException) and not isinstance(one, ChainError):
                raise one
        # A bill without one of its times is a bill all the same.
        return {
            number: block.timestamp
            for number, block in zip(blocks, found, strict=True)
            if not isinstance(block, BaseException)
        }


def _line(event: DecodedLog, times: Mapping[int, int]) -> ReceiptLine:
    kind = _KINDS[event.name]
    at = times.get(event.block_number) if kind.at is None else int(kind.at(event.args))
    amount = None if kind.amount is None else int(kind.amount(event.args))
    return ReceiptLine(kind.what, amount, at, event.block_number, to_hex(event.transaction))

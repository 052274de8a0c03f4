"""Downtime that reports attest: which epochs of a lease its escrow credits now, by which line, and until when."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from assay.chain.contracts.epochs import read_epoch_state, read_timing
from assay.chain.contracts.leases import Lease, offer_argument
from assay.chain.errors import Reverted
from assay.chain.rpc.client import Chain, ContractCall
from assay.protocol.epochs import EpochState, Phase, Timing
from assay.protocol.messages import Offer
from assay.protocol.rates import streamed
from assay.protocol.types import DeviceId, Root
from assay.renter.market.offer_checks import ESCROW
from assay.wire.lines import Measured

FULL_BPS = 10_000
LAST_CALL = 8  # of the time an epoch can be claimed in, its last eighth no longer waits for lines that nobody serves
ALREADY = "EpochAlreadyRefunded"
LineOf = Callable[[int, Root, DeviceId], Awaitable[Measured | None]]


@dataclass(frozen=True)
class Downtime:
    """An epoch of a lease in which its worst device was down for `seconds`; `amount` in base units. `until` is the
    chain's last second for a claim."""

    measured: Measured
    seconds: int
    amount: int
    until: int

    @property
    def epoch(self) -> int:
        """The epoch whose report attests it."""
        return self.measured.leaf.epoch

    @property
    def bps(self) -> int:
        """The share of the epoch that it was, in hundredths of a percent."""
        return FULL_BPS - self.measured.leaf.uptime_bps

    def call(self, lease_id: int, offer: Offer) -> ContractCall:
        """`refundDowntime` with the line and its proof; the renter sends it, or whom it has named."""
        measured = self.measured
        return ContractCall(
            ESCROW, "refundDowntime", (lease_id, offer_argument(offer), measured.leaf.values(), list(measured.proof))
        )


@dataclass(frozen=True)
class DowntimeFound:
    """What can be claimed of a lease now, oldest first.

    Each epoch counts once, by one device's line. So an epoch with a device whose line nobody serves (`missing`) is
    `held` back, since that one may be the worst, until the last part of its time. `pending` are epochs without a report
    as yet that can still get one in time. `refused` are those of which the escrow takes nothing, and why.
    """

    claimable: tuple[Downtime, ...] = ()
    held: tuple[Downtime, ...] = ()
    missing: tuple[tuple[int, DeviceId], ...] = ()
    pending: tuple[int, ...] = ()
    refused: tuple[tuple[int, str], ...] = ()

    def with_held(self) -> DowntimeFound:
        """The same with nothing held back."""
        all_of_it = sorted((*self.claimable, *self.held), key=lambda one: one.epoch)
        return replace(self, claimable=tuple(all_of_it), held=())

    def of_at_least(self, bps: int) -> DowntimeFound:
        """The same without epochs of which less was down, in hundredths of a percent: each claim is a transaction."""
        return replace(self, claimable=tuple(one for one in self.claimable if one.bps >= bps))

    @property
    def settled(self) -> bool:
        """Whether no more can come of what is over so far, once that which is claimable is claimed."""
        return not (self.held or self.missing or self.pending)

    @property
    def seconds(self) -> int:
        """All that is claimable."""
        return sum(one.seconds for one in self.claimable)

    @property
    def amount(self) -> int:
        """All that is claimable, base units."""
        return sum(one.amount for one in self.claimable)


@dataclass(frozen=True)
class Rules:
    """The oracle's times, and for how long what has streamed cannot be claimed by the provider."""

    timing: Timing
    holdback: int

    def overlap(self, lease: Lease, epoch: int) -> tuple[int, int]:
        """The seconds that an epoch and a lease have in common: from, to."""
        start = self.timing.start(epoch)
        return max(start, lease.start), min(start + self.timing.epoch_length, lease.stop)

    def until(self, lease: Lease, epoch: int) -> int:
        """The last second for a claim of an epoch."""
        return self.overlap(lease, epoch)[0] + self.holdback

    def open_epochs(self, lease: Lease, now: int) -> range:
        """Epochs of which the escrow still takes downtime: their part of the lease over, its money still held back."""
        if lease.start == 0 or lease.stop <= lease.start:
            return range(0)
        genesis, length = self.timing.genesis, self.timing.epoch_length
        first = (lease.start - genesis) // length
        if now > lease.start + self.holdback:
            first = max(first, -(-(now - self.holdback - genesis) // length))
        last = (lease.stop - 1 - genesis) // length if now >= lease.stop else (now - genesis) // length - 1
        return range(first, max(first, last + 1))

    def reportable(self, state: EpochState, now: int) -> bool:
        """Whether an epoch without a report may still get one."""
        if state.phase in (Phase.REPORTED, Phase.VOID):
            return False
        by = self.timing.open_by if state.phase is Phase.NONE else self.timing.report_by
        return now <= self.timing.start(state.epoch) + by


def worst(lease: Lease, rules: Rules, lines: Iterable[Measured]) -> Downtime | None:
    """What an epoch's lines of a lease's devices are worth to its renter, as the escrow reckons it: the worst device
    counts, whatever its flags. None where none was down for a second."""
    least = min(lines, key=lambda line: line.leaf.uptime_bps, default=None)
    if least is None:
        return None
    begins, ends = rules.overlap(lease, least.leaf.epoch)
    seconds = max(0, ends - begins) * (FULL_BPS - least.leaf.uptime_bps) // FULL_BPS
    if seconds == 0:
        return None
    return Downtime(least, seconds, streamed(lease.rate, seconds), rules.until(lease, least.leaf.epoch))


class DowntimeFinder:
    """Finds downtime again and again; what was seen once is not asked for again. `line_of` gives a device's proven line
    of (epoch, root, device), None where nobody serves it."""

    def __init__(self, chain: Chain, line_of: LineOf) -> None:
        self._chain = chain
        self._line_of = line_of
        self._rules: Rules | None = None
        self._lines: dict[tuple[Root, DeviceId], Measured] = {}

    async def rules(self) -> Rules:
        """What never changes."""
        if self._rules is None:
            timing, holdback = await asyncio.gather(
                read_timing(self._chain, "latest"), self._chain.call(ESCROW, "holdback", at="latest")
            )
            self._rules = Rules(timing, int(holdback))
        return self._rules

    async def find(self, lease: Lease, offer: Offer, sender: str) -> DowntimeFound:
        """What the escrow takes from `sender`, the renter or whom it has named, for a lease now."""
        head, rules = await self._chain.head(), await self.rules()
        now = head.timestamp
        epochs = rules.open_epochs(lease, now)
        states = await asyncio.gather(*(read_epoch_state(self._chain, epoch, head) for epoch in epochs))
        reported = [state for state in states if state.phase is Phase.REPORTED]
        looked = await asyncio.gather(*(self._look(lease, offer, state) for state in reported))
        found = DowntimeFound(pending=tuple(one.epoch for one in states if rules.reportable(one, now)))
        for down, absent in looked:
            refusal = await self._refusal(lease, offer, down, sender) if down is not None else None
            if refusal is not None and ALREADY in refusal.name:
                continue
            found = replace(found, missing=(*found.missing, *absent))
            if down is None:
                continue
            if refusal is not None:
                found = replace(found, refused=(*found.refused, (down.epoch, str(refusal))))
            elif absent and now <= down.until - rules.holdback // LAST_CALL:
                found = replace(found, held=(*found.held, down))
            else:
                found = replace(found, claimable=(*found.claimable, down))
        return found

    async def _look(
        self, lease: Lease, offer: Offer, state: EpochState
    ) -> tuple[Downtime | None, Sequence[tuple[int, DeviceId]]]:
        """The downtime of one reported epoch by the lines that are served, and the devices without one."""
        lines = await asyncio.gather(*(self._line(state, device_id) for device_id in offer.device_ids))
        absent = [
            (state.epoch, device_id) for device_id, line in zip(offer.device_ids, lines, strict=True) if line is None
        ]
        rules = await self.rules()
        return worst(lease, rules, (line for line in lines if line is not None)), absent

    async def _line(self, state: EpochState, device_id: DeviceId) -> Measured | None:
        key = (state.devices_root, device_id)
        if key not in self._lines:
            line = await self._line_of(state.epoch, state.devices_root, device_id)
            if line is None:
                return None
            self._lines[key] = line
        return self._lines[key]

    async def _refusal(self, lease: Lease, offer: Offer, down: Downtime, sender: str) -> Reverted | None:
        """Why the escrow would not take it; it also keeps which epochs were claimed before."""
        call = down.call(lease.lease_id, offer)
        try:
            await self._chain.call(call.contract, call.function, *call.args, at="latest", sender=sender)
        except Reverted as error:
            return error
        return None

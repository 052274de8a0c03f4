"""Downtime that reports attest: which epochs of a lease its escrow gives back now, and the calls that claim them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, replace

from assay.chain.client import Chain, ContractCall
from assay.chain.epochs import read_epoch_state, read_timing
from assay.chain.leases import Lease, read_lease
from assay.protocol.epochs import Phase, Timing
from assay.protocol.flags import Flag
from assay.protocol.report_lines import Measured
from assay.renter.money import RATE_UNIT
from assay.renter.wallet import ESCROW

FULL_BPS = 10_000
LineOf = Callable[[int, bytes, bytes], Awaitable[Measured | None]]


@dataclass(frozen=True)
class Downtime:
    """One epoch of a lease in which its device was down for `seconds`; `amount` in base units."""

    measured: Measured
    seconds: int
    amount: int

    @property
    def epoch(self) -> int:
        """The epoch whose report attests it."""
        return self.measured.leaf.epoch

    def call(self, lease_id: int) -> ContractCall:
        """`refundDowntime` with the line and its proof; anybody may send it."""
        return ContractCall(
            ESCROW, "refundDowntime", (lease_id, self.measured.leaf.values(), list(self.measured.proof))
        )


@dataclass(frozen=True)
class DowntimeFound:
    """What can be claimed now, in the order in which the escrow takes it, and the epochs whose lines nobody serves.

    The escrow takes no epoch before one it has taken: claiming past a missing one gives that one up. The chain's times
    `without_from` and `without_to`, in seconds, bound when what is `held` back for it can be claimed and nothing be
    given up.
    """

    claimable: tuple[Downtime, ...] = ()
    missing: tuple[int, ...] = ()
    without_from: int = 0
    without_to: int = 0
    held: tuple[Downtime, ...] = ()

    def up_to_missing(self) -> DowntimeFound:
        """The same with those after a missing one held back."""
        after = tuple(one for one in self.claimable if self.missing and one.epoch > self.missing[0])
        return replace(self, claimable=self.claimable[: len(self.claimable) - len(after)], held=after)

    @property
    def seconds(self) -> int:
        """All of it."""
        return sum(one.seconds for one in self.claimable)

    @property
    def amount(self) -> int:
        """All of it, base units."""
        return sum(one.amount for one in self.claimable)


def open_epochs(lease: Lease, timing: Timing, holdback: int, now: int) -> range:
    """Epochs whose downtime the escrow still takes: full ones inside the lease, none before the next in order, none
    whose money may be paid out already."""
    if lease.start == 0:
        return range(0)
    last = min(lease.stop, lease.ended_at or lease.stop, now)
    oldest = max(lease.start, now - holdback) - timing.genesis
    first = max(-(-oldest // timing.epoch_length), lease.next_epoch)
    return range(first, max(first, (last - timing.genesis) // timing.epoch_length))


def attested(lease: Lease, timing: Timing, lines: Iterable[Measured]) -> tuple[Downtime, ...]:
    """What the lines of the lease's device are worth to its renter, oldest first, as the escrow reckons it."""
    found = []
    for measured in sorted(lines, key=lambda one: one.leaf.epoch):
        leaf = measured.leaf
        if leaf.device_id != lease.device_id or not leaf.flags & Flag.LEASED:
            continue
        seconds = timing.epoch_length * (FULL_BPS - leaf.uptime_bps) // FULL_BPS
        if seconds > 0:
            found.append(Downtime(measured, seconds, lease.rate * seconds // RATE_UNIT))
    return tuple(found)


async def find_downtime(chain: Chain, lease_id: int, line_of: LineOf) -> DowntimeFound:
    """What the escrow takes for a lease now. `line_of` gives a device's proven line of (epoch, root, device)."""
    head = await chain.head()
    lease, timing, holdback = await asyncio.gather(
        read_lease(chain, lease_id, head), read_timing(chain, head), chain.call(ESCROW, "holdback", at=head)
    )
    epochs = open_epochs(lease, timing, int(holdback), head.timestamp)
    states = await asyncio.gather(*(read_epoch_state(chain, epoch, head) for epoch in epochs))
    reported = [state for state in states if state.phase is Phase.REPORTED]
    lines = await asyncio.gather(*(line_of(one.epoch, one.devices_root, lease.device_id) for one in reported))
    missing = tuple(state.epoch for state, line in zip(reported, lines, strict=True) if line is None)
    found = DowntimeFound(attested(lease, timing, (line for line in lines if line is not None)), missing)
    if not (held := found.up_to_missing().held):
        return found
    # The escrow takes an epoch until its holdback is over, counted from its start.
    from_, to = timing.start(missing[0]) + int(holdback) + 1, timing.start(held[0].epoch) + int(holdback)
    return replace(found, without_from=from_, without_to=to)

"""What it costs a renter to leave a lease now, and what would make it free: a pure function."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from assay.chain.leases import Lease, LeaseStatus
from assay.protocol.rates import streamed


class Free(StrEnum):
    """Why leaving costs nothing more."""

    pending = "it has not started"
    minimum = "its minimum is over"
    notice = "the provider has given notice"
    slashed = "a device of it was slashed"
    downtime = "its devices were down for longer than the escrow allows"
    over = "it is over"


@dataclass(frozen=True)
class Leaving:
    """`free` says why leaving costs nothing beyond what has streamed; None where it does: then `cost` is what is still
    paid, in base units, and `free_from` when the minimum is over, in seconds since 1970. `downtime_left` is how many
    more seconds of downtime must be attested and claimed to leave free before."""

    free: Free | None
    cost: int = 0
    free_from: int = 0
    downtime_left: int = 0


def leaving(lease: Lease, now: int, max_downtime: int, slashed: bool) -> Leaving:
    """How the renter may leave. `slashed`: whether a device of the lease was slashed while it ran.

    A renter who left early pays on until `stop`, and may still become free: `end` then stops the stream.
    """
    if lease.status is LeaseStatus.PENDING:
        return Leaving(Free.pending)
    if lease.status is not LeaseStatus.ACTIVE or now >= lease.stop:
        return Leaving(Free.over)
    if slashed:
        return Leaving(Free.slashed)
    if lease.downtime > max_downtime:
        return Leaving(Free.downtime)
    if lease.notice_at:
        return Leaving(Free.notice)
    free_from = lease.start + lease.min_duration
    if now >= free_from:
        return Leaving(Free.minimum)
    cost = streamed(lease.rate, lease.min_duration) - streamed(lease.rate, now - lease.start)
    return Leaving(None, cost, free_from, max_downtime + 1 - lease.downtime)


def notice_over(lease: Lease) -> int:
    """From when on the provider may end for nothing, seconds since 1970; 0 where no notice was given."""
    return lease.notice_at + lease.notice if lease.notice_at else 0

"""What has to be done about a lease now: a pure function of the lease, the time and the settings."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto

from assay.chain.leases import Lease, LeaseStatus

RATE_UNIT = 10**18


class Step(Enum):
    """One thing to do about a lease."""

    RUN = auto()  # its jobs may run until `stop`
    KILL = auto()  # nothing of it may run
    CLAIM = auto()
    RETURN_BOND = auto()
    WIPE = auto()
    SETTLE = auto()


@dataclass(frozen=True)
class Standing:
    """A lease with what the escrow would pay now: `claimable` and `bond` in base units. `last_claim` and
    `wiped_at` in seconds since 1970."""

    lease: Lease
    claimable: int
    bond: int
    last_claim: float
    wiped_at: float | None


@dataclass(frozen=True)
class Policy:
    """`claim_every`, `grace` (time to fetch files after the end) and the escrow's `holdback`, in seconds."""

    claim_every: float = 24 * 3600.0
    grace: float = 900.0
    holdback: int = 0


def is_over(lease: Lease, now: float) -> bool:
    """Whether nothing of the lease may run any more: work after `stop` would not be paid."""
    if lease.status is LeaseStatus.ACTIVE:
        return now >= lease.stop
    return lease.status in (LeaseStatus.ENDED, LeaseStatus.CANCELLED)


def steps(standing: Standing, now: float, policy: Policy) -> list[Step]:
    """What to do, in order. Nothing is due on a pending lease: it holds the renter's money, not the device."""
    lease = standing.lease
    if lease.status is LeaseStatus.PENDING:
        return []
    over = is_over(lease, now)
    todo = [Step.KILL if over else Step.RUN]
    # After the end the rest is claimed at once, when all of it has left the holdback: each claim costs gas.
    all_of_it = over and now >= lease.stop + policy.holdback
    if standing.claimable > 0 and (all_of_it or now - standing.last_claim >= policy.claim_every):
        todo.append(Step.CLAIM)
    if not over:
        return todo
    if standing.bond > 0:
        todo.append(Step.RETURN_BOND)
    wiped = standing.wiped_at is not None
    if not wiped and now >= lease.stop + policy.grace:
        todo.append(Step.WIPE)
        wiped = True
    # Until the holdback is over the escrow may still owe something that it does not pay yet.
    nothing_due = now > lease.stop + policy.holdback and len(todo) == 1
    if wiped and (nothing_due or lease.status is LeaseStatus.CANCELLED):
        todo.append(Step.SETTLE)
    return todo


def streamed(lease: Lease, now: float) -> int:
    """floor(rate · (min(now, stop) − start) / 10¹⁸), base units."""
    if not lease.start:
        return 0
    return lease.rate * max(0, min(int(now), lease.stop) - lease.start) // RATE_UNIT

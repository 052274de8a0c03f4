"""What has to be done about a lease now: a pure function of the lease, the time and the settings."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto

from assay.chain.contracts.leases import Lease, LeaseStatus


class LeaseStep(Enum):
    """One thing to do about a lease."""

    RUN = auto()  # its jobs may run until `stop`
    KILL = auto()  # nothing of it may run
    GIVE_NOTICE = auto()
    END = auto()  # its notice has run out, or the provider has asked for it
    RELEASE = auto()  # its renter has left early
    WIPE = auto()
    CLAIM = auto()
    RETURN_BOND = auto()
    SETTLE = auto()


@dataclass(frozen=True)
class LeaseStanding:
    """A lease with what the escrow would pay now: `claimable` and `bond` in base units. `last_claim` and
    `wiped_at` in seconds since 1970, `chain_time` the timestamp of the block that the lease was read at.
    `notice_wanted`, `release_wanted` and `end_wanted`: what the provider has asked for.
    """

    lease: Lease
    claimable: int
    bond: int
    last_claim: float
    wiped_at: float | None
    chain_time: int
    notice_wanted: bool = False
    release_wanted: bool = False
    end_wanted: bool = False


@dataclass(frozen=True)
class LeasePolicy:
    """`claim_every`, `grace` (time to fetch files after the end) and the escrow's `holdback`, in seconds."""

    claim_every: float = 24 * 3600.0
    grace: float = 900.0
    holdback: int = 0


def runs(lease: Lease, now: float) -> bool:
    """Whether the renter may use the devices: work after `stop` would not be paid, and one that has left early pays on
    but has given them up.
    """
    return lease.status is LeaseStatus.ACTIVE and not lease.left_early and now < lease.stop


def ends_from(lease: Lease) -> int | None:
    """From when the provider may end the lease for nothing, by the notice it has given; None without one."""
    return lease.notice_at + lease.notice if lease.notice_at else None


def steps(standing: LeaseStanding, now: float, policy: LeasePolicy) -> list[LeaseStep]:
    """What to do, in order. Nothing is due on a pending lease: it holds the renter's money, not the devices."""
    lease = standing.lease
    if lease.status is LeaseStatus.PENDING:
        return []
    over = not runs(lease, now)
    todo = [LeaseStep.KILL if over else LeaseStep.RUN, *_of_provider(standing, over)]
    wiped = standing.wiped_at is not None
    if over and not wiped and now >= lease.stop + policy.grace:
        todo.append(LeaseStep.WIPE)
        wiped = True
    # After the end the rest is claimed at once, when all of it has left the holdback: each claim costs gas.
    all_of_it = over and now >= lease.stop + policy.holdback
    due = standing.claimable > 0 or standing.bond > 0
    if standing.claimable > 0 and (all_of_it or now - standing.last_claim >= policy.claim_every):
        todo.append(LeaseStep.CLAIM)
    if over and standing.bond > 0:
        todo.append(LeaseStep.RETURN_BOND)
    # Until the holdback is over the escrow may still owe something that it does not pay yet.
    nothing_due = now > lease.stop + policy.holdback and not due
    if over and wiped and (nothing_due or lease.status is LeaseStatus.CANCELLED):
        todo.append(LeaseStep.SETTLE)
    return todo


def _of_provider(standing: LeaseStanding, over: bool) -> list[LeaseStep]:
    """What the provider wants of a lease that goes on, or of one that its renter has left and still pays.

    Judged by the chain's time: a clock that is ahead of it would end the lease before its notice has run out, and
    forfeit the bond.
    """
    lease = standing.lease
    if lease.left_early:
        return [LeaseStep.RELEASE] if standing.release_wanted and standing.chain_time < lease.stop else []
    if over or lease.status is not LeaseStatus.ACTIVE:
        return []
    until = ends_from(lease)
    if standing.end_wanted:
        return [LeaseStep.END]
    if until is not None:
        return [LeaseStep.END] if standing.chain_time >= until else []
    return [LeaseStep.GIVE_NOTICE] if standing.notice_wanted and lease.notice else []

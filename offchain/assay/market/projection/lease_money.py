"""What the sides of a lease are due at a time, as the escrow works it out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from assay.protocol.rates import streamed

PENDING, ACTIVE, ENDED, CANCELLED = 1, 2, 3, 4
FULL_BPS = 10_000
Lease = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Terms:
    """The escrow's, in seconds, fixed at its deployment."""

    holdback: int = 0
    max_downtime: int = 0
    forfeit_hold: int = 0


@dataclass(frozen=True, slots=True)
class Due:
    """Base units that each can have now: the renter by `refund`, the provider out of the stream by `claim`, fee
    included, and of the bond by `returnBond`. `forfeitable` is the network's part of the bond as it stands now, neither
    settled nor forgiven. `free`: the renter is not bound to the minimum. `left_early`: it has left before, and paid or
    pays to it.
    """

    status: int
    streamed: int
    refundable: int
    claimable: int
    bond_returnable: int
    forfeitable: int
    free: bool
    left_early: bool


def status_of(lease: Lease, now: int) -> int:
    """A lease that nobody ended is over at its stop."""
    over = lease["status"] == ACTIVE and lease["stop"] <= now
    return ENDED if over else int(lease["status"])


def served(lease: Lease, now: int) -> int:
    """Seconds of the lease up to `now`."""
    return max(0, min(now, lease["stop"]) - lease["start"]) if lease["start"] else 0


def streamed_by(lease: Lease, now: int) -> int:
    """What has streamed up to `now`."""
    return streamed(int(lease["rate"]), served(lease, now))


def is_free(lease: Lease, terms: Terms) -> bool:
    """Whether the renter is bound to the minimum no longer."""
    return bool(lease["downtime"] > terms.max_downtime or lease["slashed_devices"] or lease["free_from"])


def has_left_early(lease: Lease, terms: Terms) -> bool:
    """Whether the escrow takes the renter for one who has left before the minimum: not one who was let go when downtime
    had forfeited the bond, of which letting it go is no way out.
    """
    return bool(lease["left_early"] and (not lease["released_at"] or lease["released_downtime"] <= terms.max_downtime))


def unserved(lease: Lease, seconds: int, obliged: int) -> int:
    """The part of the bond that stands for the time owed and not served, rounded up."""
    if seconds >= obliged:
        return 0
    bond, least = int(lease["bond"]), int(lease["min_duration"])
    return -(-bond * (obliged - seconds) // least)


def obliged_to(lease: Lease, terms: Terms) -> int:
    """Seconds that the provider has to serve for its bond: the minimum, or less where a notice runs out before, or
    where a renter who had left early was released.
    """
    obliged = int(lease["min_duration"])
    if has_left_early(lease, terms):
        obliged = min(obliged, lease["stop"] - lease["start"])
    if lease["free_from"]:
        obliged = min(obliged, lease["free_from"] - lease["start"])
    return obliged


def slash_share(lease: Lease, now: int) -> int:
    """What a device that is slashed now forfeits: its share of the bond for the time not served."""
    return unserved(lease, served(lease, now), obliged_to(lease, Terms())) // max(1, len(lease["device_ids"]))


def network_forfeit(lease: Lease, terms: Terms, now: int) -> int:
    """The network's part of the bond, wherever it has gone: that of slashed devices, or of all time not served with
    downtime being no service, whichever is more.
    """
    by_downtime = 0
    if lease["downtime"] > terms.max_downtime:
        by_downtime = unserved(lease, served(lease, now) - lease["downtime"], obliged_to(lease, terms))
    return max(int(lease["slash_forfeit"]), by_downtime - int(lease["forfeited"]))


def due(lease: Lease, terms: Terms, now: int) -> Due:
    """What everybody is due of a lease at `now`."""
    status = status_of(lease, now)
    network = network_forfeit(lease, terms, now) if lease["start"] else 0
    open_forfeit = 0 if lease["forfeit_forgiven"] or lease["forfeit_settled"] else network
    return Due(
        status,
        streamed_by(lease, now),
        _refundable(lease, status, now),
        max(0, streamed_by(lease, now - terms.holdback) - lease["claimed"] - lease["fee"] - lease["downtime_credit"]),
        _bond_due(lease, network) if lease["start"] and now >= lease["stop"] + terms.holdback else 0,
        open_forfeit,
        status == ACTIVE and is_free(lease, terms),
        has_left_early(lease, terms),
    )


def _refundable(lease: Lease, status: int, now: int) -> int:
    if status == CANCELLED:
        return int(lease["deposit"] - lease["refunded"])
    owed = lease["downtime_credit"] + lease["forfeited"]
    if status == ENDED:
        owed += lease["deposit"] - streamed_by(lease, now)
    return int(owed - lease["refunded"])


def _bond_due(lease: Lease, network: int) -> int:
    """Of the bond, less all forfeits but one that was forgiven."""
    kept = lease["forfeited"] + (0 if lease["forfeit_forgiven"] else network)
    return max(0, int(lease["bond"] - kept - lease["bond_returned"]))


def epoch_overlap(lease: Lease, genesis: int, length: int, epoch: int) -> tuple[int, int]:
    """The first second of what an epoch and a lease have in common, and the one after its last."""
    begins = genesis + epoch * length
    return max(begins, lease["start"]), min(begins + length, lease["stop"])


def attested_downtime(overlap: tuple[int, int], uptime_bps: int) -> int:
    """Seconds down of what an epoch and a lease have in common, as a report attests them."""
    return max(0, overlap[1] - overlap[0]) * max(0, FULL_BPS - uptime_bps) // FULL_BPS

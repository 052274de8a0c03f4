"""What can be done with a lease, by whom: said before anything is signed or sent. Pure functions."""

from __future__ import annotations

from assay.chain.leases import Lease, LeaseStatus
from assay.renter.errors import BadInput


def require_own(lease: Lease, wallet: str) -> None:
    """Raises BadInput for a lease of another wallet."""
    if lease.renter.lower() != wallet.lower():
        raise BadInput(
            f"lease {lease.lease_id} is {lease.renter}'s, this wallet is {wallet}; `assay leases` lists yours"
        )


def require_running(lease: Lease, now: float, what: str) -> None:
    """Raises BadInput for a lease whose stream does not run; `what` needs it."""
    if lease.status is LeaseStatus.PENDING:
        raise BadInput(f"lease {lease.lease_id} has not started: `assay rent --lease {lease.lease_id}` starts it")
    if lease.status is not LeaseStatus.ACTIVE:
        raise BadInput(f"lease {lease.lease_id} is {lease.status.name.lower()}: {what} needs one that runs")
    if now >= lease.stop:
        raise BadInput(f"lease {lease.lease_id} has run out: {what} needs one that runs; rent again")


def require_endable(lease: Lease, wallet: str | None) -> None:
    """Raises BadInput for a lease that is over, or that is none of this wallet's; its provider may end it, too."""
    if lease.status in (LeaseStatus.ENDED, LeaseStatus.CANCELLED):
        raise BadInput(f"lease {lease.lease_id} is {lease.status.name.lower()} already")
    if wallet is not None and wallet.lower() != lease.provider.lower():
        require_own(lease, wallet)

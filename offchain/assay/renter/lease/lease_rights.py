"""What can be done with a lease, by whom: said before anything is signed or sent."""

from __future__ import annotations

from assay.chain.contracts.leases import Lease, LeaseStatus
from assay.chain.rpc.client import Chain
from assay.chain.rpc.events import read_events
from assay.renter.errors import BadInput


def require_own(lease: Lease, wallet: str) -> None:
    """Raises BadInput for a lease of another wallet."""
    if lease.renter.lower() != wallet.lower():
        raise BadInput(
            f"lease {lease.lease_id} is {lease.renter}'s, this wallet is {wallet}; `assay leases` lists yours"
        )


def require_refunder(lease: Lease, wallet: str, named: bool) -> None:
    """Raises BadInput for a wallet that is neither the renter nor `named` by it to submit its downtime."""
    if lease.renter.lower() != wallet.lower() and not named:
        raise BadInput(
            f"lease {lease.lease_id} is {lease.renter}'s, which has not named {wallet} to submit its downtime: "
            f"it does so with `assay refunder add {wallet}`"
        )


def require_running(lease: Lease, now: float, what: str) -> None:
    """Raises BadInput for a lease whose stream does not run, or whose renter has left it; `what` needs it."""
    if lease.status is LeaseStatus.PENDING:
        raise BadInput(f"lease {lease.lease_id} has not started: `assay rent --lease {lease.lease_id}` starts it")
    if lease.status is not LeaseStatus.ACTIVE:
        raise BadInput(f"lease {lease.lease_id} is {lease.status.name.lower()}: {what} needs one that runs")
    if now >= lease.stop:
        raise BadInput(f"lease {lease.lease_id} has run out: {what} needs one that runs; rent again")
    if lease.left_early:
        raise BadInput(
            f"lease {lease.lease_id} was left early and is paid to its minimum: {what} needs one that runs; rent again"
        )


def require_endable(lease: Lease, wallet: str | None) -> None:
    """Raises BadInput for a lease that is over, or that is none of this wallet's; its provider may end it, too."""
    if lease.status in (LeaseStatus.ENDED, LeaseStatus.CANCELLED):
        raise BadInput(f"lease {lease.lease_id} is {lease.status.name.lower()} already")
    if wallet is not None and wallet.lower() != lease.provider.lower():
        require_own(lease, wallet)


def require_leavable(lease: Lease, free: bool, moment: str) -> None:
    """Raises BadInput for a lease that its renter has left early and is not free of as yet; `moment` is when it stops,
    as people read it."""
    if lease.left_early and not free:
        raise BadInput(
            f"lease {lease.lease_id} was left early: its minimum is paid until {moment}; `assay keep {lease.lease_id}` "
            "claims downtime until then, and ends it at once where that sets it free"
        )


async def named_refunders(chain: Chain, renter: str) -> list[str]:
    """Whom a renter has named to submit its leases' downtime."""
    block = await chain.finalised()
    named = await read_events(
        chain, "LeaseEscrow", ["RefunderNamed"], chain.deployment.block, block, where={"renter": [renter]}
    )
    may = {event.args["agent"]: event.args["may"] for event in named}
    return sorted(agent for agent, allowed in may.items() if allowed)

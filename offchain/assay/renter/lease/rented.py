"""What a renting begins with and what comes of it."""

from __future__ import annotations

from dataclasses import dataclass

from assay.chain.contracts.leases import Lease
from assay.protocol.messages import Offer
from assay.renter.errors import BadInput
from assay.renter.lease.lease_start import HandoverResult
from assay.renter.lease.steps import Step
from assay.renter.market.listing import Listing
from assay.renter.money.wallet import Done, LeaseOpening, Minima


@dataclass(frozen=True)
class Rented:
    """A lease that runs and its offer, how it came to, and what each step took; `proof` is
    None where it had convinced before."""

    lease: Lease
    offer: Offer
    proof: HandoverResult | None
    transactions: tuple[Done, ...]
    steps: tuple[Step, ...]


def opening_of(listing: Listing, deposit: int, minima: Minima) -> LeaseOpening:
    """What opens a lease on a listing. Raises BadInput for a market's claim that was not checked."""
    if listing.evidence is None:
        raise BadInput(f"the offer of {listing.name} is a market's claim: take it from `listing` or a verified search")
    return LeaseOpening(listing.evidence, deposit, minima)

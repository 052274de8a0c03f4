"""The offer of a lease, which says whose devices it has: the escrow keeps its hash only."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from assay.chain.contracts.leases import Lease
from assay.protocol.leases import stored_offer_hash
from assay.protocol.messages import Offer
from assay.provider.errors import NotFound
from assay.provider.leasing.lease_book import LeaseBook

ReadOffer = Callable[[Lease], Awaitable[Offer]]


class LeaseOffers:
    """Offers by lease: as kept here since the lease was first asked about, else from the log of its opening, checked
    against the hash.
    """

    def __init__(self, book: LeaseBook, read: ReadOffer, provider: str) -> None:
        self._book = book
        self._read = read
        self._provider = provider

    async def of(self, lease: Lease) -> Offer:
        """The lease's offer. Raises NotFound for another provider's lease and for one cancelled unseen, ChainError."""
        if lease.provider.lower() != self._provider.lower():
            raise NotFound(f"lease {lease.lease_id} is not one of {self._provider}, the provider served here")
        kept = self._book.offer(lease.lease_id)
        cancelled = not lease.opened_block  # then the escrow has forgotten the hash
        if kept is not None and (cancelled or stored_offer_hash(kept.struct_hash()) == lease.offer_hash):
            return kept
        if cancelled:
            raise NotFound(f"lease {lease.lease_id} is {lease.status.name.lower()} and was never handed over here")
        offer = await self._read(lease)
        self._book.keep_offer(lease.lease_id, offer)
        return offer

"""The offer that a lease was opened on, held to what the escrow keeps of it: from here, else from the chain's log."""

from __future__ import annotations

from assay.chain.contracts.leases import Lease, read_offer
from assay.chain.rpc.client import Chain
from assay.protocol.leases import stored_offer_hash
from assay.protocol.messages import Offer
from assay.renter.errors import BadInput
from assay.renter.lease.lease_files import LeaseFile, LeaseFiles


def stands_for(offer: Offer, lease: Lease) -> bool:
    """Whether the escrow holds the lease to this offer. After a reorganisation of the chain
    its number may be another lease's."""
    return stored_offer_hash(offer.struct_hash()) == lease.offer_hash


class OpenedOffers:
    """What the escrow's functions ask for again; kept in the lease's file once known."""

    def __init__(self, chain: Chain, files: LeaseFiles) -> None:
        self._chain = chain
        self._files = files

    async def file_of(self, lease: Lease) -> LeaseFile:
        """The lease's file, begun where there is none or one of another lease of this number. Raises BadInput for a
        cancelled lease that nothing is known of here, ChainError where the node has no log of it."""
        kept = self._files.read(lease.lease_id)
        if kept is not None and (lease.opened_block == 0 or stands_for(kept.offer, lease)):
            return kept
        if lease.opened_block == 0:
            raise BadInput(f"lease {lease.lease_id} is {lease.status.name.lower()}: the escrow keeps no offer of it")
        begun = LeaseFile(lease.lease_id, await read_offer(self._chain, lease))
        self._files.write(begun)
        return begun

    async def of(self, lease: Lease) -> Offer:
        """The lease's offer. Raises as `file_of`."""
        return (await self.file_of(lease)).offer

    def opened(self, lease: Lease, offer: Offer) -> None:
        """Keeps the offer that was sent to open a lease. Raises BadInput where the lease stands on another one."""
        if not stands_for(offer, lease):
            raise BadInput(
                f"lease {lease.lease_id} stands on another offer than the one that was sent to open it: the chain was "
                "reorganised meanwhile; `assay leases` lists yours"
            )
        kept = self._files.read(lease.lease_id)
        if kept is None or kept.offer != offer:
            self._files.write(LeaseFile(lease.lease_id, offer))

    def note(self, kept: LeaseFile) -> None:
        """Writes what is known of a lease over what was."""
        self._files.write(kept)

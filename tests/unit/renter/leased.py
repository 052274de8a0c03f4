"""A lease of one device that runs, and a node's offer: what the renter's tests begin from."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from assay.chain.contracts.leases import Lease, LeaseStatus
from assay.protocol.hexadecimal import ZERO_ADDRESS, parse_address
from assay.protocol.leases import stored_offer_hash
from assay.protocol.messages import Offer

RENTER, PROVIDER, STRANGER = (parse_address("0x" + byte * 20) for byte in ("aa", "bb", "cc"))
TOKEN = "0x" + "33" * 20
ONE, TWO = bytes([1]) * 32, bytes([2]) * 32
# A base unit a second.
OFFER = Offer(PROVIDER, ZERO_ADDRESS, (ONE,), TOKEN, 10**18, 60, 5000, 9_999, 1, ZERO_ADDRESS, 0)
NODE = replace(OFFER, device_ids=(ONE, TWO), rate=2 * 10**18)
LEASE = Lease(
    lease_id=7, renter=RENTER, provider=PROVIDER, offer_hash=stored_offer_hash(OFFER.struct_hash()), opened_block=5,
    token=TOKEN, status=LeaseStatus.ACTIVE, rate=10**18, start=1000, stop=2000, min_duration=60, max_duration=5000,
    notice=0, notice_at=0, devices=1, deposit=1000, bond=60, claimed=0, refunded=0, downtime_refund=0, downtime=0,
    forfeited=0, forfeitable=0, bond_returned=False, fee_bps=0, left_early=False,
)  # fmt: skip


def leased(**changes: Any) -> Lease:
    """LEASE with some of it changed."""
    return replace(LEASE, **changes)


def of_offer(offer: Offer, **changes: Any) -> Lease:
    """LEASE as it stands on an offer."""
    return replace(
        LEASE,
        offer_hash=stored_offer_hash(offer.struct_hash()),
        rate=offer.rate,
        devices=len(offer.device_ids),
        min_duration=offer.min_duration,
        max_duration=offer.max_duration,
        notice=offer.notice,
        **changes,
    )

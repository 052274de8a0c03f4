"""Leases as the escrow holds them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from assay.chain.client import At, Chain


class LeaseStatus(IntEnum):
    """As in ILeaseEscrow."""

    NONE = 0
    PENDING = 1
    ACTIVE = 2
    ENDED = 3
    CANCELLED = 4


@dataclass(frozen=True, slots=True)
class Lease:
    """Amounts in base units of `token`, `rate` in base units × 10¹⁸ a second, times in seconds.

    `downtime` is what was attested and claimed so far, `next_epoch` the first whose downtime may still be claimed.
    """

    lease_id: int
    renter: str
    provider: str
    device_id: bytes
    token: str
    status: LeaseStatus
    rate: int
    opened_at: int
    start: int
    stop: int
    min_duration: int
    max_duration: int
    deposit: int
    bond: int
    claimed: int
    refunded: int
    downtime_refund: int
    ended_at: int = 0
    forfeited: int = 0
    downtime: int = 0
    next_epoch: int = 0


async def read_lease(chain: Chain, lease_id: int, at: At = None) -> Lease:
    """One lease; status NONE for an unknown id."""
    row = await chain.call("LeaseEscrow", "lease", lease_id, at=at)
    return Lease(
        lease_id, row.renter, row.provider, bytes(row.deviceId), row.token, LeaseStatus(row.status), row.rate,
        row.openedAt, row.start, row.stop, row.minDuration, row.maxDuration, row.deposit, row.bond,
        row.claimed, row.refunded, row.downtimeRefund, row.endedAt, row.forfeited, row.downtime, row.nextEpoch,
    )  # fmt: skip


async def active_lease(chain: Chain, device_id: bytes, at: At = None) -> int:
    """Id of the device's active lease, 0 without one."""
    lease_id: int = await chain.call("LeaseEscrow", "activeLease", device_id, at=at)
    return lease_id


async def nonce_floor(chain: Chain, device_id: bytes, at: At = None) -> int:
    """Offers for the device with a nonce below this are cancelled."""
    floor: int = await chain.call("LeaseEscrow", "nonceFloor", device_id, at=at)
    return floor

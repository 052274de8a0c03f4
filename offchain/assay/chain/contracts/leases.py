"""Leases as the escrow holds them, and the offers they were opened on."""

from __future__ import annotations

from dataclasses import astuple, dataclass
from enum import IntEnum
from typing import Any

from assay.chain.errors import ChainError
from assay.chain.rpc.client import At, Chain
from assay.chain.rpc.events import read_events
from assay.protocol.encoding import EncodingError
from assay.protocol.hexadecimal import parse_address
from assay.protocol.leases import stored_offer_hash
from assay.protocol.messages import Offer
from assay.protocol.types import DeviceId

ESCROW = "LeaseEscrow"


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

    Which devices a lease has stands in its offer (`read_offer`), of which the escrow keeps the first 27 bytes of the
    hash and the block it was opened in; a cancelled lease has neither. `rate`, `notice`, `devices` and `bond` are 0
    until the start. `stop` is when the stream ends or ended. `notice_at` is when notice was given, 0 without.
    `downtime` is what was attested and submitted so far, in seconds. `forfeited` goes to the renter out of the bond,
    `forfeitable` to the network. `left_early`: the renter ended before the minimum, and pays on to it.
    """

    lease_id: int
    renter: str
    provider: str
    offer_hash: bytes
    opened_block: int
    token: str
    status: LeaseStatus
    rate: int
    start: int
    stop: int
    min_duration: int
    max_duration: int
    notice: int
    notice_at: int
    devices: int
    deposit: int
    bond: int
    claimed: int
    refunded: int
    downtime_refund: int
    downtime: int
    forfeited: int
    forfeitable: int
    bond_returned: bool
    fee_bps: int
    left_early: bool


async def read_lease(chain: Chain, lease_id: int, at: At = None) -> Lease:
    """One lease; status NONE for an unknown id."""
    row = await chain.call(ESCROW, "lease", lease_id, at=at)
    return Lease(
        lease_id, row.renter, row.provider, bytes(row.offerHash), row.openedBlock, row.token, LeaseStatus(row.status),
        row.rate, row.start, row.stop, row.minDuration, row.maxDuration, row.notice, row.noticeAt, row.devices,
        row.deposit, row.bond, row.claimed, row.refunded, row.downtimeRefund, row.downtime, row.forfeited,
        row.forfeitable, row.bondReturned, row.feeBps, row.leftEarly,
    )  # fmt: skip


async def read_offer(chain: Chain, lease: Lease) -> Offer:
    """The offer that a lease was opened on, from the log of the block that opened it, checked against the lease's hash.

    Raises ChainError for a lease that the escrow keeps no offer of (unknown or cancelled), and where the node shows no
    log or another offer; BlockGone where a reorganisation took the block.
    """
    if lease.opened_block == 0:
        raise ChainError(f"lease {lease.lease_id} is {lease.status.name.lower()}: the escrow keeps no offer of it")
    block = await chain.block(lease.opened_block)
    for event in await read_events(
        chain, ESCROW, ("LeaseOpened",), block.number, block, where={"leaseId": [lease.lease_id]}
    ):
        offer = offer_of_log(event.args["offer"])
        if stored_offer_hash(offer.struct_hash()) != lease.offer_hash:
            raise ChainError(
                f"block {block.number} opens lease {lease.lease_id} on an offer with the hash "
                f"0x{stored_offer_hash(offer.struct_hash()).hex()}, the escrow holds 0x{lease.offer_hash.hex()}: "
                "the node's data is false, name another with --rpc"
            )
        return offer
    raise ChainError(
        f"block {block.number} has no LeaseOpened log of lease {lease.lease_id}: "
        "the node lacks logs of that time, name another with --rpc"
    )


async def find_offer(chain: Chain, lease_id: int, at: At = None) -> tuple[Lease, Offer | None]:
    """A lease with its offer; without one where the lease is unknown or cancelled. Raises as `read_offer`."""
    lease = await read_lease(chain, lease_id, at)
    return lease, await read_offer(chain, lease) if lease.opened_block else None


def offer_of_log(fields: Any) -> Offer:
    """The offer in a LeaseOpened log's `offer`. Raises ChainError for fields that are none."""
    try:
        return Offer(
            provider=parse_address(fields["provider"]),
            operator=parse_address(fields["operator"]),
            device_ids=tuple(DeviceId(bytes(device_id)) for device_id in fields["deviceIds"]),
            token=parse_address(fields["token"]),
            rate=fields["rate"],
            min_duration=fields["minDuration"],
            max_duration=fields["maxDuration"],
            valid_until=fields["validUntil"],
            nonce=fields["nonce"],
            renter=parse_address(fields["renter"]),
            notice=fields["notice"],
        )
    except (LookupError, TypeError, ValueError) as error:
        raise ChainError(f"a LeaseOpened log holds no offer: {str(error)[:200]}") from None


def offer_argument(offer: Offer) -> tuple[Any, ...]:
    """An offer as the escrow's functions take it: fields in the order of the contract's struct. Raises ChainError for
    values off their types.
    """
    try:
        offer.struct_hash()
    except EncodingError as error:
        raise ChainError(f"no offer to send: {error}") from None
    return astuple(offer)


async def active_lease(chain: Chain, device_id: DeviceId, at: At = None) -> int:
    """Id of the device's active lease, 0 without one."""
    lease_id: int = await chain.call(ESCROW, "activeLease", device_id, at=at)
    return lease_id


async def nonce_floor(chain: Chain, device_id: DeviceId, signer: str, at: At = None) -> int:
    """Offers for the device with a nonce below this that `signer` (the provider, or an operator) signed are cancelled.
    The highest floor of any of an offer's devices counts.
    """
    floor: int = await chain.call(ESCROW, "nonceFloor", device_id, signer, at=at)
    return floor

"""Whether the escrow would take an offer now: what no signature and no report says, but the chain does."""

from __future__ import annotations

import asyncio

from assay.chain.contracts.devices import DeviceStatus
from assay.chain.contracts.leases import active_lease, nonce_floor, read_lease
from assay.chain.contracts.operators import OperatorScope, may_act
from assay.chain.rpc.client import At, Chain
from assay.protocol.hexadecimal import ZERO_ADDRESS, to_hex
from assay.protocol.messages import Offer
from assay.protocol.types import DeviceId

ESCROW, REGISTRY = "LeaseEscrow", "DeviceRegistry"


async def offer_fault(chain: Chain, offer: Offer, at: At = "latest") -> str | None:
    """Why `open` or `start` would refuse the offer at a block, whoever opens it; None where neither would.

    The token must be listed, the operator still hold its appointment, every device be active, the provider's and free,
    and the nonce stand at or above what its signer has cancelled for any of them.
    """
    if not await chain.call(ESCROW, "tokenAllowed", offer.token, at=at):
        return f"the escrow takes no new leases in {offer.token}"
    if offer.operator != ZERO_ADDRESS and not await may_act(
        chain, offer.provider, offer.operator, OperatorScope.OFFER, at
    ):
        return f"{offer.operator} signed it, which {offer.provider} has not appointed to make offers, or not any more"
    faults = await asyncio.gather(*(_device_fault(chain, offer, device_id, at) for device_id in offer.device_ids))
    return next((fault for fault in faults if fault is not None), None)


async def _device_fault(chain: Chain, offer: Offer, device_id: DeviceId, at: At) -> str | None:
    entry, floor, lease = await asyncio.gather(
        chain.call(REGISTRY, "device", device_id, at=at),
        nonce_floor(chain, device_id, offer.signer, at),
        active_lease(chain, device_id, at),
    )
    name, status = to_hex(device_id), DeviceStatus(entry.status)
    if entry.provider != offer.provider:
        return f"device {name} is {entry.provider}'s, not {offer.provider}'s"
    if status is not DeviceStatus.ACTIVE:
        return f"the registry has device {name} as {status.name.lower()}"
    if offer.nonce < floor:
        return f"it was cancelled: its nonce {offer.nonce} is below {floor}, the floor of device {name}"
    # A lease whose renter has left early makes room for the next.
    free = lease == 0 or (await read_lease(chain, lease, at)).left_early
    return None if free else f"device {name} is leased: lease {lease} is active"

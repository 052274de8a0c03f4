"""Which devices are free: not leased, or by a lease that letting them again ends."""

from __future__ import annotations

from collections.abc import Iterable

from assay.chain.contracts.leases import Lease, active_lease, read_lease
from assay.chain.errors import Reverted
from assay.chain.rpc.client import At, Chain
from assay.protocol.hexadecimal import to_hex
from assay.protocol.types import DeviceId
from assay.provider.errors import Conflict


async def holding_lease(chain: Chain, device_id: DeviceId, at: At = None) -> Lease | None:
    """The lease that keeps a device from being let: none where the device is free, and where its renter has left early,
    for the start of another lease ends that one, but not in a way that forfeits a bond. Raises ChainError.
    """
    lease_id = await active_lease(chain, device_id, at)
    if not lease_id:
        return None
    lease = await read_lease(chain, lease_id, at)
    return None if lease.left_early and not lease.forfeitable else lease


async def why_not_free(chain: Chain, device_ids: Iterable[DeviceId], at: At = None) -> str | None:
    """Which device of several is leased, and until when; None where all can be let. Raises ChainError."""
    for device_id in device_ids:
        if lease := await holding_lease(chain, device_id, at):
            return f"device {to_hex(device_id)} is leased until {lease.stop} (lease {lease.lease_id})"
    return None


async def why_not_leasable(chain: Chain, provider: str, device_ids: tuple[DeviceId, ...], at: At = None) -> str | None:
    """Why the registry would let nobody lease these devices together; None where it would. Raises ChainError."""
    try:
        await chain.call("DeviceRegistry", "checkLeasable", provider, list(device_ids), at=at)
    except Reverted as refusal:
        return str(refusal)
    return None


async def require_free(chain: Chain, provider: str, device_ids: tuple[DeviceId, ...]) -> None:
    """Raises Conflict unless all of the devices can be leased now, at the final block and at the head."""
    for at in (None, "latest"):
        found = await why_not_leasable(chain, provider, device_ids, at) or await why_not_free(chain, device_ids, at)
        if found:
            raise Conflict(found)

"""What a provider can order of its leases and devices, each looked at before anything is signed."""

from __future__ import annotations

from dataclasses import dataclass

from assay.chain.contracts.leases import Lease, LeaseStatus, active_lease, read_lease
from assay.chain.rpc.client import ContractCall
from assay.protocol.hexadecimal import to_hex
from assay.protocol.types import DeviceId
from assay.provider.account.authority import Authority
from assay.provider.errors import Conflict, NotFound
from assay.provider.leasing.lease_rules import ends_from

ESCROW = "LeaseEscrow"


@dataclass(frozen=True)
class LeaseOrder:
    """A call, and what it brings about in words; `forfeits` is what of its bond is lost by it, base units."""

    call: ContractCall
    effect: str
    lease: Lease | None = None
    forfeits: int = 0


async def own_lease(authority: Authority, lease_id: int) -> Lease:
    """A lease with this provider, as it stands at the head. Raises NotFound for any other."""
    lease = await read_lease(authority.chain, lease_id, "latest")
    if lease.status is LeaseStatus.NONE:
        raise NotFound(f"there is no lease {lease_id}")
    if lease.provider.lower() != authority.provider.lower():
        raise NotFound(f"lease {lease_id} is with {lease.provider}, not with {authority.provider}")
    return lease


async def notice(authority: Authority, lease_id: int) -> LeaseOrder:
    """Gives notice of a lease. Raises Conflict where its offer had none, where it is given, and where nothing runs."""
    lease = await own_lease(authority, lease_id)
    _require_active(lease)
    if not lease.notice:
        raise Conflict(f"lease {lease_id} was offered without a notice: only its end takes the devices back")
    if lease.notice_at:
        raise Conflict(f"notice of lease {lease_id} was given at {lease.notice_at}: it can end from {ends_from(lease)}")
    effect = f"its renter may leave free at once, and in {lease.notice} s the daemon ends it; this cannot be taken back"
    return LeaseOrder(ContractCall(ESCROW, "giveNotice", (lease_id,)), effect, lease)


async def release(authority: Authority, lease_id: int) -> LeaseOrder:
    """Frees the devices of a lease that its renter has left early. Raises Conflict for any other."""
    lease = await own_lease(authority, lease_id)
    now = (await authority.chain.head()).timestamp
    if not lease.left_early or now >= lease.stop:
        state = "over" if lease.left_early else lease.status.name.lower()
        raise Conflict(f"lease {lease_id} is {state}: only one that its renter has left early can be released")
    effect = f"its stream ends now instead of at {lease.stop}, and its devices are free"
    return LeaseOrder(ContractCall(ESCROW, "release", (lease_id,)), effect, lease)


async def end(authority: Authority, lease_id: int) -> LeaseOrder:
    """Ends a lease now. Raises Conflict where nothing runs, and for an operator where a bond would be forfeited."""
    lease = await own_lease(authority, lease_id)
    _require_active(lease)
    now = (await authority.chain.head()).timestamp
    most = int(await authority.chain.call(ESCROW, "maxDowntime", at="latest"))
    # Beyond the most downtime the bond is forfeited to the network as it is, and no longer to the renter.
    forfeits = lease.forfeitable if lease.downtime > most else unserved(lease, now)
    if forfeits and authority.is_operator:
        raise Conflict(
            f"ending lease {lease_id} before {lease.start + lease.min_duration} would forfeit {forfeits} base units of "
            "its bond, which an operator cannot do: give notice where the offer has one, or let the provider end it"
        )
    return LeaseOrder(ContractCall(ESCROW, "end", (lease_id,)), "its stream ends now", lease, forfeits)


async def retirement(authority: Authority, device_id: DeviceId) -> LeaseOrder:
    """Takes a device off the market for ever. Raises Conflict while it is leased, and for one that is not active."""
    chain, name = authority.chain, to_hex(device_id)
    if lease_id := await active_lease(chain, device_id, "latest"):
        lease = await read_lease(chain, lease_id, "latest")
        way = "`assay provider release` frees it at once" if lease.left_early else "retire it then"
        raise Conflict(f"device {name} is leased until {lease.stop} (lease {lease_id}): {way}")
    row = await chain.call("DeviceRegistry", "device", device_id, at="latest")
    if row.status != 1:
        state = ("not enrolled", "active", "retired already", "slashed")[row.status]
        raise Conflict(f"device {name} is {state}")
    effect = "it takes no more leases and earns nothing more; its stake comes free when nothing of it can be proven"
    return LeaseOrder(ContractCall("DeviceRegistry", "retire", (device_id,)), effect)


def unserved(lease: Lease, now: int) -> int:
    """What of the bond the renter gets where the provider ends the lease now, base units, rounded up."""
    served = now - lease.start
    until = ends_from(lease)
    if served >= lease.min_duration or (until is not None and now >= until):
        return 0
    return -(-lease.bond * (lease.min_duration - served) // lease.min_duration)


def _require_active(lease: Lease) -> None:
    if lease.status is not LeaseStatus.ACTIVE:
        raise Conflict(f"lease {lease.lease_id} is {lease.status.name.lower()}: it must be active")
    if lease.left_early:
        raise Conflict(f"the renter of lease {lease.lease_id} has left early: `assay provider release` ends it")

"""What a provider has on the chain: devices, stake, leases, money."""

from __future__ import annotations

from typing import Any

from assay.chain.client import Chain
from assay.chain.devices import DeviceDirectory
from assay.chain.events import read_events
from assay.chain.leases import active_lease, nonce_floor, read_lease
from assay.protocol.hexadecimal import to_hex

ESCROW = "LeaseEscrow"


async def devices_of(chain: Chain, provider: str) -> list[dict[str, Any]]:
    """Devices of a provider with their lease, ascending by id."""
    rows = []
    for device in (await DeviceDirectory(chain).refresh()).values():
        if device.provider.lower() != provider.lower():
            continue
        rows.append(
            {
                "deviceId": to_hex(device.device_id),
                "status": device.status.name.lower(),
                "profile": device.profile_id,
                "endpoint": device.endpoint,
                "lease": await active_lease(chain, device.device_id) or None,
                "offerNonceFloor": await nonce_floor(chain, device.device_id),
            }
        )
    return rows


async def leases_of(chain: Chain, provider: str) -> list[int]:
    """Numbers of all leases with a provider, oldest first."""
    final = await chain.finalised()
    opened = await read_events(chain, ESCROW, ["LeaseOpened"], chain.deployment.block, final)
    return [e.args["leaseId"] for e in opened if e.args["provider"].lower() == provider.lower()]


async def earnings_of(chain: Chain, provider: str) -> dict[str, Any]:
    """Rent by token in base units as text, and stake: what was claimed, can be, and is held."""
    tokens: dict[str, dict[str, int]] = {}
    for lease_id in await leases_of(chain, provider):
        lease = await read_lease(chain, lease_id)
        sums = tokens.setdefault(lease.token, {"streamed": 0, "claimed": 0, "claimable": 0, "bonds": 0})
        sums["streamed"] += int(await chain.call(ESCROW, "streamed", lease_id))
        sums["claimed"] += lease.claimed
        sums["claimable"] += int(await chain.call(ESCROW, "claimable", lease_id))
        sums["bonds"] += int(await chain.call(ESCROW, "bondReturnable", lease_id))
    account = await chain.call("StakeManager", "account", provider)
    return {
        "provider": provider,
        "rent": {token: {k: str(v) for k, v in sums.items()} for token, sums in tokens.items()},
        "stake": {"active": str(account.active), "pending": str(account.pending), "reserved": str(account.reserved)},
    }

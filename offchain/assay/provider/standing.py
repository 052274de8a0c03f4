"""What a provider has on the chain: devices, stake, leases, money."""

from __future__ import annotations

from typing import Any

from assay.chain.amounts import show_amount
from assay.chain.client import Chain
from assay.chain.devices import DeviceDirectory
from assay.chain.erc20 import Erc20
from assay.chain.events import read_events
from assay.chain.leases import active_lease, nonce_floor, read_lease
from assay.protocol.hexadecimal import HexadecimalError, parse_bytes32, to_hex
from assay.provider.errors import BadSetting

ESCROW = "LeaseEscrow"
SHORTEST = 8  # characters of an id's beginning


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


def device_named(text: str, rows: list[dict[str, Any]], provider: str) -> bytes:
    """The one of a provider's devices (as `devices_of` has them) that an id or its beginning names.

    Raises BadSetting for none and for several, HexadecimalError for what is no beginning of an id.
    """
    if not text.lower().startswith("0x") or len(text) < SHORTEST:
        raise HexadecimalError(f"device {text[:80]!r}: expected 0x and 64 hex digits, or at least the first 6")
    found = [row["deviceId"] for row in rows if row["deviceId"].startswith(text.lower())]
    if not found:
        raise BadSetting(f"{provider} has no device {text[:80]}; `assay provider list` shows those it has")
    if len(found) > 1:
        raise BadSetting(f"{len(found)} devices begin with {text}: write more of it")
    return parse_bytes32(found[0], "device")


async def in_tokens(chain: Chain, earned: dict[str, Any]) -> dict[str, Any]:
    """What `earnings_of` found, for people: a line for each token, amounts in whole ones."""

    async def shown(token: str, sums: dict[str, str]) -> tuple[str, str]:
        erc20 = Erc20(chain, token)
        decimals, symbol = await erc20.decimals(), await erc20.symbol()
        return symbol, ", ".join(f"{name} {show_amount(int(value), decimals)}" for name, value in sums.items())

    rent = dict([await shown(token, sums) for token, sums in earned["rent"].items()])
    symbol, stake = await shown(chain.deployment.address("NetworkToken"), earned["stake"])
    return {
        "provider": earned["provider"],
        **{f"rent, {name}": text for name, text in rent.items()},
        f"stake, {symbol}": stake,
    }


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

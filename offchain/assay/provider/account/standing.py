"""What a provider has on the chain: devices, stake, leases, operators, money."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any

from assay.chain.contracts.amounts import amount_text
from assay.chain.contracts.devices import DeviceDirectory
from assay.chain.contracts.erc20 import Erc20
from assay.chain.contracts.leases import active_lease, nonce_floor, read_lease
from assay.chain.contracts.operators import payout_of, read_bond_credit, read_operator
from assay.chain.rpc.client import Chain
from assay.chain.rpc.events import read_events
from assay.protocol.hexadecimal import HexadecimalError, parse_bytes32, to_hex
from assay.protocol.specification import DeclaredHost
from assay.protocol.types import DeviceId
from assay.provider.account.authority import NOTHING, Authority, scope_names
from assay.provider.devices.specifications import Specifications
from assay.provider.errors import BadProviderSetting

ESCROW = "LeaseEscrow"
SHORTEST = 8  # characters of an id's beginning


async def devices_of(authority: Authority, kept: Specifications | None = None) -> list[dict[str, Any]]:
    """Devices of a provider with their lease, ascending by id; the floor is that of what the key at hand signs. `kept`
    tells which part of its host each declares."""
    rows = []
    chain = authority.chain
    for device in (await DeviceDirectory(chain).refresh()).values():
        if device.provider.lower() != authority.provider.lower():
            continue
        lease_id = await active_lease(chain, device.device_id)
        lease = await read_lease(chain, lease_id) if lease_id else None
        document = (kept.of_device(device.device_id, device.spec_hash) if kept else None) or {}
        host = DeclaredHost.parse(document.get("host"))
        rows.append(
            {
                "deviceId": to_hex(device.device_id),
                "status": device.status.name.lower(),
                "profile": device.profile_id,
                "endpoint": device.endpoint,
                "host": host.to_json() if host else None,
                "lease": lease_id or None,
                "leasedUntil": lease.stop if lease else None,
                "leftEarly": lease.left_early if lease else False,
                "offerNonceFloor": await nonce_floor(chain, device.device_id, authority.signer),
            }
        )
    return rows


def device_named(text: str, rows: list[dict[str, Any]], provider: str) -> DeviceId:
    """The one of a provider's devices (as `devices_of` has them) that an id or its beginning names.

    Raises BadSetting for none and for several, HexadecimalError for what is no beginning of an id.
    """
    if not text.lower().startswith("0x") or len(text) < SHORTEST:
        raise HexadecimalError(f"device {text[:80]!r}: expected 0x and 64 hex digits, or at least the first 6")
    found = [row["deviceId"] for row in rows if row["deviceId"].startswith(text.lower())]
    if not found:
        raise BadProviderSetting(f"{provider} has no device {text[:80]}; `assay provider list` shows those it has")
    if len(found) > 1:
        raise BadProviderSetting(f"{len(found)} devices begin with {text}: write more of it")
    return DeviceId(parse_bytes32(found[0], "device"))


async def operators_of(chain: Chain, provider: str) -> list[dict[str, Any]]:
    """Everybody whom a provider ever appointed, as it stands at the final block; `valid` while it may act."""
    final = await chain.finalised()
    events = await read_events(
        chain, "DeviceRegistry", ["OperatorSet"], chain.deployment.block, final, where={"provider": [provider]}
    )
    own = dict.fromkeys(event.args["operator"] for event in events)
    rows = []
    for address in own:
        operator = await read_operator(chain, provider, address, final)
        valid = operator.scopes != NOTHING and operator.until >= max(final.timestamp, int(time.time()))
        rows.append(
            {"operator": address, "scopes": scope_names(operator.scopes), "until": operator.until, "valid": valid}
        )
    return rows


async def credit_of(chain: Chain, provider: str, tokens: Iterable[str] = ()) -> list[dict[str, Any]]:
    """The bond credit in these tokens and in every one that the provider ever put aside, base units as text."""
    final = await chain.finalised()
    names = ["BondCreditFilled", "BondLimitSet"]
    events = await read_events(chain, ESCROW, names, chain.deployment.block, final, where={"provider": [provider]})
    own = [event.args["token"] for event in events]
    rows = []
    for token in dict.fromkeys([*tokens, *own]):
        credit = await read_bond_credit(chain, provider, token, final)
        rows.append(
            {
                "token": token,
                "amount": str(credit.amount),
                "perDay": str(credit.per_day),
                "leftToday": str(credit.left_today),
            }
        )
    return rows


async def in_tokens(chain: Chain, earned: dict[str, Any]) -> dict[str, Any]:
    """What `earnings_of` found, for people: a line for each token, amounts in whole ones."""

    async def shown(what: str, token: str, sums: dict[str, str]) -> None:
        erc20 = Erc20(chain, token)
        decimals, symbol = await erc20.decimals(), await erc20.symbol()
        line = f"{what}, {symbol}"
        # Anybody may give a token any symbol: one that stands here already must not hide the other's line.
        lines[line if line not in lines else f"{line} {token}"] = ", ".join(
            f"{name} {amount_text(int(value), decimals)}" for name, value in sums.items()
        )

    lines = {"provider": earned["provider"], "paid out to": earned["payout"]}
    for token, sums in earned["rent"].items():
        await shown("rent", token, sums)
    for token, sums in earned["bondCredit"].items():
        await shown("bond credit", token, sums)
    await shown("stake", chain.deployment.address("NetworkToken"), earned["stake"])
    return lines


async def leases_of(chain: Chain, provider: str) -> list[int]:
    """Numbers of all leases with a provider, oldest first."""
    final = await chain.finalised()
    opened = await read_events(
        chain, ESCROW, ["LeaseOpened"], chain.deployment.block, final, where={"provider": [provider]}
    )
    return [event.args["leaseId"] for event in opened]


async def earnings_of(chain: Chain, provider: str) -> dict[str, Any]:
    """Rent by token in base units as text, bond credit, and stake: what was claimed, can be, and is held. `forfeited`
    is what bonds have lost or, by what is attested so far, will lose.
    """
    tokens: dict[str, dict[str, int]] = {}
    for lease_id in await leases_of(chain, provider):
        lease = await read_lease(chain, lease_id)
        sums = tokens.setdefault(lease.token, {"streamed": 0, "claimed": 0, "claimable": 0, "bonds": 0, "forfeited": 0})
        sums["streamed"] += int(await chain.call(ESCROW, "streamed", lease_id))
        sums["claimed"] += lease.claimed
        sums["claimable"] += int(await chain.call(ESCROW, "claimable", lease_id))
        sums["bonds"] += int(await chain.call(ESCROW, "bondReturnable", lease_id))
        sums["forfeited"] += lease.forfeited + lease.forfeitable
    account = await chain.call("StakeManager", "account", provider)
    credit = await credit_of(chain, provider)
    return {
        "provider": provider,
        "payout": await payout_of(chain, provider),
        "rent": {token: {k: str(v) for k, v in sums.items()} for token, sums in tokens.items()},
        "bondCredit": {row.pop("token"): row for row in credit},
        "stake": {"active": str(account.active), "pending": str(account.pending), "reserved": str(account.reserved)},
    }

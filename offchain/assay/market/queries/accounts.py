"""Accounts, and what a text names."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, func, select

from assay.market.queries.pages import one
from assay.market.queries.providers import appointments_of, credits_of, operators_of, payout_of
from assay.market.store.tables import (
    devices,
    faults,
    leases,
    listings,
    measurements,
    providers,
    rewards,
    stakes,
    validators,
)


def read_account(connection: Connection, address: str, now: int) -> dict[str, Any]:
    """Stake, roles and sums of an account at `now`; zeros for one that never took part."""
    stake = one(connection, stakes, account=address)
    latest = (
        connection.execute(
            select(rewards).where(rewards.c.account == address).order_by(rewards.c.epoch.desc()).limit(1)
        )
        .mappings()
        .first()
    )

    def counted(table: Any, column: Any) -> int:
        query = select(func.count()).select_from(table).where(column == address)
        return int(connection.execute(query).scalar_one())

    return {
        "account": address,
        "stake": stake,
        "devices": counted(devices, devices.c.provider),
        "validator": one(connection, validators, account=address),
        "leases_as_renter": counted(leases, leases.c.renter),
        "leases_as_provider": counted(leases, leases.c.provider),
        "faults": counted(faults, faults.c.account),
        "proofs": counted(faults, faults.c.reporter),
        "rewards": dict(latest) if latest else None,
        "operators": operators_of(connection, address),
        "acts_for": appointments_of(connection, address),
        "payout": payout_of(connection, address),
        "credits": credits_of(connection, address, now),
        "history": one(connection, providers, provider=address),
    }


def what_is(connection: Connection, text: str) -> str | None:
    """The page of whatever a text names: a device, a node, a transaction, an account, a lease or an epoch."""
    if text.isascii() and text.isdigit() and len(text) < 19:
        if one(connection, leases, lease_id=int(text)) is not None:
            return f"/leases/{int(text)}"
        return f"/epochs/{int(text)}"
    lowered = text.lower()
    if not lowered.startswith("0x") or any(c not in "0123456789abcdef" for c in lowered[2:]):
        return None
    if len(lowered) == 66:
        value = bytes.fromhex(lowered[2:])
        if one(connection, devices, device_id=value) is not None:
            return f"/devices/{lowered}"
        if one(connection, listings, listing_id=value) is not None:
            return f"/nodes/{lowered}"
        known = connection.execute(
            select(measurements.c.epoch).where(measurements.c.device_id == value).limit(1)
        ).first()
        return f"/devices/{lowered}" if known else f"/transactions/{lowered}"
    return f"/accounts/{lowered}" if len(lowered) == 42 else None

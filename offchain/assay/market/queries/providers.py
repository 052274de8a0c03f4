"""What providers let others do for them and have put aside for it, what they earn, and their prices beside others'."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, func, select

from assay.market.projection.lease_money import ACTIVE, EscrowTerms
from assay.market.projection.providers import left_of_limit
from assay.market.queries.leases import standing
from assay.market.queries.pages import many, one
from assay.market.store.tables import bond_credits, devices, leases, listings, measurements, operators, payouts
from assay.protocol.leaves import Flag

MAX_PROVIDERS = 100
UTILISATION_EPOCHS = 30


def operators_of(connection: Connection, provider: str) -> list[Mapping[str, Any]]:
    """Whom a provider has appointed, those revoked or run out too."""
    return _appointments(connection, operators.c.provider == provider)


def appointments_of(connection: Connection, operator: str) -> list[Mapping[str, Any]]:
    """For whom an operator acts, or did."""
    return _appointments(connection, operators.c.operator == operator)


def _appointments(connection: Connection, condition: ColumnElement[bool]) -> list[Mapping[str, Any]]:
    query = select(operators).where(condition).order_by(operators.c.until.desc(), operators.c.provider)
    return many(connection, query.order_by(operators.c.operator).limit(MAX_PROVIDERS))


def payout_of(connection: Connection, provider: str) -> str:
    """Where what a provider's operators claim is paid to."""
    row = one(connection, payouts, provider=provider)
    return str((row["payout"] if row else None) or provider)


def credits_of(connection: Connection, provider: str, now: int) -> list[dict[str, Any]]:
    """Bond credit of a provider by token, with what operators may take of it now."""
    query = select(bond_credits).where(bond_credits.c.provider == provider).order_by(bond_credits.c.token)
    rows = many(connection, query.limit(MAX_PROVIDERS))
    return [dict(row) | {"left_today": min(row["credit"], left_of_limit(row, now))} for row in rows]


@dataclass(slots=True)
class Rent:
    """A provider's leases in one token, in base units. `streamed` is less the downtime that was credited, and before
    the fee; `claimable` has waited out the holdback.
    """

    token: str
    leases: int = 0
    running: int = 0
    streamed: int = 0
    claimed: int = 0
    claimable: int = 0
    fees: int = 0


def rent_of(connection: Connection, provider: str, terms: EscrowTerms, now: int) -> list[Rent]:
    """What every lease of a provider has brought up to `now`, by token."""
    found: dict[str, Rent] = {}
    for row in many(connection, select(leases).where(leases.c.provider == provider, leases.c.start > 0)):
        lease = standing(row, terms, now)
        rent = found.setdefault(lease["token"], Rent(lease["token"]))
        rent.leases += 1
        rent.running += lease["status"] == ACTIVE
        rent.streamed += max(0, lease["streamed"] - lease["downtime_credit"])
        rent.claimed += lease["claimed"]
        rent.claimable += lease["claimable"]
        rent.fees += lease["fee"]
    return [found[token] for token in sorted(found)]


def utilisation_of(connection: Connection, provider: str) -> int | None:
    """How much of what a provider could lease was leased in the newest epochs, in hundredths of a percent: of its
    devices' measurements that passed or were leased. None where there were none.
    """
    newest = connection.execute(select(func.max(measurements.c.epoch))).scalar() or 0
    own = select(devices.c.device_id).where(devices.c.provider == provider)
    query = (
        select(measurements.c.flags, func.count())
        .where(measurements.c.device_id.in_(own), measurements.c.epoch > newest - UTILISATION_EPOCHS)
        .group_by(measurements.c.flags)
    )
    leased = passed = 0
    for flags, count in connection.execute(query):
        leased += count if flags & Flag.LEASED else 0
        passed += count if flags & Flag.PASSED else 0
    return leased * 10_000 // (leased + passed) if leased + passed else None


def market_rates(connection: Connection, own: Sequence[Mapping[str, Any]]) -> dict[bytes, int]:
    """By listing the median rate of those like it: of the same model, as many devices, in the same token, of others."""
    medians: dict[tuple[Any, ...], int | None] = {}
    found = {}
    for row in own:
        if not row["model"] or row["rate"] is None:
            continue
        kind = (row["model"], row["gpus"], row["token"], row["provider"])
        if kind not in medians:
            medians[kind] = _median(connection, *kind)
        if (median := medians[kind]) is not None:
            found[row["listing_id"]] = median
    return found


def _median(connection: Connection, model: str, gpus: int, token: str, provider: str) -> int | None:
    rates = (
        select(listings.c.rate)
        .where(listings.c.model == model, listings.c.gpus == gpus, listings.c.token == token)
        .where(listings.c.rate.is_not(None), listings.c.provider != provider)
    )
    count = connection.execute(select(func.count()).select_from(rates.subquery())).scalar_one()
    middle = rates.order_by(listings.c.rate).offset(max(0, count - 1) // 2).limit(1)
    return connection.execute(middle).scalar()

"""Leases, accounts, transactions."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from sqlalchemy import Connection

from assay.market.api import models
from assay.market.api.context import Context, UnknownName, context_of
from assay.market.api.parameters import (
    AddressPath,
    AddressQuery,
    Cursor,
    Hash,
    Limit,
    Number,
    checked,
    plain_device,
    plain_hash,
)
from assay.market.queries import accounts, events
from assay.market.queries import leases as lease_queries
from assay.market.store.tables import leases
from assay.wire import market_paths as paths

router = APIRouter(tags=["activity"])
Ctx = Annotated[Context, Depends(context_of)]


@router.get(paths.LEASES, response_model=models.page_of(models.Lease))
def list_leases(
    ctx: Ctx,
    renter: AddressQuery = None,
    provider: AddressQuery = None,
    device: Annotated[str | None, Query(pattern="^0x[0-9a-fA-F]{64}$")] = None,
    status: Annotated[int | None, Query(ge=1, le=4)] = None,
    cursor: Cursor = None,
    limit: Limit = 25,
) -> Any:
    """Leases, newest first. Statuses: 1 pending, 2 active, 3 ended, 4 cancelled."""
    where = []
    if renter:
        where.append(leases.c.renter == checked(renter))
    if provider:
        where.append(leases.c.provider == checked(provider))
    if device:
        where.append(lease_queries.of_device(plain_device(device)))
    with ctx.reading() as connection:
        now = ctx.timestamp
        if status is not None:
            where.append(lease_queries.of_status(status, now))
        return ctx.many(lease_queries.lease_page(connection, where, cursor, limit, ctx.terms, now), models.Lease)


@router.get(paths.LEASE, response_model=models.one_of(models.Lease))
def lease(ctx: Ctx, lease_id: Number) -> Any:
    """One lease, with the offer it was opened on."""
    with ctx.reading() as connection:
        return ctx.one(_opened(ctx, connection, lease_id), models.Lease)


@router.get(paths.DOWNTIMES, response_model=models.list_of(models.Downtime))
def lease_downtimes(ctx: Ctx, lease_id: Number) -> Any:
    """Epochs whose downtime was credited to the renter: each counts once."""
    with ctx.reading() as connection:
        _opened(ctx, connection, lease_id)
        return ctx.one(lease_queries.downtimes_of(connection, lease_id), models.Downtime)


@router.get(paths.LEASE_EVENTS, response_model=models.page_of(models.ChainEvent))
def lease_events(ctx: Ctx, lease_id: Number, cursor: Cursor = None, limit: Limit = 25) -> Any:
    """Everything that the contracts said of a lease, newest first."""
    with ctx.reading() as connection:
        _opened(ctx, connection, lease_id)
        found = events.events_of_lease(connection, lease_id, cursor, limit)
    return ctx.many(found, models.ChainEvent)


@router.get(paths.ACCOUNT, response_model=models.one_of(models.Account))
def account(ctx: Ctx, address: AddressPath) -> Any:
    """Stake, roles, operators, bond credit and sums of an account."""
    with ctx.reading() as connection:
        found = accounts.read_account(connection, checked(address), ctx.timestamp)
    return ctx.one(
        found
        | {
            "stake": models.plain(found["stake"], models.Stake),
            "validator": models.plain(found["validator"], models.ValidatorRow),
            "rewards": models.plain(found["rewards"], models.RewardRow),
            "operators": models.plain(found["operators"], models.OperatorRow),
            "acts_for": models.plain(found["acts_for"], models.OperatorRow),
            "credits": models.plain(found["credits"], models.BondCredit),
            "history": models.plain(found["history"], models.ProviderHistory),
        }
    )


@router.get(paths.ACCOUNT_EVENTS, response_model=models.page_of(models.ChainEvent))
def account_events(ctx: Ctx, address: AddressPath, cursor: Cursor = None, limit: Limit = 25) -> Any:
    """Events that name an account, newest first."""
    with ctx.reading() as connection:
        found = events.events_of_account(connection, checked(address), cursor, limit)
    return ctx.many(found, models.ChainEvent)


@router.get(paths.TRANSACTION, response_model=models.list_of(models.ChainEvent))
def transaction(ctx: Ctx, transaction: Hash) -> Any:
    """Events of a transaction."""
    with ctx.reading() as connection:
        found = events.events_of_transaction(connection, plain_hash(transaction))
    if not found:
        raise UnknownName(f"no indexed event comes from transaction {transaction}")
    return ctx.one(found, models.ChainEvent)


def _opened(ctx: Context, connection: Connection, lease_id: int) -> dict[str, Any]:
    row = lease_queries.read_lease(connection, lease_id, ctx.terms, ctx.timestamp)
    if row is None:
        raise UnknownName(f"lease {lease_id} has not been opened")
    return row

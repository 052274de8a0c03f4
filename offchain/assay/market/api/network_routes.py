"""Epochs, validators, slashes, totals."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from sqlalchemy import select

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
from assay.market.queries import challenges, network, testimony
from assay.market.queries.network_history import time_series
from assay.market.queries.pages import many, one
from assay.market.queries.slash_proofs import read_slash_proof
from assay.market.store.tables import batches, demands, epochs, faults, refusals
from assay.protocol.leaves import RewardLeaf
from assay.wire import market_paths as paths

router = APIRouter(tags=["network"])
Ctx = Annotated[Context, Depends(context_of)]


@router.get(paths.NETWORK, response_model=models.one_of(models.Totals))
def totals(ctx: Ctx) -> Any:
    """The network in numbers."""
    with ctx.reading() as connection:
        return ctx.one(network.totals(connection, ctx.timestamp), models.Totals)


@router.get(paths.SERIES, response_model=models.list_of(models.EpochPoint))
def series(ctx: Ctx) -> Any:
    """The network over time, by epoch: devices, their power, how many were leased, leases opened, stake, and by token
    what streamed and what a device cost; the newest 200, oldest first.
    """
    with ctx.reading() as connection:
        points = time_series(connection, ctx.timestamp)
    told = [{**point, "money": models.plain(point["money"], models.TokenPoint)} for point in points]
    return ctx.one(told, models.EpochPoint)


@router.get(paths.EPOCHS, response_model=models.page_of(models.EpochRow))
def list_epochs(
    ctx: Ctx, phase: Annotated[int | None, Query(ge=1, le=5)] = None, cursor: Cursor = None, limit: Limit = 25
) -> Any:
    """Epochs, newest first. Phases: 1 open, 2 sealed, 3 drawn, 4 reported, 5 void."""
    with ctx.reading() as connection:
        return ctx.many(network.epoch_page(connection, phase, cursor, limit), models.EpochRow)


@router.get(paths.EPOCH, response_model=models.one_of(models.EpochDetail))
def epoch_detail(ctx: Ctx, epoch: Number) -> Any:
    """One epoch, and what validators served of it that did not prove."""
    with ctx.reading() as connection:
        row = one(connection, epochs, epoch=epoch)
        refused = many(connection, select(refusals).where(refusals.c.epoch == epoch).limit(100))
    if row is None:
        raise UnknownName(f"epoch {epoch} has not been opened")
    return ctx.one({"epoch": models.plain(row, models.EpochRow), "refusals": models.plain(refused)})


@router.get(paths.EPOCH_REWARD, response_model=models.one_of(models.MerkleProof), tags=["proofs"])
def reward_proof(ctx: Ctx, epoch: Number, address: AddressPath) -> Any:
    """An account's leaf in a report's reward tree and its Merkle proof: what
    `RewardsDistributor.claim` takes.
    """
    with ctx.reading() as connection:
        row = one(connection, epochs, epoch=epoch)
        root = row["rewards_root"] if row else None
        found = ctx.proofs.reward(connection, epoch, root, checked(address)) if root else None
    if found is None or not isinstance(found.leaf, RewardLeaf):
        raise UnknownName(f"epoch {epoch} has no proven reward of {address}")
    leaf = [found.leaf.account, str(found.leaf.cumulative)]
    return ctx.one({"types": list(RewardLeaf.TYPES), "leaf": leaf, "proof": found.proof, "root": found.root})


@router.get(paths.VALIDATORS, response_model=models.list_of(models.Validator))
def validators(ctx: Ctx) -> Any:
    """Everyone who holds or held a seat."""
    with ctx.reading() as connection:
        return ctx.one(network.validator_list(connection), models.Validator)


@router.get(paths.PRESENCE, response_model=models.list_of(models.EpochPresence))
def presence(ctx: Ctx, epochs: Annotated[int, Query(ge=1, le=100)] = 25) -> Any:
    """Who signed the newest epochs."""
    with ctx.reading() as connection:
        return ctx.one(network.presence(connection, epochs))


@router.get(paths.SLASHES, response_model=models.page_of(models.Fault))
def slashes(
    ctx: Ctx,
    account: AddressQuery = None,
    kind: Annotated[int | None, Query(ge=1, le=255)] = None,
    cursor: Cursor = None,
    limit: Limit = 25,
) -> Any:
    """Faults that a contract has checked, newest first. `slashStatus` 1: what was slashed is on hold until `heldUntil`;
    2: it is settled, the bounty the reporter's and the rest burned; 3: governance gave it back.
    """
    where = [faults.c.account == checked(account)] if account else []
    if kind is not None:
        where.append(faults.c.kind == kind)
    with ctx.reading() as connection:
        return ctx.many(network.fault_page(connection, where, cursor, limit), models.Fault)


@router.get(paths.DEMANDS, response_model=models.page_of(models.Demand))
def list_demands(
    ctx: Ctx,
    provider: AddressQuery = None,
    device: Annotated[str | None, Query(pattern="^0x[0-9a-fA-F]{64}$")] = None,
    status: Annotated[int | None, Query(ge=1, le=4)] = None,
    cursor: Cursor = None,
    limit: Limit = 25,
) -> Any:
    """Challenges on the chain to show a row or a round, newest first. Statuses: 1 open, 2 answered, 3 expired: the
    device was slashed, 4 closed: it had been slashed before.
    """
    where = [demands.c.provider == checked(provider)] if provider else []
    if device:
        where.append(demands.c.device_id == plain_device(device))
    if status is not None:
        where.append(demands.c.status == status)
    with ctx.reading() as connection:
        return ctx.many(challenges.demand_page(connection, where, cursor, limit), models.Demand)


@router.get(paths.SLASH_PROOF, response_model=models.one_of(models.SlashProof), tags=["proofs"])
def slash_proof(ctx: Ctx, transaction: Hash) -> Any:
    """The proof that a contract checked, as its transaction carried it: enough to recompute it."""
    decode = ctx.links.decode
    with ctx.reading() as connection:
        found = read_slash_proof(connection, decode, plain_hash(transaction)) if decode else None
    if found is None:
        raise UnknownName(f"transaction {transaction} carried no proof that this market can read")
    if found["element"] is not None:
        found["element"] |= {"chain_id": ctx.status.chain_id, "oracle": ctx.links.contracts["EpochOracle"]}
        found["element"] = models.plain(found["element"])
    return ctx.one(found)


@router.get(paths.BATCHES, response_model=models.list_of(models.Batch), tags=["testimony"])
def epoch_batches(ctx: Ctx, epoch: Number) -> Any:
    """What each seat signed of an epoch, in sums: a seat's word, and how often the report says otherwise."""
    with ctx.reading() as connection:
        rows = many(connection, select(batches).where(batches.c.epoch == epoch).order_by(batches.c.account))
    return ctx.one(rows, models.Batch)


@router.get(
    paths.OBSERVATIONS,
    response_model=models.list_of(models.Observation),
    tags=["testimony"],
)
def device_observations(ctx: Ctx, epoch: Number, device_id: Hash) -> Any:
    """What each seat signed of a device in an epoch, its own stopwatch included."""
    with ctx.reading() as connection:
        rows = testimony.of_device(connection, epoch, plain_device(device_id))
    return ctx.one(rows, models.Observation)

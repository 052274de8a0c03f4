"""Devices, offers and their measurements."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends

from assay.market.api import models
from assay.market.api.context import Context, NotFound, context_of
from assay.market.api.parameters import (
    AddressQuery,
    Cursor,
    Hash,
    Limit,
    Number,
    SearchQuery,
    checked,
    plain_hash,
)
from assay.market.queries import devices as device_queries
from assay.market.queries.pages import Order, one, page
from assay.market.store.tables import epochs, offers
from assay.protocol.leaves import DeviceLeaf

router = APIRouter(tags=["devices"])
Ctx = Annotated[Context, Depends(context_of)]


@router.get("/devices", response_model=models.page_of(models.Listing))
def search(ctx: Ctx, wanted: SearchQuery, cursor: Cursor = None, limit: Limit = 25) -> Any:
    """Devices by filters, in order of price, value (price by score), score, memory or reliability."""
    with ctx.reading() as connection:
        return ctx.many(ctx.search.find(connection, wanted, cursor, limit), models.Listing)


@router.get("/facets", response_model=models.one_of(models.FacetCounts))
def facets(ctx: Ctx, wanted: SearchQuery) -> Any:
    """How many devices each further choice would leave."""
    counts = ctx.search.count(wanted)
    by_name = {name: {str(k): n for k, n in values.items()} for name, values in counts.facets.items()}
    return ctx.one({"total": counts.total, "facets": by_name})


@router.get("/devices/{device_id}", response_model=models.one_of(models.DeviceDetail))
def device(ctx: Ctx, device_id: Hash) -> Any:
    """One device with its profile, offer, declared specification and proven faults."""
    with ctx.reading() as connection:
        found = device_queries.read_device(connection, plain_hash(device_id))
        if found is None:
            raise NotFound(f"no device {device_id} has been enrolled")
        against = device_queries.faults_of(connection, plain_hash(device_id))
    for row in against:
        names = ("t", "i", "j", "claimed", "correct")
        element = {name: row.pop(name) for name in names}
        row |= {"bounty": 0, "burned": 0, "element": element if element["t"] is not None else None}
    return ctx.one(
        {
            "device": models.plain(found.row, models.DeviceRow),
            "listing": models.plain(found.listing, models.Listing),
            "profile": models.plain(found.profile, models.ProfileRow),
            "specification": models.plain(found.specification, models.SpecificationRow),
            "offer": models.plain(found.offer, models.OfferRow),
            "faults": models.plain(against, models.Fault),
        }
    )


@router.get("/devices/{device_id}/measurements", response_model=models.page_of(models.Measurement))
def measurements(ctx: Ctx, device_id: Hash, cursor: Cursor = None, limit: Limit = 25) -> Any:
    """What reports said of a device, newest first. Every line stands in a proven report."""
    with ctx.reading() as connection:
        found = device_queries.history(connection, plain_hash(device_id), cursor, limit)
    return ctx.many(found, models.Measurement)


@router.get("/epochs/{epoch}/devices/{device_id}", response_model=models.one_of(models.Proof), tags=["proofs"])
def device_proof(ctx: Ctx, epoch: Number, device_id: Hash) -> Any:
    """A device's leaf in a report and its Merkle proof: what `open` and `refundDowntime` take."""
    with ctx.reading() as connection:
        row = one(connection, epochs, epoch=epoch)
        root = row["devices_root"] if row else None
        found = ctx.proofs.device(connection, epoch, root, plain_hash(device_id)) if root else None
    if found is None or not isinstance(found.leaf, DeviceLeaf):
        raise NotFound(f"epoch {epoch} has no proven leaf of device {device_id}")
    values = {"types": list(DeviceLeaf.TYPES), "leaf": list(found.leaf.values())}
    return ctx.one({**values, "proof": found.proof, "root": found.root})


@router.get("/offers", response_model=models.page_of(models.OfferRow), tags=["offers"])
def list_offers(ctx: Ctx, provider: AddressQuery = None, cursor: Cursor = None, limit: Limit = 25) -> Any:
    """Signed offers as their providers serve them; the escrow takes one as it stands."""
    where = [offers.c.provider == checked(provider)] if provider else []
    with ctx.reading() as connection:
        return ctx.many(page(connection, offers, where, Order("digest"), cursor, limit), models.OfferRow)


@router.get("/offers/{digest}", response_model=models.one_of(models.OfferRow), tags=["offers"])
def offer(ctx: Ctx, digest: Hash) -> Any:
    """One signed offer by its EIP-712 digest."""
    with ctx.reading() as connection:
        row = one(connection, offers, digest=plain_hash(digest))
    if row is None:
        raise NotFound(f"no good offer {digest}")
    return ctx.one(row, models.OfferRow)

"""Listings, offers, devices and their measurements."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from sqlalchemy import select

from assay.market.api import models
from assay.market.api.context import Context, UnknownName, context_of
from assay.market.api.parameters import (
    AddressQuery,
    Cursor,
    Hash,
    Limit,
    Number,
    SearchQuery,
    checked,
    plain_device,
    plain_hash,
)
from assay.market.queries import devices as device_queries
from assay.market.queries.checks import testimony
from assay.market.queries.listings import read_listing
from assay.market.queries.pages import SortOrder, one, page
from assay.market.store.tables import epochs, offer_devices, offers
from assay.protocol.leaves import DeviceLeaf
from assay.wire import market_paths as paths

router = APIRouter(tags=["devices"])
Ctx = Annotated[Context, Depends(context_of)]


@router.get(paths.LISTINGS, response_model=models.page_of(models.Listing), tags=["offers"])
def search(ctx: Ctx, wanted: SearchQuery, cursor: Cursor = None, limit: Limit = 25) -> Any:
    """Devices, and nodes of several that are leased together, by filters, in order of price, value (price by score),
    score, memory, reliability or GPUs, or of any number of the sheet.
    """
    with ctx.reading() as connection:
        found = ctx.search.find(connection, wanted, cursor, limit)
    return ctx.many(replace(found, rows=[models.with_sheet(row) for row in found.rows]), models.Listing)


@router.get(paths.FACETS, response_model=models.one_of(models.FacetCounts), tags=["offers"])
def facets(ctx: Ctx, wanted: SearchQuery) -> Any:
    """How many listings each further choice would leave; `maxRate` needs a token where prices are in several."""
    counts = ctx.search.count_in_one_token(wanted)
    by_name = {name: {str(k): n for k, n in values.items()} for name, values in counts.facets.items()}
    return ctx.one({"total": counts.total, "facets": by_name})


@router.get(paths.LISTING, response_model=models.one_of(models.ListingDetail), tags=["offers"])
def listing(ctx: Ctx, listing_id: Hash) -> Any:
    """One listing with its signed offer and each of its devices."""
    with ctx.reading() as connection:
        found = read_listing(connection, plain_hash(listing_id))
        said = testimony(connection, found.row["device_ids"]) if found else {}
    if found is None:
        raise UnknownName(f"nothing is listed as {listing_id}: no such device, and no valid offer of these together")
    return ctx.one(
        {
            "listing": models.with_sheet(found.row),
            "offer": models.plain(found.offer, models.OfferRow),
            "devices": [
                {
                    "device": models.plain(part.device, models.DeviceRow),
                    "profile": models.plain(part.profile, models.ProfileRow),
                    "specification": models.plain(part.specification, models.SpecificationRow),
                }
                for part in found.parts
            ],
            "history": models.plain(found.history, models.ProviderHistory),
            "testimony": models.entries(said),
        }
    )


@router.get(paths.DEVICE, response_model=models.one_of(models.DeviceDetail))
def device(ctx: Ctx, device_id: Hash) -> Any:
    """One device with its profile, declared specification, the offers it is part of, and proven faults."""
    with ctx.reading() as connection:
        found = device_queries.read_device(connection, plain_device(device_id))
        if found is None:
            raise UnknownName(f"no device {device_id} has been enrolled")
        against = device_queries.faults_of(connection, plain_device(device_id))
        said = testimony(connection, [plain_device(device_id)])
    return ctx.one(
        {
            "device": models.plain(found.row, models.DeviceRow),
            "listing": models.with_sheet(found.listing),
            "profile": models.plain(found.profile, models.ProfileRow),
            "specification": models.plain(found.specification, models.SpecificationRow),
            "offers": models.plain(found.offers, models.OfferRow),
            "faults": models.plain(against, models.Fault),
            "testimony": models.entries(said),
        }
    )


@router.get(paths.MEASUREMENTS, response_model=models.page_of(models.Measurement))
def measurements(ctx: Ctx, device_id: Hash, cursor: Cursor = None, limit: Limit = 25) -> Any:
    """What reports said of a device, newest first. Every line stands in a proven report."""
    with ctx.reading() as connection:
        found = device_queries.history(connection, plain_device(device_id), cursor, limit)
    return ctx.many(found, models.Measurement)


@router.get(paths.EPOCH_DEVICE, response_model=models.one_of(models.MerkleProof), tags=["proofs"])
def device_proof(ctx: Ctx, epoch: Number, device_id: Hash) -> Any:
    """A device's leaf in a report and its Merkle proof: what `open` and `refundDowntime` take."""
    with ctx.reading() as connection:
        row = one(connection, epochs, epoch=epoch)
        root = row["devices_root"] if row else None
        found = ctx.proofs.device(connection, epoch, root, plain_device(device_id)) if root else None
    if found is None or not isinstance(found.leaf, DeviceLeaf):
        raise UnknownName(f"epoch {epoch} has no proven leaf of device {device_id}")
    values = {"types": list(DeviceLeaf.TYPES), "leaf": list(found.leaf.values())}
    return ctx.one({**values, "proof": found.proof, "root": found.root})


@router.get(paths.OFFERS, response_model=models.page_of(models.OfferRow), tags=["offers"])
def list_offers(
    ctx: Ctx,
    provider: AddressQuery = None,
    device: Annotated[str | None, Query(pattern="^0x[0-9a-fA-F]{64}$")] = None,
    cursor: Cursor = None,
    limit: Limit = 25,
) -> Any:
    """Signed offers as their providers serve them; the escrow takes one as it stands."""
    where = [offers.c.provider == checked(provider)] if provider else []
    if device:
        of_device = select(offer_devices.c.offer_hash).where(offer_devices.c.device_id == plain_device(device))
        where.append(offers.c.offer_hash.in_(of_device))
    with ctx.reading() as connection:
        return ctx.many(page(connection, offers, where, SortOrder("offer_hash"), cursor, limit), models.OfferRow)


@router.get(paths.OFFER, response_model=models.one_of(models.OfferRow), tags=["offers"])
def offer(ctx: Ctx, offer_hash: Hash) -> Any:
    """One signed offer by its EIP-712 struct hash, which the escrow keeps of it."""
    with ctx.reading() as connection:
        row = one(connection, offers, offer_hash=plain_hash(offer_hash))
    if row is None:
        raise UnknownName(f"no offer {offer_hash} is served now")
    return ctx.one(row, models.OfferRow)

"""Pages of the market: search, compare, devices, renting, leases."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import RedirectResponse

from assay.market.api.context import Context, NotFound, context_of
from assay.market.api.parameters import Cursor, Hash, Number, SearchQuery, plain_hash
from assay.market.projection.listings import STATES
from assay.market.queries import accounts, challenges, devices, events, search, testimony
from assay.market.queries.pages import MOST_ROWS, many, one
from assay.market.store.tables import demands, epochs, leases, profiles
from assay.market.web import formats
from assay.market.web.rendering import Pages

router = APIRouter(include_in_schema=False)
Ctx = Annotated[Context, Depends(context_of)]
MOST_COMPARED = 4
ROUND_TRIPS = 8
PRICES = ("0.1", "0.25", "0.5", "1", "2", "4", "8")  # whole tokens an hour


def pages_of(request: Request) -> Pages:
    """The renderer."""
    pages: Pages = request.app.state.pages
    return pages


def price_steps(ctx: Context, wanted: search.Search, counted: Mapping[str, int]) -> list[tuple[int, str]]:
    """(rate, what it is called) of the prices to choose from; none where prices are in several tokens."""
    tokens = wanted.tokens or tuple(token for token in counted if token)
    if len(tokens) != 1:
        return []
    token = formats.token_of(ctx.links.get("tokens", {}), tokens[0])
    found = {formats.rate_of(Decimal(price), token["decimals"]): price for price in PRICES}
    if wanted.max_rate is not None and wanted.max_rate not in found:
        found[wanted.max_rate] = formats.per_hour(wanted.max_rate, token["decimals"])
    return [(rate, f"{price} {token['symbol']}/h") for rate, price in sorted(found.items())]


@router.get("/")
def market(request: Request, ctx: Ctx, wanted: SearchQuery, cursor: Cursor = None) -> Response:
    """Search with facets; the URL is the search."""
    with ctx.reading() as connection:
        found = ctx.search.find(connection, wanted, cursor, 24)
        counts = ctx.search.count(wanted)
        known = {row["profile"]: row for row in many(connection, profiles.select())}
    query = [(k, v) for k, v in request.query_params.multi_items() if k != "cursor"]
    following = urlencode([*query, ("cursor", found.next)]) if found.next else None
    whole = not request.headers.get("hx-request")
    return pages_of(request).render(
        request,
        "market.html" if whole else "_results.html",
        rows=found.rows,
        following=following,
        begun=cursor is not None,
        counts=counts,
        prices=price_steps(ctx, wanted, counts.facets["token"]),
        wanted=wanted,
        orders=list(search.ORDERS),
        states=STATES,
        profiles=known,
        memory_steps=search.MEMORY_STEPS_GIB,
    )


@router.get("/compare")
def compare(
    request: Request,
    ctx: Ctx,
    device: Annotated[list[Annotated[str, Query(pattern="^0x[0-9a-fA-F]{64}$")]], Query(max_length=40)] = [],  # noqa: B006
) -> Response:
    """Devices side by side."""
    chosen = list(dict.fromkeys(device))[:MOST_COMPARED]
    with ctx.reading() as connection:
        found = [devices.read_device(connection, plain_hash(d)) for d in chosen]
        series = [devices.score_series(connection, plain_hash(d)) for d in chosen]
    shown = [(d, s) for d, s in zip(found, series, strict=True) if d is not None and d.listing]
    return pages_of(request).render(request, "compare.html", devices=shown)


@router.get("/devices/{device_id}")
def device(request: Request, ctx: Ctx, device_id: Hash, cursor: Cursor = None) -> Response:
    """One device: what it is, measured, leased and did."""
    key = plain_hash(device_id)
    with ctx.reading() as connection:
        found = devices.read_device(connection, key)
        if found is None:
            raise NotFound(f"No device {device_id} has been enrolled.")
        values: dict[str, Any] = {
            "history": devices.history(connection, key, cursor, 12),
            "series": devices.score_series(connection, key),
            "leases": devices.leases_of(connection, key, 12),
            "faults": devices.faults_of(connection, key),
            "demands": challenges.demands_of(connection, demands.c.device_id == key),
            "trips": testimony.round_trips(connection, key, ROUND_TRIPS),
        }
    return pages_of(request).render(request, "device.html", device=found, **values)


@router.get("/rent/{device_id}")
def rent(request: Request, ctx: Ctx, device_id: Hash) -> Response:
    """The way to a lease, step by step."""
    with ctx.reading() as connection:
        found = devices.read_device(connection, plain_hash(device_id))
    if found is None:
        raise NotFound(f"No device {device_id} has been enrolled.")
    return pages_of(request).render(request, "rent.html", device=found)


@router.get("/leases/{lease_id}")
def lease(request: Request, ctx: Ctx, lease_id: Number) -> Response:
    """One lease: time and money left, and what to do with it."""
    with ctx.reading() as connection:
        row = one(connection, leases, lease_id=lease_id)
        if row is None:
            raise NotFound(f"Lease {lease_id} has not been opened.")
        found = devices.read_device(connection, row["device_id"])
        happened = events.events_of_lease(connection, lease_id, None, MOST_ROWS)
    values: dict[str, Any] = {"lease": row, "device": found, "events": happened, "now": ctx.status.timestamp}
    return pages_of(request).render(request, "lease.html", **values)


@router.get("/epochs/{epoch}/evidence/{device_id}")
def evidence(request: Request, ctx: Ctx, epoch: Number, device_id: Hash) -> Response:
    """A device's leaf in a report, its proof, and how to check both."""
    with ctx.reading() as connection:
        row = one(connection, epochs, epoch=epoch)
        root = row["devices_root"] if row else None
        found = ctx.proofs.device(connection, epoch, root, plain_hash(device_id)) if root else None
        seen = testimony.of_device(connection, epoch, plain_hash(device_id))
    if found is None:
        raise NotFound(f"Epoch {epoch} has no proven leaf of device {device_id}.")
    values: dict[str, Any] = {"epoch": row, "found": found, "device_id": device_id, "types": found.leaf.TYPES}
    return pages_of(request).render(request, "evidence.html", seen=seen, **values)


@router.get("/lookup")
def lookup(request: Request, ctx: Ctx, q: Annotated[str, Query(max_length=100)] = "") -> Response:
    """Goes to whatever a text names."""
    with ctx.reading() as connection:
        place = accounts.what_is(connection, q.strip())
    if place is None:
        raise NotFound(f"“{q.strip()}” is no device, account, transaction, lease or epoch.")
    return RedirectResponse(place, 303)

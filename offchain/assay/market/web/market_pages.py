"""Pages of the market: search, compare, devices, renting, leases."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from http import HTTPStatus
from typing import Annotated, Any, Literal
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import RedirectResponse

from assay.market.api.context import Context, UnknownName, context_of
from assay.market.api.parameters import Cursor, Hash, Number, SearchQuery, plain_device, plain_hash, unknown_parameters
from assay.market.projection.lease_money import PENDING
from assay.market.projection.listings import STATES
from assay.market.queries import challenges, devices, events, leases, listings, providers, search, testimony
from assay.market.queries.pages import MAX_ROWS, many, one
from assay.market.store.tables import demands, epochs, profiles
from assay.market.web import formats
from assay.market.web.lookup import find
from assay.market.web.network_pages import in_a_line
from assay.market.web.rendering import Pages
from assay.market.web.transactions import creditable_now
from assay.sheet import orders
from assay.templates.loading import shipped
from assay.wire.leases import MAX_SSH_KEY
from assay.wire.pods import MAX_IMAGE_NAME

router = APIRouter(include_in_schema=False)
Ctx = Annotated[Context, Depends(context_of)]
MAX_COMPARED = 4
ROUND_TRIPS = 8
# A history shorter than this says little of what comes.
FEW_EPOCHS, FEW_LEASES = 24, 3
# What a pod is chosen by, with the limits of whoever takes it.
POD_FIELDS: dict[str, Any] = {
    "pod_templates": tuple(shipped().values()),
    "max_image": MAX_IMAGE_NAME,
    "max_key": MAX_SSH_KEY,
}
View = Annotated[Literal["cards", "table"], Query(description="how listings are shown")]
# Title, what it sorts by, whether it is a number.
TABLE_COLUMNS = (
    ("Price", "price", True), ("Lease", "", False), ("Score", "score", True), ("Of expected", "expected", True),
    ("Memory", "memory", True), ("Reliability", "reliability", True), ("State", "", False), ("Region", "", False),
    ("Cores", "hostCores", True), ("RAM", "hostMemoryMib", True), ("Disk", "hostDiskMib", True), ("Notice", "", True),
)  # fmt: skip
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
    token = formats.token_of(ctx.links.tokens, tokens[0])
    found = {formats.rate_of(Decimal(price), token.decimals): price for price in PRICES}
    if wanted.max_rate is not None and wanted.max_rate not in found:
        found[wanted.max_rate] = formats.per_hour(wanted.max_rate, token.decimals)
    return [(rate, f"{price} {token.symbol}/h") for rate, price in sorted(found.items())]


def token_to_sort_by(wanted: search.Search, counted: Mapping[str, int]) -> str | None:
    """The token that most are paid in, where amounts of several would be compared; None where that is not so."""
    tokens = {token: n for token, n in counted.items() if token}
    by_amount = wanted.sort in orders.SORTS and orders.SORTS[wanted.sort].is_amount
    if wanted.tokens or len(tokens) < 2 or not (by_amount or wanted.max_rate is not None):
        return None
    return max(tokens, key=lambda token: (tokens[token], token))


@router.get("/")
def market(request: Request, ctx: Ctx, wanted: SearchQuery, cursor: Cursor = None, view: View = "cards") -> Response:
    """Search with facets; the URL is the search."""
    with ctx.reading() as connection:
        counts = ctx.search.count(wanted)
        apart = None
        if token := token_to_sort_by(wanted, counts.facets["token"]):
            # What has no price has no token: it is listed behind all prices as before.
            others = tuple(t for t in counts.facets["token"] if not t)
            apart, wanted = token, replace(wanted, tokens=(token, *others))
            counts = ctx.search.count(wanted)
        found = ctx.search.find(connection, wanted, cursor, 24)
        known = {row["profile"]: row for row in many(connection, profiles.select())}
    query = [(k, v) for k, v in request.query_params.multi_items() if k != "cursor"]
    following = urlencode([*query, ("cursor", found.next)]) if found.next else None

    def with_other(name: str, value: str) -> str:
        return urlencode([*((k, v) for k, v in query if k != name), (name, value)])

    # Whoever comes back through the history gets a page, whatever asked for it.
    whole = not request.headers.get("hx-request") or "hx-history-restore-request" in request.headers
    return pages_of(request).render(
        request,
        "market.html" if whole else "parts/results.html",
        # Who searches already knows where it is.
        **(in_a_line(ctx) if whole and not request.query_params else {"totals": None}),
        rows=found.rows,
        following=following,
        view=view,
        other_view=with_other("view", "cards" if view == "table" else "table"),
        columns=TABLE_COLUMNS,
        by_order={order: with_other("sort", order) for _, order, _ in TABLE_COLUMNS if order},
        begun=cursor is not None,
        counts=counts,
        prices=price_steps(ctx, wanted, counts.facets["token"]),
        wanted=wanted,
        apart=apart,
        ignored=unknown_parameters(request),
        orders=list(orders.ORDERS),
        states=STATES,
        profiles=known,
        memory_steps=search.MEMORY_STEPS_GIB,
        cpu_steps=search.CPU_STEPS,
        ram_steps=search.RAM_STEPS_GIB,
        disk_steps=search.DISK_STEPS_GIB,
    )


@router.get("/compare")
def compare(
    request: Request,
    ctx: Ctx,
    listing: Annotated[list[Annotated[str, Query(pattern="^0x[0-9a-fA-F]{64}$")]], Query(max_length=40)] = [],  # noqa: B006
) -> Response:
    """Listings side by side."""
    named = list(dict.fromkeys(listing))
    wanted, left_out = named[:MAX_COMPARED], named[MAX_COMPARED:]
    with ctx.reading() as connection:
        found = [listings.read_listing(connection, plain_hash(one)) for one in wanted]
        shown = [(one, devices.score_series(connection, one.row["listing_id"])) for one in found if one is not None]
    return pages_of(request).render(request, "compare.html", compared=shown, left_out=left_out)


@router.get("/devices/{device_id}")
def device(request: Request, ctx: Ctx, device_id: Hash, cursor: Cursor = None) -> Response:
    """One device: what it is, measured, leased and did."""
    key = plain_device(device_id)
    with ctx.reading() as connection:
        found = devices.read_device(connection, key)
        if found is None:
            raise UnknownName(f"No device {device_id} has been enrolled.")
        of_device = [leases.of_device(key)]
        values: dict[str, Any] = {
            "history": devices.history(connection, key, cursor, 12),
            "series": devices.score_series(connection, key),
            "leases": leases.lease_page(connection, of_device, None, 12, ctx.terms, ctx.timestamp).rows,
            "nodes": listings.nodes_of_device(connection, key),
            "faults": devices.faults_of(connection, key),
            "demands": challenges.demands_of(connection, demands.c.device_id == key),
            "trips": testimony.round_trips(connection, key, ROUND_TRIPS),
        }
    return pages_of(request).render(request, "device.html", device=found, **values)


@router.get("/nodes/{listing_id}")
def node(request: Request, ctx: Ctx, listing_id: Hash) -> Response:
    """Devices that are on offer together: the terms, and each of them."""
    found = _listed(ctx, listing_id)
    if len(found.parts) == 1:
        return RedirectResponse(f"/devices/{listing_id}", HTTPStatus.PERMANENT_REDIRECT)
    ids = found.row["device_ids"]
    with ctx.reading() as connection:
        values: dict[str, Any] = {
            "answers": challenges.answers(connection, ids),
            "leases": leases.leases_of_devices(connection, ids, 12, ctx.terms, ctx.timestamp),
        }
    return pages_of(request).render(request, "node.html", listing=found, **values)


@router.get("/rent/{listing_id}")
def rent(request: Request, ctx: Ctx, listing_id: Hash) -> Response:
    """The way to a lease, step by step."""
    return pages_of(request).render(
        request,
        "rent.html",
        listing=_listed(ctx, listing_id),
        few_epochs=FEW_EPOCHS,
        few_leases=FEW_LEASES,
        **POD_FIELDS,
    )


def _listed(ctx: Context, listing_id: str) -> listings.ListedOffer:
    with ctx.reading() as connection:
        found = listings.read_listing(connection, plain_hash(listing_id))
    if found is None:
        raise UnknownName(f"Nothing is listed as {listing_id}: no such device, and no good offer of devices together.")
    return found


@router.get("/leases/{lease_id}")
def lease(request: Request, ctx: Ctx, lease_id: Number) -> Response:
    """One lease: its devices, time and money left, and what to do with it."""
    with ctx.reading() as connection:
        now = ctx.status.now
        row = leases.read_lease(connection, lease_id, ctx.terms, now)
        if row is None:
            raise UnknownName(f"Lease {lease_id} has not been opened.")
        values: dict[str, Any] = {
            "lease": row,
            "first": leases.running_lease(connection, row["device_ids"], now) if row["status"] == PENDING else None,
            "parts": listings.parts_of(connection, row["device_ids"]),
            "slashed": leases.slashed_devices(connection, lease_id),
            "credited": leases.downtimes_of(connection, lease_id),
            "attested": creditable_now(ctx, connection, row),
            "agents": leases.agents_of(connection, row["renter"]),
            "actors": providers.operators_of(connection, row["provider"]),
            "payout": providers.payout_of(connection, row["provider"]),
            "events": events.events_of_lease(connection, lease_id, None, MAX_ROWS),
        }
    values |= {"now": now, "terms": ctx.terms, **POD_FIELDS}
    return pages_of(request).render(request, "lease.html", **values)


@router.get("/epochs/{epoch}/evidence/{device_id}")
def evidence(request: Request, ctx: Ctx, epoch: Number, device_id: Hash) -> Response:
    """A device's leaf in a report, its proof, and how to check both."""
    with ctx.reading() as connection:
        row = one(connection, epochs, epoch=epoch)
        root = row["devices_root"] if row else None
        found = ctx.proofs.device(connection, epoch, root, plain_device(device_id)) if root else None
        seen = testimony.of_device(connection, epoch, plain_device(device_id))
    if found is None:
        raise UnknownName(f"Epoch {epoch} has no proven leaf of device {device_id}.")
    values: dict[str, Any] = {"epoch": row, "found": found, "device_id": device_id, "types": found.leaf.TYPES}
    return pages_of(request).render(request, "evidence.html", seen=seen, **values)


@router.get("/lookup")
def lookup(request: Request, ctx: Ctx, q: Annotated[str, Query(max_length=100)] = "") -> Response:
    """Goes to whatever a text names, or shows what it may name."""
    if not q.strip():
        return RedirectResponse("/", HTTPStatus.SEE_OTHER)
    with ctx.reading() as connection:
        found = find(connection, ctx.search, q)
    if not found:
        raise UnknownName(
            f"“{q.strip()}” is no device, node, account, transaction, lease, epoch or model. "
            "Look for a name or its beginning (0x05e946), a number (lease 12, epoch 340), or a model (H100, RTX 4090)."
        )
    if len(found) == 1:
        return RedirectResponse(found[0].path, HTTPStatus.SEE_OTHER)
    return pages_of(request).render(request, "found.html", wanted=q.strip(), found=found)

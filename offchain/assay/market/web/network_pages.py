"""Pages of the network: totals, epochs, validators, slashes, accounts, transactions."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response
from sqlalchemy import select

from assay.market.api.context import Context, UnknownName, context_of
from assay.market.api.parameters import AddressPath, Cursor, Hash, Number, checked, plain_hash
from assay.market.projection.listings import shape_of
from assay.market.queries import accounts, challenges, events, network, providers, testimony
from assay.market.queries import leases as lease_queries
from assay.market.queries.claims import claimable_at
from assay.market.queries.network_history import time_series
from assay.market.queries.pages import SortOrder, many, one, page
from assay.market.store.tables import (
    batches,
    demands,
    epochs,
    faults,
    leases,
    listings,
    measurements,
    minters,
    profiles,
    refusals,
    rewards,
)
from assay.market.web.event_words import leases_named
from assay.market.web.network_charts import charts_of
from assay.market.web.rendering import Pages
from assay.proof.probe.layout import claimed_mib
from assay.protocol.epochs import Phase

router = APIRouter(include_in_schema=False)
Ctx = Annotated[Context, Depends(context_of)]
PRESENCE_EPOCHS = 30


def pages_of(request: Request) -> Pages:
    """The renderer."""
    pages: Pages = request.app.state.pages
    return pages


@router.get("/network")
def overview(request: Request, ctx: Ctx, cursor: Cursor = None) -> Response:
    """The network in numbers, and its epochs."""
    with ctx.reading() as connection:
        totals = network.totals(connection, ctx.timestamp)
        listed = network.epoch_page(connection, None, cursor, 15)
        series = time_series(connection, ctx.timestamp)
        mints = many(connection, select(minters).order_by(minters.c.first_epoch))
    return pages_of(request).render(
        request,
        "network.html",
        totals=totals,
        epochs=listed,
        points={point["epoch"]: point for point in series},
        charted=[point["epoch"] for point in series],
        charts=charts_of(series, ctx.links.tokens),
        minters=mints,
    )


@router.get("/counters")
def counters(request: Request, ctx: Ctx) -> Response:
    """A part of the first page: the network in a line, renewed as blocks come."""
    return pages_of(request).render(request, "parts/counters.html", **in_a_line(ctx))


def in_a_line(ctx: Context) -> dict[str, Any]:
    """What `counters` shows: totals, and the newest proven fault."""
    with ctx.reading() as connection:
        newest = network.fault_page(connection, [], None, 1).rows
        return {"totals": network.totals(connection, ctx.timestamp), "slash": newest[0] if newest else None}


@router.get("/provide")
def provide(request: Request, ctx: Ctx) -> Response:
    """How to put up GPUs here: classes, what is earned, what to type, what can cost."""
    with ctx.reading() as connection:
        series = time_series(connection, ctx.timestamp)
        known = many(connection, select(profiles).order_by(profiles.c.profile))
        paid = network.paid_in_newest_epoch(connection)
        counts = network.devices_by_profile(connection)
    reported = [point for point in series if point["phase"] == Phase.REPORTED]
    streamed: dict[str, int] = {}
    for money in (money for point in series for money in point["money"]):
        streamed[money["token"]] = streamed.get(money["token"], 0) + money["streamed"]
    return pages_of(request).render(
        request,
        "provide.html",
        newest=reported[-1] if reported else None,
        paid=paid,
        epochs=len(series),
        streamed=dict(sorted(streamed.items())),
        profiles=known,
        memory={row["profile"]: claimed_mib(shape_of(row)) for row in known},
        counts=counts,
    )


@router.get("/api")
def api_page(request: Request) -> Response:
    """What programs can ask, as the API describes itself."""
    described = request.app.openapi()
    calls = [
        {"path": path, "parameters": call.get("parameters", []), "text": call.get("description", call["summary"])}
        for path, methods in sorted(described["paths"].items())
        for call in methods.values()
    ]
    fields = {
        name: [(field, shape.get("description", "")) for field, shape in model["properties"].items()]
        for name, model in sorted(described["components"]["schemas"].items())
        if "properties" in model and "[" not in name and not name.startswith(("One_", "Many_"))
    }
    return pages_of(request).render(request, "api.html", calls=calls, fields=fields)


@router.get("/epochs/{epoch}")
def epoch_page(request: Request, ctx: Ctx, epoch: Number, cursor: Cursor = None) -> Response:
    """One epoch: its four transactions' results and every measured device."""
    with ctx.reading() as connection:
        row = one(connection, epochs, epoch=epoch)
        if row is None:
            raise UnknownName(f"Epoch {epoch} has not been opened.")
        where = [measurements.c.epoch == epoch]
        lines = page(connection, measurements, where, SortOrder("device_id"), cursor, 25)
        refused = many(connection, select(refusals).where(refusals.c.epoch == epoch).limit(50))
        present = [p for p in network.presence(connection, 100) if p["epoch"] == epoch]
        said = many(connection, select(batches).where(batches.c.epoch == epoch).order_by(batches.c.account))
        reported = row["reported_at"]
        claimable = claimable_at(connection, reported, ctx.deadlines) if reported and not row["vetoed"] else 0
    return pages_of(request).render(
        request,
        "epoch.html",
        epoch=row,
        lines=lines,
        refused=refused,
        said=said,
        claimable=claimable,
        long_delay=claimable > reported + ctx.deadlines.claim_delay,
        presence=present[0] if present else None,
    )


@router.get("/validators")
def validators(request: Request, ctx: Ctx) -> Response:
    """Seats, how present they are, and where they disagreed."""
    with ctx.reading() as connection:
        seats = network.validator_list(connection)
        present = network.presence(connection, PRESENCE_EPOCHS)
        said, overruled = testimony.by_seat(connection), testimony.disagreements(connection)
    return pages_of(request).render(
        request, "validators.html", validators=seats, presence=present, said=said, overruled=overruled
    )


@router.get("/slashes")
def slashes(request: Request, ctx: Ctx, cursor: Cursor = None) -> Response:
    """Every proven fault."""
    with ctx.reading() as connection:
        found = network.fault_page(connection, [], cursor, 15)
        totals = network.totals(connection, ctx.timestamp)
    return pages_of(request).render(request, "slashes.html", faults=found, totals=totals)


@router.get("/accounts/{address}")
def account(request: Request, ctx: Ctx, address: AddressPath, cursor: Cursor = None) -> Response:
    """A provider, validator, renter or watcher: stake, earnings, devices, leases, events."""
    who = checked(address)
    with ctx.reading() as connection:
        found = accounts.read_account(connection, who, ctx.timestamp)
        owned = many(
            connection,
            select(listings)
            .where(listings.c.provider == who)
            .order_by(listings.c.gpus, listings.c.listing_id)
            .limit(64),
        )
        now = ctx.timestamp
        side = [(leases.c.provider == who) | (leases.c.renter == who)]
        lent = lease_queries.lease_page(connection, side, None, 20, ctx.terms, now).rows
        earned = many(
            connection, select(rewards).where(rewards.c.account == who).order_by(rewards.c.epoch.desc()).limit(100)
        )
        against = network.fault_page(connection, [faults.c.account == who], None, 10)
        happened = events.events_of_account(connection, who, cursor, 15)
        pending = lease_queries.pending_leases(connection, who)
        paid_in = lease_queries.tokens_of_leases(connection, leases_named(happened.rows))
        answers = challenges.answers(connection, [row["listing_id"] for row in owned if row["gpus"] == 1])
        asked = challenges.demands_of(connection, demands.c.provider == who)
        rent = providers.rent_of(connection, who, ctx.terms, now)
        utilisation = providers.utilisation_of(connection, who)
        beside = providers.market_rates(connection, owned)
    return pages_of(request).render(
        request,
        "account.html",
        who=who,
        account=found,
        listings=owned,
        leases=lent,
        rewards=list(reversed(earned)),
        faults=against.rows,
        events=happened,
        lease_tokens=paid_in,
        pending=pending,
        answers=answers,
        demands=asked,
        rent=rent,
        utilisation=utilisation,
        beside=beside,
        now=now,
        refused={e: why for (p, e), why in dict(ctx.links.refused).items() if p == who},
    )


@router.get("/transactions/{transaction}")
def transaction(request: Request, ctx: Ctx, transaction: Hash) -> Response:
    """What a transaction did to the market."""
    with ctx.reading() as connection:
        found = events.events_of_transaction(connection, plain_hash(transaction))
        paid_in = lease_queries.tokens_of_leases(connection, leases_named(found))
        shown = network.fault_page(connection, [faults.c.transaction == plain_hash(transaction)], None, 10)
    if not found:
        raise UnknownName(f"No indexed event comes from transaction {transaction}.")
    return pages_of(request).render(
        request, "transaction.html", transaction=transaction, events=found, faults=shown.rows, lease_tokens=paid_in
    )

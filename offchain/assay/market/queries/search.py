"""Searching devices: filters, orders, and how many there are beside each filter."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, select

from assay.market.errors import BadQuery
from assay.market.projection.listings import AVAILABLE, FACETS
from assay.market.queries.pages import Order, Page, page
from assay.market.store.tables import facet_counts, listings

ORDERS = {
    "price": Order("rate"),
    "value": Order("unit_rate"),
    "score": Order("score_gops", descending=True),
    "memory": Order("memory_mib", descending=True),
    "reliability": Order("reliability_bps", descending=True),
}
# Facets that are counted exactly: a search by nothing else has an exact total.
MEMORY_STEPS_GIB = (8, 16, 24, 40, 48, 80, 141)


@dataclass(frozen=True, slots=True)
class Search:
    """What somebody looks for. An empty tuple filters nothing; rates are base units x 10^18 a second."""

    states: tuple[str, ...] = (AVAILABLE,)
    profiles: tuple[int, ...] = ()
    models: tuple[str, ...] = ()
    regions: tuple[str, ...] = ()
    tokens: tuple[str, ...] = ()
    provider: str | None = None
    min_memory_gib: int = 0
    min_score: int = 0
    max_rate: int | None = None
    min_reliability_bps: int = 0
    min_hours: int = 0
    sort: str = "price"


def conditions(search: Search) -> list[ColumnElement[bool]]:
    """The search as conditions on listings."""
    c = listings.c
    found: list[ColumnElement[bool]] = []
    for column, chosen in (
        (c.state, search.states),
        (c.profile, search.profiles),
        (c.model, search.models),
        (c.region, search.regions),
        (c.token, search.tokens),
    ):
        if chosen:
            found.append(column == chosen[0] if len(chosen) == 1 else column.in_(chosen))
    if search.provider:
        found.append(c.provider == search.provider)
    if search.min_memory_gib:
        found.append(c.memory_mib >= search.min_memory_gib * 1024)
    if search.min_score:
        found.append(c.score_gops >= search.min_score)
    if search.max_rate is not None:
        found.append(c.rate <= search.max_rate)
    if search.min_reliability_bps:
        found.append(c.reliability_bps >= search.min_reliability_bps)
    if search.min_hours:
        found.append(c.max_duration >= search.min_hours * 3600)
    return found


def find(connection: Connection, search: Search, cursor: str | None, limit: int) -> Page:
    """One page of listings. Raises BadQuery."""
    if search.sort not in ORDERS:
        raise BadQuery(f"sort: {search.sort[:40]!r}, expected one of {', '.join(ORDERS)}")
    order = ORDERS[search.sort]
    where = conditions(search)
    if order.column in ("rate", "unit_rate"):
        where.append(listings.c[order.column].is_not(None))
    return page(connection, listings, where, order, cursor, limit)


@dataclass(frozen=True, slots=True)
class Counts:
    """Devices by the values of each facet, every other filter applied, and in all; exact unless `at_most`."""

    facets: dict[str, dict[Any, int]]
    total: int
    at_most: bool


def count(connection: Connection, search: Search) -> Counts:
    """Counts beside the filters, from the table that keeps them."""
    rows = [tuple(row) for row in connection.execute(select(facet_counts))]
    return count_rows(rows, search)


def count_rows(rows: Sequence[tuple[Any, ...]], search: Search) -> Counts:
    """Counts of (facets..., count) rows."""
    tests: dict[str, Callable[[Any], bool]] = {
        "state": _chosen(search.states),
        "profile": _chosen(search.profiles),
        "model": _chosen(search.models),
        "region": _chosen(search.regions),
        "memory_gib": lambda gib: gib >= search.min_memory_gib,
        "token": _chosen(search.tokens),
    }
    facets: dict[str, Counter[Any]] = {name: Counter() for name in FACETS}
    total = 0
    for row in rows:
        failed = [n for n, name in enumerate(FACETS) if not tests[name](row[n])]
        if not failed:
            total += row[-1]
            for n, name in enumerate(FACETS):
                facets[name][row[n]] += row[-1]
        elif len(failed) == 1:
            # What choosing this value instead, or as well, would bring.
            facets[FACETS[failed[0]]][row[failed[0]]] += row[-1]
    unindexed = (search.provider, search.min_score, search.min_reliability_bps, search.min_hours)
    return Counts(
        {name: dict(counter) for name, counter in facets.items()},
        total,
        any(unindexed) or search.max_rate is not None,
    )


def _chosen(values: Sequence[Any]) -> Callable[[Any], bool]:
    return (lambda value: value in values) if values else (lambda value: True)

"""Search against a plain reading of every row."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, insert, select, update

from assay.market.errors import BadQuery
from assay.market.queries.search import Search, SearchTable
from assay.market.store.tables import listings
from assay.sheet import fields
from assay.sheet.orders import SORTS
from tests.unit.market.blank_database import blank_database

SHEET = [column.name for column in listings.c if column.name in {one.column for one in fields.NUMBERS.values()}]
GPUS = (1, 2, 8, 16)
STATES, MODELS, TOKENS = ("available", "leased", "new"), ("A", "B", ""), ("0x" + "11" * 20, "0x" + "22" * 20)
# Prices that differ only where a double cannot tell, and prices that are equal.
RATES = (None, 1, 10**20, 10**20 + 1, 10**20 + 2, 2**127, 2**127 + 1, 2**64 - 1, 2**64)


def rows(count: int, seed: int) -> list[dict[str, Any]]:
    choice = random.Random(seed)
    found = []
    for n in range(count):
        rate = choice.choice(RATES)
        found.append(
            {
                **dict.fromkeys(SHEET, 0),
                # Equal beginnings: ties must be settled by the whole id.
                "listing_id": bytes([choice.randrange(2)]) * 8 + n.to_bytes(24, "big"),
                "device_ids": (), "gpus": choice.choice(GPUS), "operator": None, "notice": choice.choice((0, 60)),
                "memory_proven": choice.random() < 0.7,
                "state": choice.choice(STATES), "provider": choice.choice(TOKENS), "profile": choice.randint(1, 2),
                "model": choice.choice(MODELS), "region": "", "memory_mib": 1024 * choice.randrange(4),
                "score_gops": choice.randrange(3), "uptime_bps": 0, "reliability_bps": 100 * choice.randrange(3),
                "model_name": "", "declared_mib": 0, "memory_gb": choice.randrange(4), "expected_gops": 0,
                "of_expected_bps": choice.randrange(3), "cuda": choice.randrange(3),
                "disk_read_mbs": choice.randrange(3), "driver": "", "measured_epoch": 0, "passed_epoch": 0, "flags": 1,
                "enrolled_at": 0,
                "token": choice.choice(TOKENS) if rate is not None else None, "rate": rate, "unit_rate": rate,
                "rank_rate": rate, "provider_slashes": choice.randrange(2),
                "min_duration": 0, "max_duration": 3600 * choice.randrange(3), "offer": None, "valid_until": 0,
                "busy_until": 0, "changes_at": 0, "host_cores": choice.randrange(4),
                "host_memory_mib": 1024 * choice.randrange(4), "host_disk_mib": max(0, 1024 * choice.randrange(4) - 1),
            }
        )  # fmt: skip
        found[-1]["model_name"] = found[-1]["model"]
    return found


searches = st.builds(
    Search,
    states=st.sampled_from([(), ("available",), ("available", "leased"), ("nothing",)]),
    gpus=st.sampled_from([(), (1,), (2, 16), (3,)]),
    profiles=st.sampled_from([(), (1,)]),
    models=st.sampled_from([(), ("A",), ("A", "B")]),
    tokens=st.sampled_from([(), TOKENS[:1]]),
    provider=st.sampled_from([None, TOKENS[1]]),
    min_memory_gib=st.integers(0, 3),
    min_memory_gb=st.integers(0, 3),
    min_of_expected_bps=st.integers(0, 2),
    at_least=st.sampled_from([(), (("cuda", 1),), (("disk_read_mbs", 1), ("disk_read_mbs", 2))]),
    at_most=st.sampled_from([(), (("disk_read_mbs", 1),)]),
    min_cpus=st.integers(0, 3),
    min_ram_gib=st.integers(0, 3),
    min_disk_gib=st.integers(0, 3),
    min_score=st.integers(0, 2),
    max_rate=st.sampled_from([None, 10**20 + 1, 2**64 - 1, 2**127]),
    min_reliability_bps=st.sampled_from([0, 100]),
    min_hours=st.integers(0, 2),
    firm=st.booleans(),
    no_slashed=st.booleans(),
    sort=st.sampled_from(list(SORTS)),
)


def memory(row: dict[str, Any]) -> int:
    """What the escrow would take for memory: what is only declared is none."""
    return int(row["memory_mib"]) if row["memory_proven"] else 0


def matches(row: dict[str, Any], s: Search) -> bool:
    return (
        (not s.states or row["state"] in s.states)
        and (not s.profiles or row["profile"] in s.profiles)
        and (not s.models or row["model"] in s.models)
        and (not s.tokens or row["token"] in s.tokens)
        and (s.provider is None or row["provider"] == s.provider)
        and (not s.gpus or row["gpus"] in s.gpus)
        and memory(row) >= s.min_memory_gib * 1024
        and (not s.no_slashed or row["provider_slashes"] == 0)
        and (not s.firm or row["notice"] == 0)
        and all(row[column] >= bound for column, bound in s.at_least)
        and all(0 < row[column] <= bound for column, bound in s.at_most)
        and row["memory_gb"] >= s.min_memory_gb
        and row["of_expected_bps"] >= s.min_of_expected_bps
        and row["host_cores"] >= s.min_cpus
        and row["host_memory_mib"] >= s.min_ram_gib * 1024
        and row["host_disk_mib"] >= s.min_disk_gib * 1024
        and row["score_gops"] >= s.min_score
        and (s.max_rate is None or (row["rate"] is not None and row["rate"] <= s.max_rate))
        and row["reliability_bps"] >= s.min_reliability_bps
        and row["max_duration"] >= s.min_hours * 3600
    )


def in_order(found: list[dict[str, Any]], s: Search) -> list[bytes]:
    order = SORTS[s.sort]
    column, down = order.column, order.descending
    kept = [r for r in found if matches(r, s)]
    # Whatever has no price comes after everything that has one.
    value = memory if column == "memory_mib" else lambda r: r[column]
    kept.sort(
        key=lambda r: (
            value(r) is None,
            (r["token"] or "") if order.is_amount else "",
            (value(r) or 0) * (-1 if down else 1),
            r["listing_id"],
        )
    )
    return [r["listing_id"] for r in kept]


@settings(max_examples=60, deadline=None)
@given(searches, st.integers(0, 90), st.integers(0, 3), st.integers(1, 7))
def test_find__page_by_page__gives_every_match_once_in_order(search: Search, count: int, seed: int, limit: int) -> None:
    engine = blank_database()
    made = rows(count, seed)
    with engine.begin() as connection:
        if made:
            connection.execute(insert(listings), made)
    table = SearchTable(engine)
    found: list[bytes] = []
    cursor = None
    with engine.connect() as connection:
        while True:
            if search.max_rate is not None and len({r["token"] for r in made if matches(r, search)}) > 1:
                with pytest.raises(BadQuery, match="maxRate: is an amount of one token"):
                    table.find(connection, search, cursor, limit)
                with pytest.raises(BadQuery, match="maxRate: is an amount of one token"):
                    table.count_in_one_token(search)
                return
            page = table.find(connection, search, cursor, limit)
            found += [row["listing_id"] for row in page.rows]
            cursor = page.next
            if cursor is None:
                break
    counts = table.count_in_one_token(search)
    assert counts == table.count(search)
    assert found == in_order(made, search)
    others = [row for row in made if matches(row, replace(search, gpus=()))]
    assert counts.facets["gpus"] == Counter(row["gpus"] for row in others)
    assert counts.total == sum(matches(row, search) for row in made)


@settings(max_examples=20, deadline=None)
@given(searches, st.integers(0, 5))
def test_update__of_changed_and_removed_listings__equals_a_table_loaded_anew(search: Search, seed: int) -> None:
    engine = blank_database()
    with engine.begin() as connection:
        connection.execute(insert(listings), rows(40, seed))
    table = SearchTable(engine)
    with engine.begin() as connection:
        ids = list(connection.execute(select(listings.c.listing_id)).scalars())
        gone, changed = ids[::5], ids[1::4]
        connection.execute(delete(listings).where(listings.c.listing_id.in_(gone)))
        connection.execute(update(listings).where(listings.c.listing_id.in_(changed)).values(rate=7, state="leased"))
    table.update([*gone, *changed])
    with engine.connect() as connection:
        mine = table.find(connection, search, None, 50)
        fresh = SearchTable(engine)
        assert mine == fresh.find(connection, search, None, 50)
        assert table.count(search) == fresh.count(search)

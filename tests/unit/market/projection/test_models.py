"""What a market makes of declared models: one spelling, the memory they are sold with, and how much of it is shown."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import delete, select

from assay.market.follow.index import MarketIndex
from assay.market.projection.listings import Member, Now, Passed
from assay.market.projection.listings import listing as list_devices
from assay.market.store.database import INDEX_TABLES
from assay.market.store.rows import new_row, table_rows
from assay.market.store.tables import devices, facet_counts, listings, profiles
from tests.unit.market.follow.test_offers import market  # noqa: F401 - a fixture

NOW = Now(1_000, 0)


def member(model: str, mib: int, max_gops: int = 2_000_000) -> Member:
    spec = {"model": model, "memory_mib": mib, "region": ""}
    profile = new_row(profiles, (1,)) | {
        "m": 4096,
        "n": 4096,
        "k": 65_536,
        "t": 4_500,
        "w": 2_048,
        "max_gops": max_gops,
    }
    return Member(new_row(devices, (bytes(32),)) | {"provider": "0x", "passed": 1}, spec, None, profile)


def listed(*members: Member, score: int) -> dict[str, Any]:
    return list_devices(members, None, Passed(1, score, 1_024), False, NOW)


def test_listing__an_h100_that_makes_half_of_one__is_seen_to() -> None:
    whole = listed(member("NVIDIA H100 80GB HBM3", 81_559), score=800_000)
    half = listed(member("NVIDIA H100 80GB HBM3", 81_559), score=395_800)
    assert (whole["model_name"], whole["memory_gb"], whole["declared_mib"]) == ("H100 SXM", 80, 81_559)
    assert whole["of_expected_bps"] > 10_000
    assert half["of_expected_bps"] == 5_000


def test_listing__of_a_class_that_caps_scores__is_whole_at_the_cap() -> None:
    assert listed(member("H100 SXM", 81_559, 700_000), score=700_000)["of_expected_bps"] == 10_000


def test_listing__a_slow_card_in_a_node_of_another_kind__is_not_hidden_by_it() -> None:
    mixed = listed(member("H100 SXM", 81_559), member("RTX 3060", 12_288), score=40_760)
    assert mixed["of_expected_bps"] < 1_000
    assert mixed["memory_gb"] == 12
    # Nothing is expected of what nobody knows: the whole is not judged by the rest.
    assert listed(member("H100 SXM", 81_559), member("Thing", 0), score=1)["of_expected_bps"] == 0


@pytest.mark.parametrize("lies", ["NVIDIA H100 80GB HBM3", "B200"])
def test_listing__a_card_that_declares_a_better_name__shows_how_little_of_it_was_proven(lies: str) -> None:
    assert listed(member(lies, 24_564), score=264_000)["of_expected_bps"] < 3_500
    assert listed(member(lies, 24_564), score=264_000)["memory_gb"] == 24


def with_document(document: dict[str, Any]) -> Member:
    one = member("H100 SXM", 81_559)
    return replace(one, specification={**(one.specification or {}), "document": json.dumps(document)})


def test_listing__of_what_is_declared__has_the_least_of_its_devices_and_nothing_where_one_is_silent() -> None:
    first = with_document({"driver": "570.86", "sheet": {"cuda": 1208, "diskReadMbs": 6_000, "cpuMhz": 3_000}})
    second = with_document({"driver": "570.86", "sheet": {"cuda": 1204, "diskReadMbs": 2_000}})
    both = listed(first, second, score=1)
    assert (both["driver"], both["cuda"], both["disk_read_mbs"], both["cpu_mhz"]) == ("570.86", 1204, 2_000, 0)
    assert (both["bf16_tflops"], both["bandwidth_gbs"]) == (989, 3_350)


def test_listing__that_showed_its_memory_in_time__read_it_at_least_as_fast_as_that_takes() -> None:
    assert listed(member("H100 SXM", 81_559), score=1)["memory_read_gbs"] == 130
    assert list_devices([member("H100", 1)], None, Passed(1, 1, 0), False, NOW)["memory_read_gbs"] == 0


def test_complete__after_a_migration_that_empties_listings__makes_them_as_they_were(market: MarketIndex) -> None:  # noqa: F811
    with market.engine.connect() as connection:
        before = list(table_rows(connection, INDEX_TABLES))
    assert market.complete() == 0
    with market.engine.begin() as connection:
        connection.execute(delete(listings))
        connection.execute(delete(facet_counts))
    assert market.complete() > 0
    with market.engine.connect() as connection:
        assert list(table_rows(connection, INDEX_TABLES)) == before
        assert connection.execute(select(listings.c.model_name)).scalars().all()

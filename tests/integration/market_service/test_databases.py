"""The same history on SQLite and on PostgreSQL gives the same bytes; migrations make the schema that the code has."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine, insert

from assay.market.errors import BadDatabase, WrongDatabase
from assay.market.events.device_events import DeviceEnrolled, DeviceRetired
from assay.market.events.record import Place
from assay.market.events.registry import log_of
from assay.market.follow.index import LogBatch, MarketIndex, Tip
from assay.market.follow.offer_follower import OfferFollower
from assay.market.queries.rollbacks import branch_marked, newest_branch, taken_back
from assay.market.queries.search import Search, SearchTable
from assay.market.sources.offers import specification
from assay.market.store.database import INDEX_TABLES, claim_identity, metadata, migrate, open_database
from assay.market.store.rows import table_rows
from assay.market.store.tables import identity, rewards, tips
from assay.protocol.signing import Domain
from assay.sheet.orders import ORDERS
from benchmarks.market.postgres import installed, temporary_postgres

from .seeded import account, fill, h

NOW = 1_800_000_000


@pytest.fixture(scope="module")
def postgres() -> Iterator[str]:
    if installed() is None:
        pytest.skip("no PostgreSQL here: install Debian's package postgresql")
    with temporary_postgres(64) as url:
        yield url


def dump(index: MarketIndex) -> list[str]:
    with index.engine.connect() as connection:
        return list(table_rows(connection, INDEX_TABLES))


def test_index__on_either_database__is_the_same_bytes_and_the_same_search(tmp_path: Path, postgres: str) -> None:
    dumps, pages = [], []
    for where in (str(tmp_path / "market.sqlite3"), postgres):
        index = MarketIndex(open_database(where), max_age=6)
        fill(index, NOW)
        dumps.append(dump(index))
        table = SearchTable(index.engine)
        with index.engine.connect() as connection:
            pages.append([table.find(connection, Search(states=(), sort=s), None, 50) for s in ORDERS])
        assert index.roll_back(0) is None
        assert dump(index) == []
        if where != postgres:
            fill(index, NOW)
            assert dump(index) == dumps[-1]
        index.engine.dispose()
    assert len(dumps[0]) > 500
    assert dumps[0] == dumps[1]
    assert pages[0] == pages[1]


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_specification__as_odd_and_long_as_can_be__is_taken_and_taken_back_like_any_other(
    kind: str, tmp_path: Path, postgres: str
) -> None:
    index = MarketIndex(open_database(postgres if kind == "postgresql" else str(tmp_path / "m.sqlite3")), max_age=6)
    index.roll_back(0)
    # Outside the basic plane: twelve characters of JSON for each.
    odd = specification(
        {"model": "\U0001f984" * 80, "region": "\U0001f30d" * 40, "memoryMiB": 1, "kind": "\U0001f4a5" * 80}
    )
    provider, device_id = account("odd"), h("odd device")
    enrolled = DeviceEnrolled(device_id, provider, account("key"), 1, odd.spec_hash)
    index.apply(LogBatch([log_of(enrolled, Place(1, 0, h("tx"), NOW))], {}, Tip(1, h("1"), NOW)))
    follower = OfferFollower(index, None, Domain(31337, account("escrow")))  # type: ignore[arg-type]
    assert follower.take(provider, [], [odd]) > 0
    index.apply(LogBatch([log_of(DeviceRetired(device_id, 2), Place(2, 0, h("tx 2"), NOW))], {}, Tip(2, h("2"), NOW)))
    table = SearchTable(index.engine)
    with index.engine.connect() as connection:
        (row,) = table.find(connection, Search(states=()), None, 9).rows
    assert (row["model"], row["state"]) == ("\U0001f984" * 80, "retired")
    index.roll_back(1)
    with index.engine.connect() as connection:
        (row,) = SearchTable(index.engine).find(connection, Search(states=()), None, 9).rows
    assert row["state"] == "new"
    index.roll_back(0)
    index.engine.dispose()


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_migrations__run_to_the_end__leave_nothing_that_the_tables_differ_by(
    kind: str, tmp_path: Path, postgres: str
) -> None:
    engine = open_database(postgres if kind == "postgresql" else str(tmp_path / "m.sqlite3"))
    with engine.connect() as connection:
        found = compare_metadata(MigrationContext.configure(connection), metadata)
    engine.dispose()
    assert found == []


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_rollbacks__of_an_index__outlive_it_and_are_told_to_whoever_saw_what_was_undone(
    kind: str, tmp_path: Path, postgres: str
) -> None:
    index = MarketIndex(open_database(postgres if kind == "postgresql" else str(tmp_path / "m.sqlite3")), max_age=6)
    index.roll_back(0)
    with index.engine.connect() as connection:
        before = newest_branch(connection)
    for block in (5, 7, 9):
        index.apply(LogBatch([], {}, Tip(block, h(f"block {block}"), block)))
    index.roll_back(9)
    with index.engine.connect() as connection:
        assert taken_back(connection, before) is None
    index.roll_back(8)
    with index.engine.connect() as connection:
        back = taken_back(connection, before)
        after = newest_branch(connection)
        assert back == (7, after) and after != before
        assert branch_marked(connection, after.mark) == after
        assert branch_marked(connection, "00" * 8) is None
    index.roll_back(0)
    with index.engine.connect() as connection:
        assert taken_back(connection, after) == (0, newest_branch(connection))
    assert dump(index) == []
    index.engine.dispose()


@pytest.mark.parametrize("revision", ["0002", "0003", "0005"])
def test_database__of_a_version_that_noted_less_of_events__is_emptied_to_be_read_anew(
    revision: str, tmp_path: Path
) -> None:
    path = tmp_path / "m.sqlite3"
    engine = create_engine(f"sqlite:///{path}")
    with engine.begin() as connection:
        migrate(connection, revision)
        connection.execute(insert(tips), [{"block": 7, "hash": b"7", "timestamp": 70}])
        connection.execute(insert(rewards), [{"epoch": 1, "account": "0xaa", "cumulative": 5}])
        connection.execute(insert(identity), [{"name": "chain", "value": "1"}])
    engine.dispose()
    engine = open_database(str(path))
    index = MarketIndex(engine, max_age=6)
    assert (index.tip(), dump(index)) == (None, [])
    with pytest.raises(WrongDatabase, match="chain 1, the deployment is 2"):
        claim_identity(engine, {"chain": "2"})
    engine.dispose()


def test_database__of_another_network__is_refused(tmp_path: Path) -> None:
    engine = open_database(str(tmp_path / "m.sqlite3"))
    claim_identity(engine, {"chain": "1", "EpochOracle": "0xaa"})
    claim_identity(engine, {"chain": "1", "EpochOracle": "0xaa"})
    with pytest.raises(WrongDatabase, match="EpochOracle 0xaa, the deployment is 0xbb"):
        claim_identity(engine, {"chain": "1", "EpochOracle": "0xbb"})
    engine.dispose()


@pytest.mark.parametrize("where", ["mysql://u@h/n", "postgresql://nobody@/x?host=/nowhere", "/proc/nowhere/m.sqlite3"])
def test_database__that_cannot_be_opened__is_a_clear_error(where: str) -> None:
    with pytest.raises(BadDatabase):
        open_database(where)

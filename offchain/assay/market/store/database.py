"""Opening the database: SQLite by a path, PostgreSQL by a URL, brought to the newest schema by Alembic."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, Engine, create_engine, event, insert, select, text
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from assay.market.errors import BadDatabase, WrongDatabase
from assay.market.store import chain_tables, content_tables, sync_tables
from assay.market.store.metadata import metadata

MIGRATIONS = Path(__file__).with_name("migrations")
# Everything that follows from the chain and from what was served, without the market's own book-keeping.
INDEX_TABLES = (*chain_tables.CHAIN_TABLES, *content_tables.CONTENT_TABLES)


def database_url(where: str) -> str:
    """A SQLAlchemy URL of a path or of a URL; `postgresql://` is served by psycopg 3. Raises BadDatabase."""
    if "://" not in where:
        return f"sqlite:///{where}"
    scheme, rest = where.split("://", 1)
    if scheme in ("postgres", "postgresql", "postgresql+psycopg"):
        return f"postgresql+psycopg://{rest}"
    if scheme == "sqlite":
        return where
    raise BadDatabase(f"{scheme}://…: expected a file path, sqlite:///PATH or postgresql://USER@HOST/NAME")


def open_database(where: str, *, pool: int = 8) -> Engine:
    """An engine on a migrated database. Raises BadDatabase."""
    url = database_url(where)
    try:
        engine = _engine(url, pool)
        with engine.begin() as connection:
            migrate(connection)
    except (SQLAlchemyError, ArgumentError, OSError) as error:
        reason = str(getattr(error, "orig", error)).splitlines()[0][:300]
        raise BadDatabase(f"the database cannot be opened: {reason}") from None
    return engine


def _engine(url: str, pool: int) -> Engine:
    if not url.startswith("sqlite"):
        return create_engine(url, pool_size=pool, max_overflow=pool, pool_pre_ping=True)
    path = url.removeprefix("sqlite://").removeprefix("/")
    if path not in ("", ":memory:"):
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        engine = create_engine(url, pool_size=pool, max_overflow=pool)
    else:
        from sqlalchemy.pool import StaticPool

        engine = create_engine("sqlite://", poolclass=StaticPool, connect_args={"check_same_thread": False})

    @event.listens_for(engine, "connect")
    def _pragmas(connection: Any, _record: Any) -> None:
        # Everything here can be read again from the chain: a commit need not reach the disk at once.
        for pragma in (
            "journal_mode=WAL",
            "synchronous=NORMAL",
            "busy_timeout=15000",
            "mmap_size=1073741824",
            "cache_size=-65536",
            "temp_store=MEMORY",
        ):
            connection.execute(f"PRAGMA {pragma}")

    return engine


@contextmanager
def one_state(engine: Engine) -> Iterator[Connection]:
    """A connection whose reads all see the state of the database that the first of them sees."""
    with engine.connect() as connection:
        if engine.dialect.name != "sqlite":
            yield connection.execution_options(isolation_level="REPEATABLE READ")
            return
        # The driver begins transactions for writes only; a database in memory has one connection, which may be in one.
        if not connection.connection.driver_connection.in_transaction:  # type: ignore[union-attr]
            connection.exec_driver_sql("BEGIN")
        yield connection


def migrate(connection: Connection, revision: str = "head") -> None:
    """Brings the schema to the newest revision, or to an earlier one."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["connection"] = connection
    command.upgrade(config, revision)


def claim_identity(engine: Engine, expected: dict[str, str]) -> None:
    """Notes which network the index is of. Raises WrongDatabase if it is another's."""
    table = sync_tables.identity
    with engine.begin() as connection:
        found = {row.name: row.value for row in connection.execute(select(table))}
        for name, value in expected.items():
            if found.get(name, value) != value:
                raise WrongDatabase(name, found[name], value)
        fresh = [{"name": n, "value": v} for n, v in expected.items() if n not in found]
        if fresh:
            connection.execute(insert(table), fresh)


def database_bytes(engine: Engine) -> int:
    """What the index takes on the disk, without what is free for reuse within it."""
    with engine.connect() as connection:
        if engine.dialect.name == "sqlite":
            pages, free, size = (
                connection.exec_driver_sql(f"PRAGMA {name}").scalar_one()
                for name in ("page_count", "freelist_count", "page_size")
            )
            return int((pages - free) * size)
        return int(connection.execute(text("SELECT pg_database_size(current_database())")).scalar_one())


def analyse(engine: Engine) -> None:
    """Refreshes the planner's statistics."""
    with engine.begin() as connection:
        connection.execute(text("ANALYZE"))


__all__ = [
    "INDEX_TABLES",
    "analyse",
    "claim_identity",
    "database_bytes",
    "database_url",
    "metadata",
    "migrate",
    "one_state",
    "open_database",
]

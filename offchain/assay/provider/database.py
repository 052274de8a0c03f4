"""The provider's own SQLite: what it signed, the jobs it runs, the requests it has seen."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sqlalchemy import (
    URL,
    Column,
    Engine,
    Float,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    create_engine,
    event,
)

from assay.provider.errors import ProviderError

VERSION = 2

metadata = MetaData()

commitments = Table(
    "commitments",
    metadata,
    Column("device_id", LargeBinary, nullable=False),
    Column("epoch", Integer, nullable=False),
    Column("epoch_seed", LargeBinary, nullable=False),
    Column("profile_id", Integer, nullable=False),
    Column("nonce_root", LargeBinary, nullable=False),
    Column("answer", String, nullable=False),
    PrimaryKeyConstraint("device_id", "epoch", "epoch_seed"),
)

lane_commitments = Table(
    "lane_commitments",
    metadata,
    Column("device_id", LargeBinary, nullable=False),
    Column("epoch", Integer, nullable=False),
    Column("epoch_seed", LargeBinary, nullable=False),
    Column("challenge", LargeBinary, nullable=False),
    Column("answer", String, nullable=False),
    PrimaryKeyConstraint("device_id", "epoch", "epoch_seed"),
)

handovers = Table(
    "handovers",
    metadata,
    Column("lease_id", String, nullable=False),
    Column("device_id", LargeBinary, nullable=False),
    Column("epoch_seed", LargeBinary, nullable=False),
    Column("nonce", LargeBinary, nullable=False),
    Column("answer", String, nullable=False),
    PrimaryKeyConstraint("lease_id", "device_id"),
)

lease_offers = Table(
    "lease_offers",
    metadata,
    Column("lease_id", String, primary_key=True),
    Column("offer", String, nullable=False),
)

jobs = Table(
    "jobs",
    metadata,
    Column("job_id", String, primary_key=True),
    Column("lease_id", String, nullable=False, index=True),
    Column("runtime", String, nullable=False),
    Column("handle", String, nullable=False),
    Column("status", String, nullable=False),
    Column("reason", String),
    Column("exit_code", Integer),
    Column("created_at", Float, nullable=False),
    Column("ended_at", Float),
)

leases = Table(
    "leases",
    metadata,
    Column("lease_id", String, primary_key=True),
    Column("settled", Integer, nullable=False, default=0),
    Column("wiped_at", Float),
)

seen_requests = Table(
    "seen_requests",
    metadata,
    Column("digest", LargeBinary, primary_key=True),
    Column("expires_at", Float, nullable=False, index=True),
)

wipes = Table(
    "wipes",
    metadata,
    Column("lease_id", String, primary_key=True),
    Column("wiped_at", Integer, nullable=False),
    Column("files", Integer, nullable=False),
    Column("bytes", Integer, nullable=False),
    Column("entries_left", Integer, nullable=False),
    Column("signature", LargeBinary, nullable=False),
)

notebooks = Table(
    "notebooks",
    metadata,
    Column("lease_id", String, primary_key=True),
    Column("job_id", String, nullable=False),
)

pods = Table(
    "pods",
    metadata,
    Column("lease_id", String, primary_key=True),
    Column("renter", String),
)

# By renter, too: what somebody chose while a lease of that number seemed to be theirs is nobody else's.
pod_images = Table(
    "pod_images",
    metadata,
    Column("lease_id", String, nullable=False),
    Column("renter", String, nullable=False),
    Column("image", String, nullable=False),
    PrimaryKeyConstraint("lease_id", "renter"),
)

ssh_keys = Table(
    "ssh_keys",
    metadata,
    Column("lease_id", String, nullable=False),
    Column("fingerprint", String, nullable=False),
    PrimaryKeyConstraint("lease_id", "fingerprint"),
)

images = Table(
    "images",
    metadata,
    Column("image_id", String, primary_key=True),
    Column("reference", String, nullable=False, index=True),
    Column("used_at", Float, nullable=False),
    Column("public", Integer, nullable=False, default=0),
)

# Begun, and not known to have left an image or nothing.
pulls = Table(
    "pulls",
    metadata,
    Column("name", String, primary_key=True),
    Column("manifest", LargeBinary, nullable=False),
    Column("config", LargeBinary, nullable=False),
)


def open_database(path: Path | None) -> Engine:
    """Opens (and creates) the database at `path`, or in memory for None.

    Writes are flushed to the disk before a statement returns: a commitment must outlive a crash once it is
    sent. Raises ProviderError for a database that was made for earlier contracts.
    """
    if path is None:
        from sqlalchemy.pool import StaticPool

        engine = create_engine("sqlite://", poolclass=StaticPool, connect_args={"check_same_thread": False})
    else:
        path.parent.mkdir(parents=True, exist_ok=True)
        # Not in a text, in which a question mark of the folder's name would begin the options.
        engine = create_engine(URL.create("sqlite", database=str(path)))

    @event.listens_for(engine, "connect")
    def _pragmas(connection: Any, _record: Any) -> None:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA busy_timeout=5000")

    with engine.begin() as connection:
        version = connection.exec_driver_sql("PRAGMA user_version").scalar_one()
        fresh = not connection.exec_driver_sql("SELECT count(*) FROM sqlite_master").scalar_one()
        if version != VERSION and not fresh:
            raise ProviderError(
                f"{path}: its tables are of version {version}, this daemon's of version {VERSION}; they were made for "
                "contracts that this deployment replaced: name an empty folder with --data-dir"
            )
        metadata.create_all(connection)
        connection.exec_driver_sql(f"PRAGMA user_version = {VERSION}")
    return engine

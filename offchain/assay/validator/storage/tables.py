"""The tables of a validator's database: what it was told, what it measured, what it serves."""

from __future__ import annotations

from pathlib import Path

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
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.pool import ConnectionPoolEntry

metadata = MetaData()

# Bodies by the H of their bytes. `kind` is one of commitment, lanes, inventory, seal, batch, opening, devices,
# rewards.
contents = Table(
    "contents",
    metadata,
    Column("hash", LargeBinary(32), primary_key=True),
    Column("epoch", Integer, nullable=False, index=True),
    Column("kind", String(16), nullable=False),
    Column("body", LargeBinary, nullable=False),
)

# This validator's own nonce for each device: a retry after a crash must ask with the same one.
nonces = Table(
    "nonces",
    metadata,
    Column("epoch", Integer, nullable=False),
    Column("device_id", LargeBinary(32), nullable=False),
    Column("epoch_seed", LargeBinary(32), nullable=False),
    Column("nonce", LargeBinary(32), nullable=False),
    PrimaryKeyConstraint("epoch", "device_id", "epoch_seed"),
)

# Commitments seen, the one held first; `elapsed_us` is 0 for one that came from a peer, untimed.
commitments = Table(
    "commitments",
    metadata,
    Column("epoch", Integer, nullable=False),
    Column("device_id", LargeBinary(32), nullable=False),
    Column("epoch_seed", LargeBinary(32), nullable=False),
    Column("content", LargeBinary(32), nullable=False),
    Column("elapsed_us", Integer, nullable=False),
    PrimaryKeyConstraint("epoch", "device_id", "epoch_seed", "content"),
)

# Answers to the memory probe, as the commitments above.
lanes = Table(
    "lanes",
    metadata,
    Column("epoch", Integer, nullable=False),
    Column("device_id", LargeBinary(32), nullable=False),
    Column("epoch_seed", LargeBinary(32), nullable=False),
    Column("content", LargeBinary(32), nullable=False),
    Column("elapsed_us", Integer, nullable=False),
    PrimaryKeyConstraint("epoch", "device_id", "epoch_seed", "content"),
)

# Messages of seats: `kind` is one of instant, probe-instant, inventory, batch, seal-proposal, report-proposal,
# statement.
messages = Table(
    "messages",
    metadata,
    Column("epoch", Integer, nullable=False),
    Column("kind", String(16), nullable=False),
    Column("seat", String(42), nullable=False),
    Column("hash", LargeBinary(32), nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("received_at", Float, nullable=False),
    PrimaryKeyConstraint("epoch", "kind", "hash"),
)

# What came out of checking a device's opening, and where the opening is kept (null where there is none).
verdicts = Table(
    "verdicts",
    metadata,
    Column("epoch", Integer, nullable=False),
    Column("device_id", LargeBinary(32), nullable=False),
    Column("rho", LargeBinary(32), nullable=False),
    Column("outcome", String(8), nullable=False),
    Column("reason", String(512), nullable=False),
    Column("opening", LargeBinary(32), nullable=True),
    PrimaryKeyConstraint("epoch", "device_id", "rho"),
)

# Epochs of whose openings this seat has let go what enough others keep.
shared_out = Table("shared_out", metadata, Column("epoch", Integer, primary_key=True))

# Whether a device has shown the memory it claims, and why not.
memory_verdicts = Table(
    "memory_verdicts",
    metadata,
    Column("epoch", Integer, nullable=False),
    Column("device_id", LargeBinary(32), nullable=False),
    Column("rho", LargeBinary(32), nullable=False),
    Column("shown", Integer, nullable=False),
    Column("reason", String(512), nullable=False),
    PrimaryKeyConstraint("epoch", "device_id", "rho"),
)

# Requests whether a device is there, by the lease that it was under then; 0 for none.
liveness = Table(
    "liveness",
    metadata,
    Column("epoch", Integer, nullable=False),
    Column("device_id", LargeBinary(32), nullable=False),
    Column("lease_id", Integer, nullable=False),
    Column("asked", Integer, nullable=False),
    Column("answered", Integer, nullable=False),
    PrimaryKeyConstraint("epoch", "device_id", "lease_id"),
)

# Epochs that stopped before their seal and that this seat has checked in for; `transaction` is empty where another copy
# of it did.
check_ins = Table(
    "check_ins",
    metadata,
    Column("epoch", Integer, primary_key=True),
    Column("transaction", String(66), nullable=False),
)

# How each epoch ended here; roots are null where it never got so far.
epochs = Table(
    "epochs",
    metadata,
    Column("epoch", Integer, primary_key=True),
    Column("epoch_seed", LargeBinary(32), nullable=True),
    Column("outcome", String(16), nullable=False),
    Column("reason", String(256), nullable=False),
    Column("seal_content", LargeBinary(32), nullable=True),
    Column("devices_root", LargeBinary(32), nullable=True),
    Column("rewards_root", LargeBinary(32), nullable=True),
    Column("updated_at", Float, nullable=False),
)


# Contents by the root of the tree they make: `kind` is devices or rewards.
trees = Table(
    "trees",
    metadata,
    Column("root", LargeBinary(32), primary_key=True),
    Column("epoch", Integer, nullable=False),
    Column("kind", String(16), nullable=False),
    Column("content", LargeBinary(32), nullable=False),
)


def open_database(path: Path) -> Engine:
    """The database at `path`, made if it is not there. Raises OSError where its folder cannot be written."""
    path.parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(URL.create("sqlite", database=str(path)), connect_args={"timeout": 30})

    @event.listens_for(engine, "connect")
    def _pragmas(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
        cursor = connection.cursor()
        cursor.execute("PRAGMA journal_mode=WAL")
        cursor.execute("PRAGMA synchronous=NORMAL")
        cursor.execute("PRAGMA busy_timeout=30000")
        cursor.close()

    metadata.create_all(engine)
    return engine

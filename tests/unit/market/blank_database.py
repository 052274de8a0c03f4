"""Databases in memory for tests that want one after another: migrated once, emptied each time."""

from __future__ import annotations

import sqlite3
from functools import cache
from typing import Any

from sqlalchemy import Engine

from assay.market.store.database import open_database


@cache
def _migrated(number: int) -> Engine:
    return open_database("sqlite://")


def _raw(engine: Engine) -> sqlite3.Connection:
    # All connections of such an engine are one and the same.
    connection = engine.raw_connection()
    raw: Any = connection.driver_connection
    connection.close()
    assert isinstance(raw, sqlite3.Connection)
    return raw


def blank_database(number: int = 0) -> Engine:
    """One just migrated; what was in this number's before is gone. Tests that need several at once number them."""
    engine = _migrated(number)
    _raw(_migrated(-1)).backup(_raw(engine))
    return engine

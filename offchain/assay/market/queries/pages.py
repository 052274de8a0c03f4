"""Pages of rows by key: each begins behind the last row of the one before, however deep it lies."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, Table, and_, or_, select

from assay.market.errors import BadQuery
from assay.market.store.rows import key_columns
from assay.market.store.types import from_json, to_json

MAX_ROWS = 100
MAX_CURSOR = 600


@dataclass(frozen=True, slots=True)
class SortOrder:
    """Sort by a column, then by the primary key, all in one direction."""

    column: str
    descending: bool = False


@dataclass(frozen=True, slots=True)
class Page:
    """Rows, and the cursor of the next page; None on the last."""

    rows: list[dict[str, Any]]
    next: str | None


def encode_cursor(values: Sequence[Any]) -> str:
    """An opaque text that stands for a place in an order."""
    text = json.dumps([to_json(value) for value in values], separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def decode_cursor(cursor: str, columns: Sequence[ColumnElement[Any]]) -> list[Any]:
    """The values of a cursor for these columns. Raises BadQuery."""
    try:
        if len(cursor) > MAX_CURSOR:
            raise ValueError("too long")
        values = json.loads(base64.b64decode(cursor + "=" * (-len(cursor) % 4), b"-_", validate=True))
        if not isinstance(values, list) or len(values) != len(columns):
            raise ValueError("another order's")
        if any(value is None or isinstance(value, (bool, float, dict, list)) for value in values):
            raise ValueError("no plain values")
        decoded = [from_json(column.type, value) for column, value in zip(columns, values, strict=True)]
        for column, value in zip(columns, decoded, strict=True):
            _check(column, value)
    except (ValueError, TypeError, OverflowError, RecursionError):
        raise BadQuery("cursor: did not come from this search: start again without it") from None
    return decoded


def _check(column: ColumnElement[Any], value: Any) -> None:
    kind = column.type.python_type
    if not isinstance(value, kind):
        raise ValueError("another type")
    if kind is int and not -(1 << 63) <= value < (1 << 63) and not hasattr(column.type, "width"):
        raise ValueError("out of range")
    if hasattr(column.type, "width") and (value < 0 or len(str(value)) > column.type.width):
        raise ValueError("out of range")


def page(
    connection: Connection,
    table: Table,
    conditions: Sequence[ColumnElement[bool]],
    order: SortOrder,
    cursor: str | None,
    limit: int,
    columns: Sequence[str] | None = None,
) -> Page:
    """One page. Raises BadQuery for a cursor or limit that is none."""
    if not 1 <= limit <= MAX_ROWS:
        raise BadQuery(f"limit: {limit}, expected 1 to {MAX_ROWS}")
    names = [order.column, *(n for n in key_columns(table) if n != order.column)]
    keys = [table.c[name] for name in names]
    query: Select[Any] = select(*(table.c[c] for c in columns)) if columns else select(table)
    query = query.where(*conditions)
    if cursor:
        query = query.where(_behind(keys, decode_cursor(cursor, keys), order.descending))
    ordered = [key.desc() if order.descending else key.asc() for key in keys]
    found = [dict(row) for row in connection.execute(query.order_by(*ordered).limit(limit + 1)).mappings()]
    rows = found[:limit]
    more = encode_cursor([rows[-1][name] for name in names]) if len(found) > limit else None
    return Page(rows, more)


def _behind(keys: Sequence[ColumnElement[Any]], values: Sequence[Any], down: bool) -> ColumnElement[bool]:
    """Rows after `values` in the lexicographic order of `keys`."""
    beyond = [key < value if down else key > value for key, value in zip(keys, values, strict=True)]
    alternatives = [
        and_(*(k == v for k, v in zip(keys[:n], values[:n], strict=True)), beyond[n]) for n in range(len(keys))
    ]
    # The plain bound on the first column lets the database enter its index there.
    first = keys[0] <= values[0] if down else keys[0] >= values[0]
    return and_(first, or_(*alternatives))


def one(connection: Connection, table: Table, **key: Any) -> dict[str, Any] | None:
    """The row with these values, None where there is none."""
    conditions = [table.c[name] == value for name, value in key.items()]
    row = connection.execute(select(table).where(*conditions)).mappings().first()
    return None if row is None else dict(row)


def many(connection: Connection, query: Select[Any]) -> list[Mapping[str, Any]]:
    """All rows of a bounded query."""
    return [dict(row) for row in connection.execute(query).mappings()]

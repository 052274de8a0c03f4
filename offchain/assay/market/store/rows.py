"""Changes of rows, and the working set that applies a batch of them and notes how to undo it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Protocol

from sqlalchemy import Connection, Select, Table, and_, bindparam, delete, insert, select, update

from assay.market.store.metadata import metadata
from assay.market.store.types import from_json, to_json

Key = tuple[Any, ...]
Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Change:
    """Columns to set, then numbers to add, on the row with this key; a row that is
    not there begins with defaults.
    """

    table: str
    key: Key
    set: Mapping[str, Any] = field(default_factory=dict)
    add: Mapping[str, int] = field(default_factory=dict)
    delete: bool = False


class RowReader(Protocol):
    """Rows as the projection reads them."""

    def row(self, table: str, key: Key) -> Mapping[str, Any] | None:
        """The row with this primary key."""


def key_columns(table: Table) -> list[str]:
    """Names of the primary key, in order."""
    return [column.name for column in table.primary_key.columns]


def new_row(table: Table, key: Key) -> Row:
    """A row of defaults."""
    row = {c.name: c.default.arg if c.default is not None else None for c in table.columns}  # type: ignore[attr-defined]
    return row | dict(zip(key_columns(table), key, strict=True))


def apply(row: Row, change: Change) -> Row:
    """The row after the change."""
    after = {**row, **change.set}
    for column, amount in change.add.items():
        after[column] = (after[column] or 0) + amount
    return after


class WorkingSet:
    """Rows touched by one batch: read once, changed in memory, written together."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._before: dict[tuple[str, Key], Row | None] = {}
        self._now: dict[tuple[str, Key], Row | None] = {}

    def row(self, table: str, key: Key) -> Mapping[str, Any] | None:
        """The row as changed so far."""
        place = (table, key)
        if place not in self._now:
            found = _read(self._connection, metadata.tables[table], key)
            self._before[place] = self._now[place] = found
        return self._now[place]

    def before(self, table: str, key: Key) -> Mapping[str, Any] | None:
        """The row as the database has it."""
        self.row(table, key)
        return self._before[(table, key)]

    def absent(self, table: str, key: Key) -> None:
        """Vouches that the database has no such row, which saves reading it."""
        place = (table, key)
        if place not in self._now:
            self._before[place] = self._now[place] = None

    def change(self, change: Change) -> None:
        """Applies one change."""
        current = self.row(change.table, change.key)
        place = (change.table, change.key)
        if change.delete:
            self._now[place] = None
            return
        row = dict(current) if current is not None else new_row(metadata.tables[change.table], change.key)
        self._now[place] = apply(row, change)

    def touched(self, table: str) -> list[Key]:
        """Keys of the rows of a table that differ from the database, in order of first touch."""
        return [key for (name, key) in self._now if name == table and self._differs((name, key))]

    def _differs(self, place: tuple[str, Key]) -> bool:
        return self._before[place] != self._now[place]

    def flush(self, tip: int, keep_undo: bool = True) -> int:
        """Writes what differs, and its undo under `tip`. Returns the number of rows written."""
        places = [place for place in self._now if self._differs(place)]
        by_table: dict[str, list[tuple[str, Key]]] = {}
        for place in places:
            by_table.setdefault(place[0], []).append(place)
        for name, group in by_table.items():
            self._write(metadata.tables[name], group)
        if keep_undo and places:
            self._journal(tip, places)
        for place in places:
            self._before[place] = self._now[place]
        return len(places)

    def _write(self, table: Table, group: list[tuple[str, Key]]) -> None:
        gone = [p for p in group if self._now[p] is None]
        fresh = [row for p in group if self._before[p] is None and (row := self._now[p]) is not None]
        changed = [p for p in group if self._before[p] is not None and self._now[p] is not None]
        for place in gone:
            self._connection.execute(delete(table).where(_matches(table, place[1])))
        if fresh:
            self._connection.execute(insert(table), fresh)
        if changed:
            _update_all(self._connection, table, [self._now[p] or {} for p in changed])

    def _journal(self, tip: int, places: list[tuple[str, Key]]) -> None:
        undo = metadata.tables["undo"]
        last = self._connection.execute(
            select(undo.c.place).where(undo.c.tip == tip).order_by(undo.c.place.desc()).limit(1)
        ).scalar()
        first = 0 if last is None else last + 1
        lines = [
            {
                "tip": tip,
                "place": first + n,
                "table_name": name,
                "row_key": json.dumps([to_json(part) for part in key]),
                "before": json.dumps(encode_row(before) if (before := self._before[(name, key)]) else None),
            }
            for n, (name, key) in enumerate(places)
        ]
        self._connection.execute(insert(undo), lines)


def encode_row(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row as JSON values."""
    return {name: to_json(value) for name, value in row.items()}


def decode_row(table: Table, data: Mapping[str, Any]) -> Row:
    """A row of `encode_row`'s form."""
    return {name: from_json(table.c[name].type, value) for name, value in data.items()}


def roll_back(connection: Connection, tip: int) -> int:
    """Restores every row to what it was at the end of batch `tip`. Returns the number of rows restored.

    The journal must reach back that far: see `sync.SyncState`.
    """
    undo = metadata.tables["undo"]
    lines = connection.execute(
        select(undo).where(undo.c.tip > tip).order_by(undo.c.tip.desc(), undo.c.place.desc())
    ).all()
    for line in lines:
        table = metadata.tables[line.table_name]
        raw = json.loads(line.row_key)
        key = tuple(from_json(table.c[name].type, part) for name, part in zip(key_columns(table), raw, strict=True))
        connection.execute(delete(table).where(_matches(table, key)))
        before = json.loads(line.before)
        if before is not None:
            connection.execute(insert(table), [decode_row(table, before)])
    connection.execute(delete(undo).where(undo.c.tip > tip))
    return len(lines)


def table_rows(connection: Connection, tables: Iterable[Table]) -> Iterator[str]:
    """Every row of the tables as one line of JSON, by primary key: equal indexes give equal lines."""
    for table in tables:
        order = list(table.primary_key.columns)
        for row in connection.execute(select(table).order_by(*order)).mappings():
            yield json.dumps([table.name, encode_row(dict(row))], sort_keys=True, separators=(",", ":"))


def _matches(table: Table, key: Key) -> Any:
    return and_(*(table.c[n] == part for n, part in zip(key_columns(table), key, strict=True)))


@lru_cache(maxsize=64)
def _by_key(table: Table) -> Select[Any]:
    # Made once a table: building a statement takes longer than running it.
    names = key_columns(table)
    return select(table).where(and_(*(table.c[n] == bindparam(f"key_{n}", type_=table.c[n].type) for n in names)))


def _read(connection: Connection, table: Table, key: Key) -> Row | None:
    values = {f"key_{n}": part for n, part in zip(key_columns(table), key, strict=True)}
    found = connection.execute(_by_key(table), values).mappings().first()
    return None if found is None else dict(found)


def _update_all(connection: Connection, table: Table, rows: list[Row]) -> None:
    names = key_columns(table)
    values = {c.name: bindparam(f"new_{c.name}", type_=c.type) for c in table.columns if c.name not in names}
    where = and_(*(table.c[n] == bindparam(f"key_{n}", type_=table.c[n].type) for n in names))
    statement = update(table).where(where).values(values)
    connection.execute(
        statement,
        [{(f"key_{n}" if n in names else f"new_{n}"): v for n, v in row.items()} for row in rows],
    )

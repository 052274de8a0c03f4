"""The record of what a seat has signed: checked and written in one transaction before a signature leaves."""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from assay.signing.errors import BadRecord, DoubleSign, SittingOut
from assay.signing.statements import SigningRequest, StatementKind
from assay.signing.witness import Sighting, Witness

NOTHING_SIGNED = -1
_BUSY_S = 10.0
_SCHEMA = """
CREATE TABLE IF NOT EXISTS meta (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  record_id TEXT NOT NULL,
  owner TEXT NOT NULL,          -- address and domain the record belongs to
  floor INTEGER NOT NULL,       -- epochs up to here are sat out
  doubt TEXT NOT NULL           -- why the floor was last raised
) STRICT;
CREATE TABLE IF NOT EXISTS statements (
  number INTEGER PRIMARY KEY,
  kind TEXT NOT NULL,
  epoch INTEGER NOT NULL,
  set_id INTEGER NOT NULL,
  round INTEGER NOT NULL,
  scope BLOB NOT NULL,
  digest BLOB NOT NULL,
  UNIQUE (kind, epoch, set_id, round, scope)
) STRICT;
"""


class SigningRecord:
    """One key's record in one SQLite file, safe for any number of processes at once.

    Epochs up to `floor` are sat out: `open` raises it to `latest_epoch` whenever the file and its witness
    do not agree, since then something may have been signed that the file does not hold. What it does hold
    may be signed again.
    """

    def __init__(self, path: Path, address: str, domain_separator: bytes, witness: Witness) -> None:
        """Opens or creates the file. Raises BadRecord for a damaged or foreign one."""
        self.path, self._witness = path, witness
        self.owner = f"{address.lower()}:{domain_separator.hex()}"
        path.parent.mkdir(parents=True, exist_ok=True)
        self._db = sqlite3.connect(path, isolation_level=None, timeout=_BUSY_S, check_same_thread=False)
        try:
            self._db.execute("PRAGMA synchronous = FULL")
            with self._transaction():
                for part in _SCHEMA.split(";\n"):
                    self._db.execute(part)
                self._db.execute(
                    "INSERT OR IGNORE INTO meta VALUES (1, ?, ?, ?, ?)",
                    (secrets.token_hex(16), self.owner, NOTHING_SIGNED, ""),
                )
            record_id, found = self._db.execute("SELECT record_id, owner FROM meta").fetchone()
        except sqlite3.DatabaseError as error:
            self._db.close()
            raise BadRecord(
                f"{path}: is damaged ({error}); move it away and start again: the current epoch is sat out"
            ) from None
        if found != self.owner:
            self._db.close()
            raise BadRecord(f"{path}: is the record of {found}, not of {self.owner}; name another folder")
        self._last = Sighting(record_id, self._count())
        self._highest_epoch = NOTHING_SIGNED

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._db.execute("BEGIN EXCLUSIVE")
        try:
            yield
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    def reconcile(self, latest_epoch: int) -> str:
        """Compares with the witness; why epochs up to `latest_epoch` are now sat out, or empty where
        nothing is in doubt. `latest_epoch` is the highest that anybody can have signed for, NOTHING_SIGNED
        before the first."""
        seen = self._witness.read()
        with self._transaction():
            self._last = self._sighted()
            doubt = _doubt(self._last, seen)
            if doubt:
                self._raise_floor(latest_epoch, doubt)
            self._witness.write(self._last)
        return doubt

    def _raise_floor(self, epoch: int, why: str) -> None:
        self._db.execute("UPDATE meta SET floor = max(floor, ?), doubt = ?", (epoch, why))

    @property
    def floor(self) -> int:
        """The last epoch that is sat out."""
        return int(self._db.execute("SELECT floor FROM meta").fetchone()[0])

    def sits_out(self, epoch: int) -> str:
        """Why nothing new is signed for an epoch; empty where it is."""
        floor, doubt = self._db.execute("SELECT floor, doubt FROM meta").fetchone()
        return f"epochs up to {floor} are sat out: {doubt}" if epoch <= floor else ""

    def _sighted(self) -> Sighting:
        """The file as it is now."""
        return Sighting(self._db.execute("SELECT record_id FROM meta").fetchone()[0], self._count())

    def _count(self) -> int:
        return int(self._db.execute("SELECT coalesce(max(number), 0) FROM statements").fetchone()[0])

    def authorise(self, statement: SigningRequest) -> None:
        """Records a statement; only when this has returned may its signature leave.

        A statement recorded before passes again. Where the file is not what this process and the witness saw
        last, whatever they saw signed is sat out. Raises DoubleSign, SittingOut; sqlite3.Error or OSError
        where it cannot be stored.
        """
        with self._transaction():
            now = self._sighted()
            doubt = _doubt(now, self._last) or _doubt(now, self._witness.read() or self._last)
            if doubt:
                self._raise_floor(max(statement.epoch, self._highest_epoch), doubt)
            elif self._holds(statement):
                return
            else:
                self._db.execute(
                    "INSERT INTO statements (kind, epoch, set_id, round, scope, digest) VALUES (?, ?, ?, ?, ?, ?)",
                    _row(statement),
                )
                self._highest_epoch = max(statement.epoch, self._highest_epoch)
            self._last = self._sighted()
        # After the commit: a crash between the two leaves the record ahead, which is harmless.
        self._witness.write(self._last)
        if doubt:
            raise SittingOut(f"{statement}: {self.sits_out(statement.epoch)}")

    def _holds(self, statement: SigningRequest) -> bool:
        rows = self._db.execute(
            "SELECT round, digest FROM statements WHERE kind = ? AND epoch = ? AND set_id = ? AND scope = ?",
            (statement.kind, statement.epoch, statement.set_id, statement.scope),
        ).fetchall()
        if (statement.round, statement.digest) in rows:
            return True
        if any(signed_round == statement.round for signed_round, _ in rows):
            raise DoubleSign(f"{statement}: another one was signed")
        highest = max((signed_round for signed_round, _ in rows), default=NOTHING_SIGNED)
        if highest > statement.round:
            raise DoubleSign(f"{statement}: round {highest} was signed, earlier rounds are over")
        sat_out = self.sits_out(statement.epoch)
        if sat_out:
            raise SittingOut(f"{statement}: {sat_out}")
        return False

    def statements(self, epoch: int | None = None) -> list[SigningRequest]:
        """What was signed, oldest first; for one epoch or all."""
        rows = self._db.execute(
            "SELECT kind, epoch, set_id, round, scope, digest FROM statements"
            " WHERE :epoch IS NULL OR epoch = :epoch ORDER BY number",
            {"epoch": epoch},
        )
        return [SigningRequest(StatementKind(kind), *rest) for kind, *rest in rows]

    def merge(self, statements: list[SigningRequest], floor: int, why: str) -> int:
        """Adds statements of another record of the same key and raises the floor; how many were new.

        Raises DoubleSign, and changes nothing, where the two records hold different statements for one place.
        """
        new = 0
        with self._transaction():
            for statement in statements:
                cursor = self._db.execute(
                    "INSERT OR IGNORE INTO statements (kind, epoch, set_id, round, scope, digest)"
                    " VALUES (?, ?, ?, ?, ?, ?)",
                    _row(statement),
                )
                new += cursor.rowcount
                if not cursor.rowcount and not self._has_exactly(statement):
                    raise DoubleSign(f"{statement}: the two records hold different ones")
            self._raise_floor(floor, why)
            self._last = self._sighted()
            self._witness.write(self._last)
        return new

    def _has_exactly(self, statement: SigningRequest) -> bool:
        row = self._db.execute(
            "SELECT 1 FROM statements WHERE kind = ? AND epoch = ? AND set_id = ? AND round = ? AND scope = ?"
            " AND digest = ?",
            _row(statement),
        ).fetchone()
        return row is not None

    def close(self) -> None:
        """Lets the file go."""
        self._db.close()


def _row(s: SigningRequest) -> tuple[str, int, int, int, bytes, bytes]:
    return (s.kind.value, s.epoch, s.set_id, s.round, s.scope, s.digest)


def _doubt(now: Sighting, seen: Sighting | None) -> str:
    if seen is None:
        return "no witness of this record on this machine: it is new, was moved here, or the machine was started since"
    if seen.record_id != now.record_id:
        return "another record of this key was in use here"
    if seen.count > now.count:
        return f"{seen.count} statements were signed and the record holds {now.count}: it was restored from a backup"
    return ""

"""What was sent and what became of it: written before anything leaves, so that a crash forgets nothing.

An intent is one nonce of one account and what it is for; its attempts are the signed transactions, all with
that nonce, of which at most one can be mined. The file is locked while open: one sender a key.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from assay.chain.errors import JournalFailed, JournalInUse
from assay.chain.transactions.intents import Attempt, Fees, Intent, SendRequest, State
from assay.chain.transactions.receipts import Receipt

_SCHEMA = """
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS intents (
  id INTEGER PRIMARY KEY,
  label TEXT NOT NULL,
  purpose TEXT,                    -- at most one intent that is not failed for each purpose
  recipient TEXT NOT NULL,
  data BLOB NOT NULL,
  value TEXT NOT NULL,
  gas INTEGER NOT NULL,
  nonce INTEGER NOT NULL,
  state TEXT NOT NULL,
  created REAL NOT NULL,
  transaction_hash BLOB,
  block_number INTEGER,
  block_hash BLOB,
  gas_used INTEGER,
  succeeded INTEGER,
  reason TEXT                      -- why it failed
) STRICT;
CREATE INDEX IF NOT EXISTS intents_by_nonce ON intents (nonce);
CREATE UNIQUE INDEX IF NOT EXISTS intents_by_purpose ON intents (purpose)
  WHERE purpose IS NOT NULL AND state <> 'failed';
CREATE TABLE IF NOT EXISTS attempts (
  hash BLOB NOT NULL,
  intent INTEGER NOT NULL REFERENCES intents (id),
  raw BLOB NOT NULL,
  cap TEXT NOT NULL,
  tip TEXT NOT NULL,
  cancels INTEGER NOT NULL DEFAULT 0,  -- a transfer of nothing to oneself, to free the nonce
  signed REAL NOT NULL,
  PRIMARY KEY (intent, hash)
) STRICT;
"""


@contextmanager
def whole(db: sqlite3.Connection) -> Iterator[None]:
    """What is written within is written whole or not at all. Raises sqlite3.Error."""
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        db.execute("ROLLBACK")
        raise
    db.execute("COMMIT")


class Journal:
    """The journal of one account on one chain, in one SQLite file. Every method commits before it returns."""

    def __init__(self, path: Path | str, address: str, chain_id: int) -> None:
        """Opens and locks. Raises JournalInUse when another process has it open, or when the file belongs
        to another account or chain."""
        self.path = Path(path)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = os.open(f"{self.path}.lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._lock)
            raise JournalInUse(
                f"{self.path}: another process sends with {address}; stop it first: "
                "two senders spoil each other's nonces"
            ) from None
        try:
            self._db = sqlite3.connect(self.path, isolation_level=None)
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = FULL")
            self._db.executescript(_SCHEMA)
        except sqlite3.Error as error:
            os.close(self._lock)
            raise JournalFailed(
                f"{self.path}: cannot be opened ({error}); if it is damaged, move it away and send nothing "
                "until what was sent before is mined"
            ) from None
        self._claim(address, chain_id)

    def _claim(self, address: str, chain_id: int) -> None:
        owner = f"{chain_id}:{address}"
        self._db.execute("INSERT OR IGNORE INTO meta VALUES ('owner', ?)", (owner,))
        (found,) = self._db.execute("SELECT value FROM meta WHERE name = 'owner'").fetchone()
        if found != owner:
            self.close()
            raise JournalInUse(f"{self.path}: is the journal of {found}, not of {owner}; name another file")

    def close(self) -> None:
        """Closes and unlocks."""
        self._db.close()
        os.close(self._lock)

    def add(self, request: SendRequest, nonce: int, first: Attempt) -> Intent:
        """A new open intent with its first attempt, in one transaction."""
        with self._transaction():
            cursor = self._db.execute(
                "INSERT INTO intents (label, purpose, recipient, data, value, gas, nonce, state, created)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    request.label, request.purpose, request.recipient, request.data, str(request.value),
                    request.gas, nonce, State.OPEN, first.signed,
                ),
            )  # fmt: skip
            identifier = int(cursor.lastrowid or 0)
            self._insert_attempt(identifier, first)
        return self.get(identifier)

    def add_attempt(self, intent: Intent, attempt: Attempt) -> None:
        """One more attempt of an open intent."""
        with self._transaction():
            self._insert_attempt(intent.id, attempt)

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        try:
            with whole(self._db):
                yield
        except sqlite3.Error as error:
            raise JournalFailed(f"{self.path}: cannot be written ({error}); nothing was sent") from error

    def _insert_attempt(self, intent_id: int, a: Attempt) -> None:
        self._db.execute(
            "INSERT INTO attempts VALUES (?, ?, ?, ?, ?, ?, ?)",
            (a.hash, intent_id, a.raw, str(a.fees.cap), str(a.fees.tip), int(a.cancels), a.signed),
        )

    def mark(self, intent: Intent, state: State, reason: str | None = None) -> Intent:
        """Moves an intent to another state; back to open, its block is forgotten."""
        with self._transaction():
            self._db.execute("UPDATE intents SET state = ?, reason = ? WHERE id = ?", (state, reason, intent.id))
            if state is State.OPEN:
                self._db.execute(
                    "UPDATE intents SET transaction_hash = NULL, block_number = NULL, block_hash = NULL,"
                    " gas_used = NULL, succeeded = NULL WHERE id = ?",
                    (intent.id,),
                )
        return self.get(intent.id)

    def mark_mined(self, intent: Intent, receipt: Receipt) -> Intent:
        """Notes the block that holds one of the intent's attempts."""
        with self._transaction():
            self._db.execute(
                "UPDATE intents SET state = ?, transaction_hash = ?, block_number = ?, block_hash = ?,"
                " gas_used = ?, succeeded = ? WHERE id = ?",
                (
                    State.MINED,
                    receipt.transaction,
                    receipt.block_number,
                    receipt.block_hash,
                    receipt.gas_used,
                    int(receipt.succeeded),
                    intent.id,
                ),
            )
        return self.get(intent.id)

    def get(self, intent_id: int) -> Intent:
        """Raises KeyError."""
        row = self._db.execute(f"SELECT {_COLUMNS} FROM intents WHERE id = ?", (intent_id,)).fetchone()  # noqa: S608
        if row is None:
            raise KeyError(intent_id)
        return _intent(row)

    def unsettled(self) -> list[Intent]:
        """Intents that are open or mined but not final, by nonce."""
        rows = self._db.execute(
            f"SELECT {_COLUMNS} FROM intents WHERE state IN ('open', 'mined') ORDER BY nonce, id"  # noqa: S608
        )
        return [_intent(row) for row in rows]

    def for_purpose(self, purpose: str) -> Intent | None:
        """The intent for a purpose that has not failed."""
        row = self._db.execute(
            f"SELECT {_COLUMNS} FROM intents WHERE purpose = ? AND state <> 'failed'",  # noqa: S608
            (purpose,),
        ).fetchone()
        return None if row is None else _intent(row)

    def given_up(self, purpose: str, limit: int = 4) -> list[Intent]:
        """The latest intents for a purpose that failed without having been mined, newest first."""
        rows = self._db.execute(
            f"SELECT {_COLUMNS} FROM intents WHERE purpose = ? AND state = 'failed'"  # noqa: S608
            " AND transaction_hash IS NULL ORDER BY id DESC LIMIT ?",
            (purpose, limit),
        )
        return [_intent(row) for row in rows]

    def attempts(self, intent: Intent) -> list[Attempt]:
        """Attempts of an intent, oldest first."""
        rows = self._db.execute(
            "SELECT hash, raw, cap, tip, cancels, signed FROM attempts WHERE intent = ? ORDER BY signed, rowid",
            (intent.id,),
        )
        return [Attempt(h, raw, Fees(int(cap), int(tip)), bool(c), s) for h, raw, cap, tip, c, s in rows]

    def next_nonce(self, floor: int) -> int:
        """The lowest nonce from `floor` on (the chain's count of mined and waiting transactions) that no
        unsettled intent has taken: a nonce that was given back is used before higher ones."""
        taken = {intent.nonce for intent in self.unsettled()}
        while floor in taken:
            floor += 1
        return floor

    def history(self, limit: int = 100) -> list[Intent]:
        """The latest intents, newest first."""
        rows = self._db.execute(f"SELECT {_COLUMNS} FROM intents ORDER BY id DESC LIMIT ?", (limit,))  # noqa: S608
        return [_intent(row) for row in rows]


_COLUMNS = (
    "label, recipient, data, value, gas, purpose, id, nonce, state, created, transaction_hash, block_number,"
    " block_hash, gas_used, succeeded, reason"
)


def _intent(row: tuple[Any, ...]) -> Intent:
    label, recipient, data, value, gas, purpose, identifier, nonce, state, created, *mined = row
    request = SendRequest(label, recipient, data, int(value), gas, purpose)
    transaction_hash, number, block_hash, gas_used, succeeded, reason = mined
    return Intent(
        identifier, request, nonce, State(state), created, transaction_hash, number, block_hash, gas_used,
        None if succeeded is None else bool(succeeded), reason,
    )  # fmt: skip

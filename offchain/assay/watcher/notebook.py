"""What the watcher has checked and proven, in one SQLite file: a salt is kept before its commitment is
sent.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

from assay.watcher.errors import WatcherError

_SCHEMA = """
CREATE TABLE IF NOT EXISTS checked (
  epoch INTEGER NOT NULL, device_id BLOB NOT NULL, outcome TEXT NOT NULL, reason TEXT NOT NULL,
  PRIMARY KEY (epoch, device_id)
) STRICT;
CREATE TABLE IF NOT EXISTS proofs (
  commit_hash BLOB PRIMARY KEY, kind INTEGER NOT NULL, subject BLOB NOT NULL, epoch INTEGER NOT NULL,
  calldata BLOB NOT NULL, state TEXT NOT NULL, committed_block INTEGER, reason TEXT NOT NULL DEFAULT '',
  UNIQUE (kind, subject, epoch)
) STRICT;
"""


class Notebook:
    """One watcher's memory. Every method commits before it returns."""

    def __init__(self, path: Path) -> None:
        """Raises WatcherError where another watcher holds the file."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self._db = sqlite3.connect(path, isolation_level=None, timeout=0.5)
        try:
            self._db.execute("PRAGMA locking_mode=EXCLUSIVE")
            self._db.execute("PRAGMA synchronous=FULL")
            self._db.executescript(f"BEGIN EXCLUSIVE; {_SCHEMA} COMMIT;")
        except sqlite3.OperationalError as error:
            self._db.close()
            raise WatcherError(f"{path}: {error}; another watcher uses it, stop it first") from None

    def is_checked(self, epoch: int, device_id: bytes) -> bool:
        """Whether the device's opening of the epoch was looked at to the end."""
        row = self._db.execute("SELECT 1 FROM checked WHERE epoch=? AND device_id=?", (epoch, device_id)).fetchone()
        return row is not None

    def note(self, epoch: int, device_id: bytes, outcome: str, reason: str) -> None:
        """Notes how the check ended."""
        self._db.execute(
            "INSERT OR REPLACE INTO checked VALUES (?, ?, ?, ?)", (epoch, device_id, outcome, reason[:512])
        )

    def plan(self, kind: int, subject: bytes, epoch: int, commit_hash: bytes, calldata: bytes) -> bool:
        """Keeps a proof with the calldata that reveals it; False where one was kept before."""
        done = self._db.execute(
            "INSERT OR IGNORE INTO proofs VALUES (?, ?, ?, ?, ?, 'planned', NULL, '')",
            (commit_hash, kind, subject, epoch, calldata),
        )
        return done.rowcount == 1

    def committed(self, commit_hash: bytes, block: int) -> None:
        """The commitment stands in this block."""
        self._db.execute(
            "UPDATE proofs SET state='committed', committed_block=? WHERE commit_hash=?", (block, commit_hash)
        )

    def close_proof(self, commit_hash: bytes, state: str, reason: str = "") -> None:
        """The proof was accepted, or never will be."""
        self._db.execute("UPDATE proofs SET state=?, reason=? WHERE commit_hash=?", (state, reason[:512], commit_hash))

    def unfinished(self) -> list[tuple[bytes, int, bytes, int, bytes, int | None]]:
        """(commit hash, kind, subject, epoch, calldata, block of the commitment) of proofs not yet closed."""
        return self._db.execute(
            "SELECT commit_hash, kind, subject, epoch, calldata, committed_block FROM proofs"
            " WHERE state IN ('planned', 'committed') ORDER BY epoch"
        ).fetchall()

    def proven(self) -> list[tuple[int, bytes, int]]:
        """(kind, subject, epoch) of accepted proofs."""
        return self._db.execute(
            "SELECT kind, subject, epoch FROM proofs WHERE state='proven' ORDER BY epoch"
        ).fetchall()

    def forget(self, before_epoch: int) -> None:
        """Drops checks of epochs that can no longer be proven against."""
        self._db.execute("DELETE FROM checked WHERE epoch<?", (before_epoch,))

    def close(self) -> None:
        """Lets the file go."""
        self._db.close()

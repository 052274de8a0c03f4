"""What the watcher has checked, proven and demanded, in one SQLite file: a salt is kept before it is used."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from pathlib import Path

from assay.watcher.errors import WatcherError

_SCHEMA = """
CREATE TABLE IF NOT EXISTS checked (
  epoch INTEGER NOT NULL, device_id BLOB NOT NULL, outcome TEXT NOT NULL, reason TEXT NOT NULL,
  PRIMARY KEY (epoch, device_id)
) STRICT;
CREATE TABLE IF NOT EXISTS proofs (
  commit_hash BLOB PRIMARY KEY, kind INTEGER NOT NULL, subject BLOB NOT NULL, epoch INTEGER NOT NULL,
  calldata BLOB NOT NULL, evidence BLOB NOT NULL, state TEXT NOT NULL, committed_block INTEGER,
  tries INTEGER NOT NULL DEFAULT 0, reason TEXT NOT NULL DEFAULT '',
  UNIQUE (kind, subject, epoch)
) STRICT;
CREATE TABLE IF NOT EXISTS demands (
  epoch INTEGER NOT NULL, device_id BLOB NOT NULL, demand_id INTEGER, state TEXT NOT NULL,
  PRIMARY KEY (epoch, device_id)
) STRICT;
"""


@dataclass(frozen=True, slots=True)
class PlannedProof:
    """A proof on its way. `block` is that of its commitment, None before; `recorded` that only signers are left to
    slash; `tries` how many commitments have run out."""

    commit_hash: bytes
    kind: int
    subject: bytes
    epoch: int
    calldata: bytes
    evidence: bytes
    block: int | None
    recorded: bool
    tries: int


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

    def outcome(self, epoch: int, device_id: bytes) -> str:
        """How the check of a device's opening ended: valid, proven, or empty where it was not looked at to the end."""
        row = self._db.execute(
            "SELECT outcome FROM checked WHERE epoch=? AND device_id=?", (epoch, device_id)
        ).fetchone()
        return "" if row is None else str(row[0])

    def note(self, epoch: int, device_id: bytes, outcome: str, reason: str) -> None:
        """Notes how the check ended."""
        self._db.execute(
            "INSERT OR REPLACE INTO checked VALUES (?, ?, ?, ?)", (epoch, device_id, outcome, reason[:512])
        )

    def plan(self, kind: int, subject: bytes, epoch: int, commit_hash: bytes, calldata: bytes, evidence: bytes) -> bool:
        """Keeps a proof with the calldata that reveals it; False where one was kept before."""
        done = self._db.execute(
            "INSERT OR IGNORE INTO proofs (commit_hash, kind, subject, epoch, calldata, evidence, state)"
            " VALUES (?, ?, ?, ?, ?, ?, 'planned')",
            (commit_hash, kind, subject, epoch, calldata, evidence),
        )
        return done.rowcount == 1

    def is_planned(self, kind: int, subject: bytes, epoch: int) -> bool:
        """Whether a proof was kept, however it ended."""
        return bool(
            self._db.execute(
                "SELECT 1 FROM proofs WHERE kind=? AND subject=? AND epoch=?", (kind, subject, epoch)
            ).fetchone()
        )

    def committed(self, commit_hash: bytes, block: int) -> None:
        """The commitment stands in this block."""
        self._db.execute(
            "UPDATE proofs SET state='committed', committed_block=? WHERE commit_hash=?", (block, commit_hash)
        )

    def expired(self, commit_hash: bytes) -> None:
        """The commitment ran out before it was revealed: it has to be made again."""
        self._db.execute(
            "UPDATE proofs SET state='planned', committed_block=NULL, tries=tries+1 WHERE commit_hash=?",
            (commit_hash,),
        )

    def recorded(self, commit_hash: bytes) -> None:
        """A fault of many stands on the chain: its signers are left to slash."""
        self._db.execute("UPDATE proofs SET state='recorded' WHERE commit_hash=?", (commit_hash,))

    def close_proof(self, commit_hash: bytes, state: str, reason: str = "") -> None:
        """The proof was accepted, or never will be."""
        self._db.execute("UPDATE proofs SET state=?, reason=? WHERE commit_hash=?", (state, reason[:512], commit_hash))

    def unfinished(self) -> list[PlannedProof]:
        """Proofs not yet closed, oldest epoch first."""
        rows = self._db.execute(
            "SELECT commit_hash, kind, subject, epoch, calldata, evidence, committed_block, state='recorded', tries"
            " FROM proofs WHERE state IN ('planned', 'committed', 'recorded') ORDER BY epoch"
        )
        return [PlannedProof(h, k, s, e, c, v, b, bool(r), t) for h, k, s, e, c, v, b, r, t in rows]

    def proven(self) -> list[tuple[int, bytes, int]]:
        """(kind, subject, epoch) of accepted proofs."""
        return self._db.execute(
            "SELECT kind, subject, epoch FROM proofs WHERE state='proven' ORDER BY epoch"
        ).fetchall()

    def plan_demand(self, epoch: int, device_id: bytes) -> None:
        """An opening is about to be demanded."""
        self._db.execute("INSERT OR IGNORE INTO demands VALUES (?, ?, NULL, 'planned')", (epoch, device_id))

    def demanded(self, epoch: int, device_id: bytes, demand_id: int) -> None:
        """The demand stands on the chain."""
        self._db.execute(
            "UPDATE demands SET demand_id=?, state='open' WHERE epoch=? AND device_id=?", (demand_id, epoch, device_id)
        )

    def close_demand(self, epoch: int, device_id: bytes, state: str) -> None:
        """The demand was answered, has run out, or was not taken."""
        self._db.execute("UPDATE demands SET state=? WHERE epoch=? AND device_id=?", (state, epoch, device_id))

    def demands(self) -> list[tuple[int, bytes, int | None]]:
        """(epoch, device, demand id) of demands not closed."""
        return self._db.execute(
            "SELECT epoch, device_id, demand_id FROM demands WHERE state IN ('planned', 'open') ORDER BY epoch"
        ).fetchall()

    def has_demanded(self, epoch: int, device_id: bytes) -> bool:
        """Whether an opening was ever demanded of the device in this epoch."""
        query = "SELECT 1 FROM demands WHERE epoch=? AND device_id=?"
        return self._db.execute(query, (epoch, device_id)).fetchone() is not None

    def forget(self, before_epoch: int) -> None:
        """Drops checks of epochs that can no longer be proven against, and demands that were never mined."""
        self._db.execute("DELETE FROM checked WHERE epoch<?", (before_epoch,))
        self._db.execute("DELETE FROM demands WHERE epoch<? AND demand_id IS NULL", (before_epoch,))

    def close(self) -> None:
        """Lets the file go."""
        self._db.close()

"""What the watcher has checked, proven and demanded, in one SQLite file: a salt is kept before it is used."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from pathlib import Path

from assay.protocol.types import DeviceId
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
  demand_id BLOB PRIMARY KEY, epoch INTEGER NOT NULL, device_id BLOB NOT NULL, sample INTEGER NOT NULL,
  loss TEXT NOT NULL, block INTEGER, state TEXT NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS holds (
  held_id INTEGER PRIMARY KEY, held_until INTEGER NOT NULL, bounty TEXT NOT NULL, state TEXT NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS progress (what TEXT PRIMARY KEY, next_block INTEGER NOT NULL) STRICT;
"""


@dataclass(frozen=True, slots=True)
class PlannedDemand:
    """A demand of this watcher's for the row that a sample draws. `block` is the one it was made in, None before."""

    demand_id: bytes
    epoch: int
    device_id: DeviceId
    sample: int
    block: int | None


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


class WatcherNotebook:
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

    def outcome(self, epoch: int, device_id: DeviceId) -> str:
        """How the check of a device's opening ended: valid, proven, or empty where it was not looked at to the end."""
        row = self._db.execute(
            "SELECT outcome FROM checked WHERE epoch=? AND device_id=?", (epoch, device_id)
        ).fetchone()
        return "" if row is None else str(row[0])

    def note(self, epoch: int, device_id: DeviceId, outcome: str, reason: str) -> None:
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
            "SELECT kind, subject, epoch FROM proofs WHERE state IN ('proven', 'recorded') ORDER BY epoch"
        ).fetchall()

    def plan_demand(self, demand_id: bytes, epoch: int, device_id: DeviceId, sample: int, loss: int) -> None:
        """An opening is about to be demanded; `loss` is what an answer costs this watcher, base units."""
        self._db.execute(
            "INSERT OR IGNORE INTO demands VALUES (?, ?, ?, ?, ?, NULL, 'planned')",
            (demand_id, epoch, device_id, sample, str(loss)),
        )

    def demanded(self, demand_id: bytes, block: int) -> None:
        """The demand stands on the chain, made in this block."""
        self._db.execute("UPDATE demands SET block=?, state='open' WHERE demand_id=?", (block, demand_id))

    def close_demand(self, demand_id: bytes, state: str) -> None:
        """The demand was answered, has run out, or was not taken."""
        self._db.execute("UPDATE demands SET state=? WHERE demand_id=?", (state, demand_id))

    def demands(self) -> list[PlannedDemand]:
        """Those not closed."""
        rows = self._db.execute(
            "SELECT demand_id, epoch, device_id, sample, block FROM demands WHERE state IN ('planned', 'open')"
            " ORDER BY epoch, rowid"
        )
        return [PlannedDemand(*row) for row in rows]

    def asked(self, epoch: int, device_id: DeviceId) -> int:
        """Openings demanded of a device in an epoch, however they ended; those not that were not taken."""
        query = "SELECT COUNT(*) FROM demands WHERE epoch=? AND device_id=? AND state != 'refused'"
        return int(self._db.execute(query, (epoch, device_id)).fetchone()[0])

    def losses(self, device_id: DeviceId) -> list[int]:
        """What an answer costs or has cost, base units, of each opening demanded of a device that is remembered; those
        that ran out unanswered cost nothing."""
        query = "SELECT loss FROM demands WHERE device_id=? AND state NOT IN ('refused', 'expired')"
        return [int(loss) for (loss,) in self._db.execute(query, (device_id,))]

    def held(self, held_id: int, until: int, bounty: int) -> None:
        """A slash that earns this watcher a bounty is on hold."""
        self._db.execute("INSERT OR IGNORE INTO holds VALUES (?, ?, ?, 'held')", (held_id, until, str(bounty)))

    def held_until(self, when: int) -> list[int]:
        """Slashes on hold no longer than until then, seconds since 1970."""
        query = "SELECT held_id FROM holds WHERE state='held' AND held_until<=? ORDER BY held_id"
        return [held_id for (held_id,) in self._db.execute(query, (when,))]

    def close_hold(self, held_id: int) -> None:
        """It was settled or given back."""
        self._db.execute("UPDATE holds SET state='over' WHERE held_id=?", (held_id,))

    def holds_read(self) -> int | None:
        """The block from which on slashes were not looked for; None before the first look."""
        row = self._db.execute("SELECT next_block FROM progress WHERE what='holds'").fetchone()
        return None if row is None else int(row[0])

    def note_holds_read(self, next_block: int) -> None:
        """Slashes were looked for up to the block before."""
        self._db.execute("INSERT OR REPLACE INTO progress VALUES ('holds', ?)", (next_block,))

    def forget(self, before_epoch: int) -> None:
        """Drops checks of epochs that can no longer be proven against, and demands of them
        that are over or were never mined."""
        self._db.execute("DELETE FROM checked WHERE epoch<?", (before_epoch,))
        self._db.execute("DELETE FROM demands WHERE epoch<? AND (block IS NULL OR state != 'open')", (before_epoch,))

    def close(self) -> None:
        """Lets the file go."""
        self._db.close()

"""What a batch has done, in one SQLite file beside its results: written before anything is asked for, so that whatever
stops it forgets nothing. The file is locked while open: one batch a folder."""

from __future__ import annotations

import fcntl
import json
import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from assay.chain.transactions.journal import whole
from assay.renter.batch.job_list import BatchJob
from assay.renter.batch.rules import AttemptEnd, HeldLease, JobStatus, LeaseStage, QueuedJob, TrackRecord
from assay.renter.errors import BadInput, RenterError

MAX_REASON = 4_000
_SCHEMA = """
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS jobs (
  id TEXT PRIMARY KEY,
  position INTEGER NOT NULL,
  body TEXT NOT NULL,
  status TEXT NOT NULL,
  failures INTEGER NOT NULL DEFAULT 0,
  lost INTEGER NOT NULL DEFAULT 0,
  failed_on TEXT NOT NULL DEFAULT '[]',
  reason TEXT NOT NULL DEFAULT ''   -- of the last attempt that did not end well, with its last output
) STRICT;
CREATE TABLE IF NOT EXISTS leases (
  key INTEGER PRIMARY KEY,
  lease_id INTEGER UNIQUE,          -- NULL until it is known to be in the chain
  provider TEXT NOT NULL,
  device_ids TEXT NOT NULL,
  token TEXT NOT NULL,
  offer_hash BLOB NOT NULL,
  deposit TEXT NOT NULL,            -- what it was opened with
  after_block INTEGER NOT NULL,
  stage TEXT NOT NULL,
  most TEXT NOT NULL,               -- what it can cost at most
  reason TEXT NOT NULL DEFAULT ''
) STRICT;
CREATE TABLE IF NOT EXISTS attempts (
  key INTEGER PRIMARY KEY,
  job TEXT REFERENCES jobs (id),    -- NULL for a fault beside any job
  lease INTEGER NOT NULL REFERENCES leases (key),
  job_id TEXT,                      -- the provider's, NULL until it is known
  began REAL NOT NULL,
  ended REAL,
  ending TEXT,                      -- NULL while nobody knows
  fault INTEGER NOT NULL DEFAULT 0  -- of the lease, not of the job
) STRICT;
CREATE INDEX IF NOT EXISTS attempts_of_leases ON attempts (lease);
"""


@dataclass(frozen=True)
class BatchLease:
    """A lease of the batch as it is kept; `lease_id` is None until it is known to be in the chain."""

    key: int
    lease_id: int | None
    provider: str
    device_ids: tuple[bytes, ...]
    token: str
    offer_hash: bytes
    deposit: int
    after_block: int
    stage: LeaseStage
    most: int
    reason: str


@dataclass(frozen=True)
class JobAttempt:
    """One attempt at a job on a lease; `job_id` is what the provider calls it, None until that is known."""

    key: int
    job: str
    lease: int
    job_id: str | None
    began: float

    @property
    def results(self) -> str:
        """The folder on the lease that is collected: of no other attempt."""
        return f"results/{self.job}.{self.key}"


class BatchJournal:
    """Every method commits before it returns."""

    def __init__(self, path: Path) -> None:
        """Opens and locks. Raises BadInput where another batch has it open, RenterError for a damaged file."""
        self.path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._lock = os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise BadInput(f"{path.parent}: {error.strerror}") from None
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._db = sqlite3.connect(path, isolation_level=None)
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = FULL")
            self._db.executescript(_SCHEMA)
        except BlockingIOError:
            os.close(self._lock)
            raise BadInput(
                f"{path.parent}: another batch works in this folder; end it first, or name another"
            ) from None
        except sqlite3.Error as error:
            os.close(self._lock)
            raise RenterError(
                f"{path}: cannot be opened ({error}); `assay leases` lists what runs; put it aside to begin anew"
            ) from None

    def close(self) -> None:
        """Closes and unlocks."""
        self._db.close()
        os.close(self._lock)

    # --- the batch

    def claim(self, owner: str) -> None:
        """Notes whose batch this is, its wallet and chain. Raises BadInput where it is another's."""
        with self._transaction():
            self._db.execute("INSERT OR IGNORE INTO meta VALUES ('owner', ?)", (owner,))
        (found,) = self._db.execute("SELECT value FROM meta WHERE name = 'owner'").fetchone()
        if found != owner:
            raise BadInput(
                f"{self.path.parent}: is a batch of {found}, not of {owner}; name another folder with --into"
            )

    def take(self, jobs: Sequence[BatchJob]) -> None:
        """Adds the jobs that are new. Raises BadInput for one that is other than it was, or is gone: results of two
        batches would stand beside each other."""
        bodies = {job.id: json.dumps(job.to_json(), sort_keys=True) for job in jobs}
        with self._transaction():
            for job_id, body in self._db.execute("SELECT id, body FROM jobs"):
                if bodies.get(job_id) != body:
                    what = "has changed" if job_id in bodies else "is no longer in the list"
                    raise BadInput(
                        f"job {job_id!r} {what} since this batch began in {self.path.parent}: "
                        "give back the list that it began with, more jobs at the end, or another --into"
                    )
            self._db.executemany(
                "INSERT OR IGNORE INTO jobs (id, position, body, status) VALUES (?, ?, ?, 'waiting')",
                [(job.id, number, bodies[job.id]) for number, job in enumerate(jobs)],
            )

    def forgive(self) -> None:
        """Jobs that failed wait again, as if they had not been tried, and no provider is held to what it did."""
        with self._transaction():
            self._db.execute(
                "UPDATE jobs SET status = 'waiting', failures = 0, lost = 0, failed_on = '[]' WHERE status = 'failed'"
            )
            self._db.execute("UPDATE attempts SET fault = 0 WHERE ending IS NOT NULL")
            self._db.execute("UPDATE attempts SET ending = 'lost' WHERE ending = 'failed'")

    # --- jobs

    def jobs(self) -> list[QueuedJob]:
        """All of them, in their order."""
        rows = self._db.execute("SELECT id, position, status, failures, lost, failed_on FROM jobs ORDER BY position")
        return [
            QueuedJob(job_id, position, JobStatus(status), failures, lost, frozenset(json.loads(failed_on)))
            for job_id, position, status, failures, lost, failed_on in rows
        ]

    def reasons(self) -> dict[str, str]:
        """Why the last attempt at a job did not end well, by job."""
        return dict(self._db.execute("SELECT id, reason FROM jobs WHERE reason <> ''"))

    def begin(self, job: str, lease: int, now: float) -> JobAttempt:
        """An attempt that is about to be asked for; the job is nobody else's until it has ended."""
        with self._transaction():
            self._db.execute("UPDATE jobs SET status = 'running' WHERE id = ?", (job,))
            cursor = self._db.execute("INSERT INTO attempts (job, lease, began) VALUES (?, ?, ?)", (job, lease, now))
        return JobAttempt(int(cursor.lastrowid or 0), job, lease, None, now)

    def started(self, attempt: JobAttempt, job_id: str) -> JobAttempt:
        """The provider runs it by this name."""
        with self._transaction():
            self._db.execute("UPDATE attempts SET job_id = ? WHERE key = ?", (job_id, attempt.key))
        return JobAttempt(attempt.key, attempt.job, attempt.lease, job_id, attempt.began)

    def ended(
        self, attempt: JobAttempt, end: AttemptEnd, job: QueuedJob, now: float, reason: str = "", fault: bool = False
    ) -> None:
        """How an attempt ended, and how its job stands behind it, in one."""
        with self._transaction():
            self._db.execute(
                "UPDATE attempts SET ended = ?, ending = ?, fault = ? WHERE key = ?",
                (now, end, int(fault), attempt.key),
            )
            self._db.execute(
                "UPDATE jobs SET status = ?, failures = ?, lost = ?, failed_on = ?, reason = ? WHERE id = ?",
                (job.status, job.failures, job.lost, json.dumps(sorted(job.failed_on)), reason[-MAX_REASON:], job.id),
            )

    def unended(self, lease: int) -> JobAttempt | None:
        """The attempt on a lease of which nobody knows how it ended; there is at most one."""
        row = self._db.execute(
            "SELECT key, job, lease, job_id, began FROM attempts WHERE lease = ? AND ending IS NULL", (lease,)
        ).fetchone()
        return None if row is None else JobAttempt(*row)

    def was_tried(self, lease: int) -> bool:
        """Whether any job was ever given to a lease."""
        return self._db.execute("SELECT 1 FROM attempts WHERE lease = ? LIMIT 1", (lease,)).fetchone() is not None

    def job_ids(self, lease: int) -> set[str]:
        """What the provider of a lease calls the jobs of this batch on it."""
        rows = self._db.execute("SELECT job_id FROM attempts WHERE lease = ? AND job_id IS NOT NULL", (lease,))
        return {row[0] for row in rows}

    def job_seconds(self) -> float | None:
        """The mean time of what ended well, None where nothing has."""
        (mean,) = self._db.execute("SELECT avg(ended - began) FROM attempts WHERE ending = 'done'").fetchone()
        return None if mean is None else max(0.0, float(mean))

    def record(self, lease: int) -> TrackRecord:
        """What came of a lease's attempts, and of the lease itself."""
        return self._records("l.key = ?", (lease,)).get("", TrackRecord())

    def records(self) -> dict[str, TrackRecord]:
        """What came of each provider's, by its address in lower case."""
        return self._records()

    def _records(self, where: str = "", arguments: tuple[Any, ...] = ()) -> dict[str, TrackRecord]:
        rows = self._db.execute(
            f"SELECT {'l.provider' if not where else repr('')}, coalesce(sum(a.ending = 'done'), 0),"  # noqa: S608
            " coalesce(sum(a.ending = 'failed'), 0), coalesce(sum(a.fault), 0)"
            f" FROM leases l LEFT JOIN attempts a ON a.lease = l.key {f'WHERE {where}' if where else ''}"
            f"{'' if where else ' GROUP BY l.provider'}",
            arguments,
        )
        return {provider: TrackRecord(done, failed, faults) for provider, done, failed, faults in rows}

    # --- leases

    def opening(
        self, provider: str, device_ids: Sequence[bytes], token: str, offer_hash: bytes, deposit: int, block: int
    ) -> BatchLease:
        """A lease that is about to be opened; its deposit is committed from here on."""
        with self._transaction():
            cursor = self._db.execute(
                "INSERT INTO leases (provider, device_ids, token, offer_hash, deposit, after_block, stage, most)"
                " VALUES (?, ?, ?, ?, ?, ?, 'opening', ?)",
                (provider.lower(), b"".join(device_ids).hex(), token, offer_hash, str(deposit), block, str(deposit)),
            )
        return self.lease(int(cursor.lastrowid or 0))

    def opened(self, key: int, lease_id: int) -> BatchLease:
        """It is in the chain by this number."""
        with self._transaction():
            self._db.execute("UPDATE leases SET lease_id = ?, stage = 'open' WHERE key = ?", (lease_id, key))
        return self.lease(key)

    def may_cost(self, key: int, most: int) -> None:
        """What it can cost at most: more before more is paid in, less once it is known."""
        with self._transaction():
            self._db.execute("UPDATE leases SET most = ? WHERE key = ?", (str(most), key))

    def move(self, key: int, stage: LeaseStage, reason: str = "") -> BatchLease:
        """To another stage; a reason that it has is kept."""
        with self._transaction():
            self._db.execute(
                "UPDATE leases SET stage = ?, reason = CASE WHEN reason = '' THEN ? ELSE reason END WHERE key = ?",
                (stage, reason[-MAX_REASON:], key),
            )
        return self.lease(key)

    def fault(self, key: int, now: float, reason: str) -> None:
        """A fault of a lease beside any job: it did not prove itself, or did not take what jobs need."""
        with self._transaction():
            self._db.execute(
                "INSERT INTO attempts (lease, began, ended, ending, fault) VALUES (?, ?, ?, 'lost', 1)", (key, now, now)
            )
            self._db.execute("UPDATE leases SET reason = ? WHERE key = ?", (reason[-MAX_REASON:], key))

    def lease(self, key: int) -> BatchLease:
        """One of them. Raises KeyError."""
        row = self._db.execute(f"SELECT {_LEASE} FROM leases WHERE key = ?", (key,)).fetchone()  # noqa: S608
        if row is None:
            raise KeyError(key)
        return _lease(row)

    def leases(self) -> list[BatchLease]:
        """All of them, oldest first."""
        return [_lease(row) for row in self._db.execute(f"SELECT {_LEASE} FROM leases ORDER BY key")]  # noqa: S608

    def held(self) -> list[HeldLease]:
        """All of them, as the rules take them."""
        rows = self._db.execute(
            "SELECT l.key, l.provider, l.stage, l.most,"
            " EXISTS (SELECT 1 FROM attempts a WHERE a.lease = l.key AND a.ending IS NULL)"
            " FROM leases l ORDER BY l.key"
        )
        return [
            HeldLease(key, provider, LeaseStage(stage), int(most), bool(busy))
            for key, provider, stage, most, busy in rows
        ]

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        try:
            with whole(self._db):
                yield
        except sqlite3.Error as error:
            raise RenterError(f"{self.path}: cannot be written ({error})") from error


_LEASE = "key, lease_id, provider, device_ids, token, offer_hash, deposit, after_block, stage, most, reason"


def _lease(row: tuple[Any, ...]) -> BatchLease:
    key, lease_id, provider, devices, token, offer_hash, deposit, block, stage, most, reason = row
    ids = bytes.fromhex(devices)
    split = tuple(ids[at : at + 32] for at in range(0, len(ids), 32))
    return BatchLease(
        key, lease_id, provider, split, token, offer_hash, int(deposit), block, LeaseStage(stage), int(most), reason
    )

"""Signs in the seat's name; what a contract would slash is stored before the signature leaves."""

from __future__ import annotations

import sqlite3
import threading
from pathlib import Path

from assay.chain.key_files import Key
from assay.protocol.messages import Challenge, EpochReport, Gossip, Observations, Seal
from assay.protocol.signing import Domain
from assay.validator.errors import DoubleSign, SettingsError

_SCHEMA = """
CREATE TABLE IF NOT EXISTS statements (
  kind TEXT NOT NULL,
  epoch INTEGER NOT NULL,
  set_id INTEGER NOT NULL,
  round INTEGER NOT NULL,
  scope BLOB NOT NULL,      -- epoch seed of a seal, rho of observations and reports
  digest BLOB NOT NULL,
  PRIMARY KEY (kind, epoch, set_id, round, scope)
) STRICT
"""


class SeatKey:
    """A signer key with the database of what it has signed. One process at a time holds the database."""

    def __init__(self, key: Key, domain: Domain, path: Path) -> None:
        """Raises SettingsError where another process holds the database."""
        self.address = key.address
        self._key, self._domain = key, domain
        self._lock = threading.Lock()
        path.parent.mkdir(parents=True, exist_ok=True)
        self._db = sqlite3.connect(path, isolation_level=None, timeout=0.5, check_same_thread=False)
        try:
            self._db.execute("PRAGMA locking_mode=EXCLUSIVE")
            self._db.execute("PRAGMA synchronous=FULL")
            self._db.execute("BEGIN EXCLUSIVE")
            self._db.execute(_SCHEMA)
            self._db.execute("COMMIT")
        except sqlite3.OperationalError as error:
            self._db.close()
            raise SettingsError(
                f"{path}: {error}; another validator runs with this key, stop it first"
            ) from None

    def sign_seal(self, seal: Seal) -> bytes:
        return self._sign(seal, "seal", seal.epoch, seal.set_id, seal.round, seal.epoch_seed)

    def sign_observations(self, observations: Observations) -> bytes:
        return self._sign(
            observations, "observations", observations.epoch, observations.set_id, 0, observations.rho
        )

    def sign_report(self, report: EpochReport) -> bytes:
        return self._sign(report, "report", report.epoch, report.set_id, report.round, report.rho)

    def sign_challenge(self, challenge: Challenge) -> bytes:
        return self._key.sign(challenge, self._domain)

    def sign_gossip(self, gossip: Gossip) -> bytes:
        return self._key.sign(gossip, self._domain)

    def close(self) -> None:
        """Lets the database go."""
        self._db.close()

    def _sign(
        self,
        message: Seal | Observations | EpochReport,
        kind: str,
        epoch: int,
        set_id: int,
        round_: int,
        scope: bytes,
    ) -> bytes:
        digest = message.digest(self._domain)
        with self._lock:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                self._check(kind, epoch, set_id, round_, scope, digest)
                self._db.execute(
                    "INSERT OR IGNORE INTO statements VALUES (?, ?, ?, ?, ?, ?)",
                    (kind, epoch, set_id, round_, scope, digest),
                )
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")
        return self._key.sign_digest(digest)

    def _check(self, kind: str, epoch: int, set_id: int, round_: int, scope: bytes, digest: bytes) -> None:
        rows = self._db.execute(
            "SELECT round, digest FROM statements WHERE kind=? AND epoch=? AND set_id=? AND scope=?",
            (kind, epoch, set_id, scope),
        ).fetchall()
        for signed_round, signed in rows:
            if signed_round == round_ and signed != digest:
                raise DoubleSign(f"another {kind} of epoch {epoch}, round {round_} was signed before")
        highest = max((signed_round for signed_round, _ in rows), default=round_)
        if round_ < highest and (round_, digest) not in rows:
            raise DoubleSign(f"{kind} of epoch {epoch}: round {highest} was signed, round {round_} is over")

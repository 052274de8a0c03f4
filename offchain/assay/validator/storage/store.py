"""Reads and writes of a validator's database. Every method is one transaction."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, Engine, Table, bindparam, delete, func, select, text, update
from sqlalchemy.dialects.sqlite import insert

from assay.protocol.keccak import keccak
from assay.protocol.types import DeviceId, Rho, Root, Seed
from assay.validator.storage import tables

REWARD_TREES = 64  # of reports: far more than may be vetoed in a row
AT_ONCE = 64  # bodies deleted in one transaction: SQLite reads every page of a body to free it, and others wait

# Made once: to make a statement takes longer than to run it.
_KEEP = {table: insert(table).on_conflict_do_nothing() for table in tables.metadata.sorted_tables}
_REPLACE = {table: insert(table).prefix_with("OR REPLACE") for table in (tables.verdicts, tables.memory_verdicts)}
_OF_AN_EPOCH = (
    tables.nonces,
    tables.commitments,
    tables.lanes,
    tables.messages,
    tables.verdicts,
    tables.memory_verdicts,
    tables.shared_out,
    tables.liveness,
    tables.check_ins,
)
_CONTENT = select(tables.contents.c.kind, tables.contents.c.body).where(tables.contents.c.hash == bindparam("digest"))
_NONCE = select(tables.nonces.c.nonce).where(
    *(column == bindparam(column.name) for column in tables.nonces.primary_key.columns)
)


@dataclass(frozen=True, slots=True)
class StoredMessage:
    """A seat's message as it came."""

    kind: str
    seat: str
    hash: bytes
    body: bytes
    received_at: float


@dataclass(frozen=True, slots=True)
class StoredVerdict:
    """How a device's opening fared."""

    device_id: DeviceId
    outcome: str
    reason: str
    opening: bytes | None


@dataclass(frozen=True, slots=True)
class EpochRow:
    """How an epoch ended here."""

    epoch: int
    epoch_seed: Seed | None
    outcome: str
    reason: str
    seal_content: bytes | None
    devices_root: Root | None
    rewards_root: Root | None
    updated_at: float


class Store:
    """One validator's database. `now` gives Unix seconds."""

    def __init__(self, engine: Engine, now: Callable[[], float]) -> None:
        self._engine = engine
        self._now = now

    def put_content(self, epoch: int, kind: str, body: bytes) -> bytes:
        """Keeps a body and gives its H."""
        digest = keccak(body)
        with self._engine.begin() as db:
            db.execute(_KEEP[tables.contents], {"hash": digest, "epoch": epoch, "kind": kind, "body": body})
        return digest

    def content(self, digest: bytes) -> tuple[str, bytes] | None:
        """(kind, body), or None where it is not kept."""
        with self._engine.connect() as db:
            row = db.execute(_CONTENT, {"digest": digest}).one_or_none()
        return None if row is None else (row.kind, row.body)

    def nonce(self, epoch: int, purpose: bytes, under: bytes, fresh: bytes) -> bytes:
        """The secret for a purpose (for a challenge the device's id) under what it must be fresh for (an epoch seed, a
        result root, ρ): the one stored, or else `fresh`, stored now."""
        key = {"epoch": epoch, "device_id": purpose, "epoch_seed": under}
        with self._engine.begin() as db:
            db.execute(_KEEP[tables.nonces], {**key, "nonce": fresh})
            stored: bytes = db.execute(_NONCE, key).scalar_one()
        return stored

    def nonces(self, epoch: int, epoch_seed: Seed) -> frozenset[DeviceId]:
        """Devices that a nonce was made for."""
        t = tables.nonces
        query = select(t.c.device_id).where(t.c.epoch == epoch, t.c.epoch_seed == epoch_seed)
        with self._engine.connect() as db:
            return frozenset(db.execute(query).scalars())

    def put_commitment(
        self, epoch: int, epoch_seed: Seed, device_id: DeviceId, content: bytes, elapsed_us: int
    ) -> None:
        """Keeps a commitment; the first of a device is the one that counts, another is evidence."""
        with self._engine.begin() as db:
            db.execute(_KEEP[tables.commitments], _answer(epoch, epoch_seed, device_id, content, elapsed_us))

    def commitments(self, epoch: int, epoch_seed: Seed) -> list[tuple[DeviceId, bytes, int]]:
        """(device, content hash, elapsed in microseconds) of those held, ascending by device."""
        first: dict[DeviceId, tuple[DeviceId, bytes, int]] = {}
        for row in self._commitments(epoch, epoch_seed):
            first.setdefault(row[0], row)
        return list(first.values())

    def other_commitments(self, epoch: int, epoch_seed: Seed) -> list[tuple[DeviceId, bytes]]:
        """(device, content hash) of those that devices signed besides the one held."""
        held = {content for _, content, _ in self.commitments(epoch, epoch_seed)}
        return [(device, content) for device, content, _ in self._commitments(epoch, epoch_seed) if content not in held]

    def _commitments(self, epoch: int, epoch_seed: Seed) -> list[tuple[DeviceId, bytes, int]]:
        return self._answers(tables.commitments, epoch, epoch_seed)

    def _answers(self, t: Table, epoch: int, epoch_seed: Seed) -> list[tuple[DeviceId, bytes, int]]:
        query = (
            select(t.c.device_id, t.c.content, t.c.elapsed_us)
            .where(t.c.epoch == epoch, t.c.epoch_seed == epoch_seed)
            .order_by(t.c.device_id, text("rowid"))
        )
        with self._engine.connect() as db:
            return [(row.device_id, row.content, row.elapsed_us) for row in db.execute(query)]

    def put_lanes(self, epoch: int, epoch_seed: Seed, device_id: DeviceId, content: bytes, elapsed_us: int) -> None:
        """Keeps an answer to the memory probe; the first of a device is the one that counts."""
        with self._engine.begin() as db:
            db.execute(_KEEP[tables.lanes], _answer(epoch, epoch_seed, device_id, content, elapsed_us))

    def lanes(self, epoch: int, epoch_seed: Seed) -> list[tuple[DeviceId, bytes, int]]:
        """(device, content hash, elapsed in microseconds) of all answers held, each device's first one first."""
        return self._answers(tables.lanes, epoch, epoch_seed)

    def put_message(self, epoch: int, kind: str, seat: str, body: bytes) -> bool:
        """Keeps a seat's message; False where it was there already."""
        values = {
            "epoch": epoch,
            "kind": kind,
            "seat": seat,
            "hash": keccak(body),
            "body": body,
            "received_at": self._now(),
        }
        with self._engine.begin() as db:
            result = db.execute(_KEEP[tables.messages], values)
        return bool(result.rowcount)

    def messages(self, epoch: int, kind: str | None = None) -> list[StoredMessage]:
        """Messages of an epoch, all or of one kind, in the order in which they came."""
        t = tables.messages
        query = select(t).where(t.c.epoch == epoch).order_by(t.c.received_at, t.c.hash)
        if kind is not None:
            query = query.where(t.c.kind == kind)
        with self._engine.connect() as db:
            rows = db.execute(query).all()
        return [StoredMessage(r.kind, r.seat, r.hash, r.body, r.received_at) for r in rows]

    def put_verdict(self, epoch: int, rho: Rho, verdict: StoredVerdict) -> None:
        """Keeps how an opening fared; the last word counts."""
        values = {
            "epoch": epoch,
            "device_id": verdict.device_id,
            "rho": rho,
            "outcome": verdict.outcome,
            "reason": verdict.reason[:512],
            "opening": verdict.opening,
        }
        with self._engine.begin() as db:
            db.execute(_REPLACE[tables.verdicts], values)

    def verdicts(self, epoch: int, rho: Rho | None = None) -> list[StoredVerdict]:
        """Verdicts of an epoch, ascending by device."""
        t = tables.verdicts
        query = select(t).where(t.c.epoch == epoch).order_by(t.c.device_id)
        if rho is not None:
            query = query.where(t.c.rho == rho)
        with self._engine.connect() as db:
            rows = db.execute(query).all()
        return [StoredVerdict(r.device_id, r.outcome, r.reason, r.opening) for r in rows]

    def valid_opening(self, epoch: int, device_id: DeviceId) -> bytes | None:
        """The opening of a device that verified here, or None."""
        t, c = tables.verdicts, tables.contents
        query = (
            select(c.c.body)
            .join(t, t.c.opening == c.c.hash)
            .where(t.c.epoch == epoch, t.c.device_id == device_id, t.c.outcome == "valid")
        )
        with self._engine.connect() as db:
            body: bytes | None = db.execute(query).scalars().first()
        return body

    def put_memory_verdict(self, epoch: int, rho: Rho, device_id: DeviceId, shown: bool, reason: str) -> None:
        """Keeps whether a device has shown the memory it claims; the last word counts."""
        values = {"epoch": epoch, "device_id": device_id, "rho": rho, "shown": int(shown), "reason": reason[:512]}
        with self._engine.begin() as db:
            db.execute(_REPLACE[tables.memory_verdicts], values)

    def memory_verdicts(self, epoch: int, rho: Rho) -> dict[DeviceId, tuple[bool, str]]:
        """Device to whether it has shown its memory, and why not."""
        t = tables.memory_verdicts
        with self._engine.connect() as db:
            rows = db.execute(select(t).where(t.c.epoch == epoch, t.c.rho == rho)).all()
        return {row.device_id: (bool(row.shown), row.reason) for row in rows}

    def count_liveness(self, epoch: int, device_id: DeviceId, lease_id: int, answered: bool) -> None:
        """Counts one liveness request under a lease (0: under none), and whether it was answered."""
        t = tables.liveness
        key = {"epoch": epoch, "device_id": device_id, "lease_id": lease_id}
        with self._engine.begin() as db:
            db.execute(_KEEP[t], {**key, "asked": 0, "answered": 0})
            db.execute(
                update(t)
                .where(*(t.c[name] == value for name, value in key.items()))
                .values(asked=t.c.asked + 1, answered=t.c.answered + int(answered))
            )

    def liveness(self, epoch: int) -> dict[DeviceId, dict[int, tuple[int, int]]]:
        """Device to lease (0: none) to (answered, asked)."""
        t = tables.liveness
        with self._engine.connect() as db:
            rows = db.execute(select(t).where(t.c.epoch == epoch)).all()
        found: dict[DeviceId, dict[int, tuple[int, int]]] = {}
        for row in rows:
            found.setdefault(row.device_id, {})[row.lease_id] = (row.answered, row.asked)
        return found

    def put_check_in(self, epoch: int, transaction: str) -> None:
        """Notes that the seat has checked in for an epoch."""
        with self._engine.begin() as db:
            db.execute(_KEEP[tables.check_ins], {"epoch": epoch, "transaction": transaction})

    def check_ins(self) -> dict[int, str]:
        """Epochs that the seat has checked in for, with the transaction; empty where another copy did."""
        with self._engine.connect() as db:
            rows = db.execute(select(tables.check_ins).order_by(tables.check_ins.c.epoch)).all()
        return {row.epoch: row.transaction for row in rows}

    def update_epoch(self, epoch: int, **values: object) -> None:
        """Sets columns of the epoch's row, made if it is not there."""
        t = tables.epochs
        with self._engine.begin() as db:
            row = {"epoch": epoch, "outcome": "running", "reason": "", "updated_at": self._now()}
            db.execute(_KEEP[t], row)
            db.execute(update(t).where(t.c.epoch == epoch).values(updated_at=self._now(), **values))

    def epoch(self, epoch: int) -> EpochRow | None:
        """The epoch's row, or None."""
        with self._engine.connect() as db:
            row = db.execute(select(tables.epochs).where(tables.epochs.c.epoch == epoch)).one_or_none()
        return None if row is None else EpochRow(*row)

    def epochs(self, limit: int = 100) -> Sequence[EpochRow]:
        """The latest epochs, newest first."""
        query = select(tables.epochs).order_by(tables.epochs.c.epoch.desc()).limit(limit)
        with self._engine.connect() as db:
            return [EpochRow(*row) for row in db.execute(query)]

    def put_tree(self, epoch: int, kind: str, root: Root, body: bytes) -> None:
        """Keeps a body by the root of the tree that it makes."""
        values = {"root": root, "epoch": epoch, "kind": kind, "content": self.put_content(epoch, kind, body)}
        with self._engine.begin() as db:
            db.execute(_KEEP[tables.trees], values)

    def tree_content(self, root: Root) -> bytes | None:
        """H of the body that makes the tree with this root, or None."""
        query = select(tables.trees.c.content).where(tables.trees.c.root == root)
        with self._engine.connect() as db:
            found: bytes | None = db.execute(query).scalar_one_or_none()
        return found

    def tree(self, root: Root) -> bytes | None:
        """The body that makes the tree with this root, or None."""
        digest = self.tree_content(root)
        found = self.content(digest) if digest is not None else None
        return None if found is None else found[1]

    def prune(self, before_epoch: int) -> int:
        """Forgets messages and contents of epochs that can no longer be proven
        against; gives how many bodies.

        Of reward trees those of the newest reports stay: the next report continues the last one however old it is, and
        a vetoed one goes back to the one before.
        """
        t = tables.contents
        with self._engine.begin() as db:
            spent = self._rewards_before(db)
            if spent is not None:
                bound = min(spent, before_epoch)
                # A tree that nothing was added to stands under the epoch that it was first made in.
                roots = select(tables.epochs.c.rewards_root).where(tables.epochs.c.epoch >= bound)
                newest = select(tables.trees.c.content).where(tables.trees.c.root.in_(roots))
                db.execute(delete(t).where(t.c.kind == "rewards", t.c.epoch < bound, t.c.hash.not_in(newest)))
            orphans = tables.trees.c.content.not_in(select(t.c.hash))
            db.execute(delete(tables.trees).where(tables.trees.c.epoch < before_epoch, orphans))
            for table in _OF_AN_EPOCH:
                db.execute(delete(table).where(table.c.epoch < before_epoch))
        old = select(t.c.hash).where(t.c.epoch < before_epoch, t.c.kind != "rewards").limit(AT_ONCE)
        gone = 0
        while True:
            with self._engine.begin() as db:
                some = int(db.execute(delete(t).where(t.c.hash.in_(old))).rowcount)
            gone += some
            if some < AT_ONCE:
                return gone

    def openings_held(self) -> int:
        """Openings whose bytes are here."""
        query = select(func.count()).select_from(tables.verdicts).where(tables.verdicts.c.opening.is_not(None))
        with self._engine.connect() as db:
            return int(db.execute(query).scalar_one())

    def shared_out(self) -> frozenset[int]:
        """Epochs of which nothing more is let go before they are pruned."""
        with self._engine.connect() as db:
            return frozenset(db.execute(select(tables.shared_out.c.epoch)).scalars())

    def set_shared_out(self, epoch: int) -> None:
        """Notes that nothing more of an epoch is let go before it is pruned."""
        with self._engine.begin() as db:
            db.execute(_KEEP[tables.shared_out], {"epoch": epoch})

    def let_go(self, epoch: int, rho: Rho, openings: Mapping[DeviceId, bytes]) -> None:
        """Forgets the bytes of these openings, by device; that they verified stays."""
        v, t = tables.verdicts, tables.contents
        with self._engine.begin() as db:
            of_these = (v.c.epoch == epoch, v.c.rho == rho, v.c.device_id.in_(openings))
            db.execute(update(v).where(*of_these).values(opening=None))
            named = select(v.c.opening).where(v.c.opening.is_not(None))
            db.execute(delete(t).where(t.c.hash.in_(openings.values()), t.c.hash.not_in(named)))

    def _rewards_before(self, db: Connection) -> int | None:
        """The oldest epoch of the newest reports whose reward trees are here; None while there are few: what was never
        reported is no substitute for what was."""
        e, trees = tables.epochs, tables.trees
        reported = (
            select(e.c.epoch)
            .join(trees, trees.c.root == e.c.rewards_root)
            .where(e.c.outcome == "reported")
            .order_by(e.c.epoch.desc())
        )
        found: int | None = db.execute(reported.offset(REWARD_TREES - 1).limit(1)).scalar()
        return found

    def disk_bytes(self) -> int:
        """What the database takes on the disk, without what is free for reuse within it."""
        with self._engine.connect() as db:
            pages, free, size = (
                int(db.exec_driver_sql(f"PRAGMA {name}").scalar_one())
                for name in ("page_count", "freelist_count", "page_size")
            )
        return (pages - free) * size

    def size(self, epoch: int) -> int:
        """Bytes of contents kept for an epoch."""
        t = tables.contents
        query = select(func.coalesce(func.sum(func.length(t.c.body)), 0)).where(t.c.epoch == epoch)
        with self._engine.connect() as db:
            return int(db.execute(query).scalar_one())


def _answer(epoch: int, epoch_seed: Seed, device_id: DeviceId, content: bytes, elapsed_us: int) -> dict[str, object]:
    return {
        "epoch": epoch,
        "device_id": device_id,
        "epoch_seed": epoch_seed,
        "content": content,
        "elapsed_us": elapsed_us,
    }

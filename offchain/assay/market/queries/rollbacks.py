"""What the index has taken back: told to whoever saw it."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, select

from assay.market.store.tables import rollbacks

MARK_BYTES = 8


@dataclass(frozen=True, slots=True)
class Branch:
    """The branch of the chain after so many rollbacks. `mark` names it by the last one that was undone, `0` where none
    was: block numbers and counts are the same on other branches and in other indexes, hashes are not.
    """

    rollbacks: int = 0
    mark: str = "0"


def newest_branch(connection: Connection) -> Branch:
    """The branch that the index is on."""
    row = connection.execute(select(rollbacks).order_by(rollbacks.c.number.desc()).limit(1)).first()
    return Branch() if row is None else Branch(row.number, _mark(row.undone))


def branch_marked(connection: Connection, mark: str) -> Branch | None:
    """The branch of a mark, None where this index was never on it."""
    if mark == Branch().mark:
        return Branch()
    # A branch may be left twice: whoever saw it is told everything since the first time.
    for row in connection.execute(select(rollbacks).order_by(rollbacks.c.number)):
        if _mark(row.undone) == mark:
            return Branch(row.number, mark)
    return None


def taken_back(connection: Connection, since: Branch) -> tuple[int, Branch] | None:
    """The lowest block that the index went back to after a branch, and the branch it is on now; None where it is on
    that one still.
    """
    query = select(rollbacks).where(rollbacks.c.number > since.rollbacks).order_by(rollbacks.c.number)
    rows = connection.execute(query).all()
    return (min(row.block for row in rows), Branch(rows[-1].number, _mark(rows[-1].undone))) if rows else None


def _mark(undone: bytes) -> str:
    return undone[:MARK_BYTES].hex()

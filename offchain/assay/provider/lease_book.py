"""The leases of this provider that are not yet settled, so that a restart forgets none."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Engine, select, update
from sqlalchemy.dialects.sqlite import insert

from assay.provider.database import leases, settings

CURSOR = "escrow_block"


@dataclass(frozen=True)
class LeaseRow:
    """A lease as noted here; `wiped_at` is when its files were removed, seconds since 1970."""

    lease_id: int
    device_id: bytes
    settled: bool
    wiped_at: float | None


class LeaseBook:
    """Leases noted from the chain's events, in the daemon's database."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def note(self, lease_id: int, device_id: bytes) -> None:
        """Adds a lease; one that is known stays as it is."""
        with self._engine.begin() as connection:
            connection.execute(
                insert(leases).values(lease_id=str(lease_id), device_id=device_id, settled=0).on_conflict_do_nothing()
            )

    def unsettled(self) -> list[LeaseRow]:
        """Leases with money or files still to be dealt with, by number."""
        query = select(leases).where(leases.c.settled == 0)
        with self._engine.connect() as connection:
            rows = [LeaseRow(int(r[0]), r[1], bool(r[2]), r[3]) for r in connection.execute(query)]
        return sorted(rows, key=lambda row: row.lease_id)

    def all(self) -> list[LeaseRow]:
        """Every lease ever noted, by number."""
        with self._engine.connect() as connection:
            rows = [LeaseRow(int(r[0]), r[1], bool(r[2]), r[3]) for r in connection.execute(select(leases))]
        return sorted(rows, key=lambda row: row.lease_id)

    def settle(self, lease_id: int) -> None:
        """Marks that nothing is left to do."""
        self._set(lease_id, settled=1)

    def wiped(self, lease_id: int, at: float) -> None:
        """Marks that the renter's files are gone."""
        self._set(lease_id, wiped_at=at)

    def cursor(self) -> int | None:
        """The last block whose events were noted."""
        query = select(settings.c.value).where(settings.c.name == CURSOR)
        with self._engine.connect() as connection:
            value = connection.execute(query).scalar_one_or_none()
        return None if value is None else int(value)

    def move_cursor(self, block: int) -> None:
        """Stores the last block whose events were noted."""
        with self._engine.begin() as connection:
            statement = insert(settings).values(name=CURSOR, value=str(block))
            connection.execute(statement.on_conflict_do_update(index_elements=["name"], set_={"value": str(block)}))

    def _set(self, lease_id: int, **values: object) -> None:
        with self._engine.begin() as connection:
            connection.execute(update(leases).where(leases.c.lease_id == str(lease_id)).values(**values))

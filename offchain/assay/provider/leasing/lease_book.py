"""The leases of this provider that are not settled yet, and the offers they stand on: a restart forgets none."""

from __future__ import annotations

import json
from dataclasses import dataclass

from sqlalchemy import Engine, select, update
from sqlalchemy.dialects.sqlite import insert

from assay.protocol.messages import Offer
from assay.provider.database import lease_offers, leases


@dataclass(frozen=True)
class LeaseRow:
    """A lease as noted here; `wiped_at` is when its files were removed, seconds since 1970."""

    lease_id: int
    settled: bool
    wiped_at: float | None


class LeaseBook:
    """Leases that have run here, in the daemon's database."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def note(self, lease_id: int) -> None:
        """Adds a lease; one that is known stays as it is."""
        with self._engine.begin() as connection:
            connection.execute(insert(leases).values(lease_id=str(lease_id), settled=0).on_conflict_do_nothing())

    def unsettled(self) -> list[LeaseRow]:
        """Leases with money or files still to be dealt with, by number."""
        return [row for row in self.all() if not row.settled]

    def all(self) -> list[LeaseRow]:
        """Every lease ever noted, by number."""
        with self._engine.connect() as connection:
            rows = [LeaseRow(int(r.lease_id), bool(r.settled), r.wiped_at) for r in connection.execute(select(leases))]
        return sorted(rows, key=lambda row: row.lease_id)

    def settle(self, lease_id: int) -> None:
        """Marks that nothing is left to do."""
        self._set(lease_id, settled=1)

    def wiped(self, lease_id: int, at: float) -> None:
        """Marks that the renter's files are gone."""
        self._set(lease_id, wiped_at=at)

    def offer(self, lease_id: int) -> Offer | None:
        """The offer that was kept of a lease, None where none was."""
        query = select(lease_offers.c.offer).where(lease_offers.c.lease_id == str(lease_id))
        with self._engine.connect() as connection:
            kept = connection.execute(query).scalar_one_or_none()
        return None if kept is None else Offer.from_json(json.loads(kept))

    def keep_offer(self, lease_id: int, offer: Offer) -> None:
        """Keeps the offer of a lease, in place of one of a lease that had the number before a reorganisation."""
        text = json.dumps(offer.to_json())
        row = insert(lease_offers).values(lease_id=str(lease_id), offer=text)
        with self._engine.begin() as connection:
            connection.execute(row.on_conflict_do_update(index_elements=["lease_id"], set_={"offer": text}))

    def _set(self, lease_id: int, **values: object) -> None:
        with self._engine.begin() as connection:
            connection.execute(update(leases).where(leases.c.lease_id == str(lease_id)).values(**values))

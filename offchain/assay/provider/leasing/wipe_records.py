"""What was wiped, when, and the provider's signature under it: kept for the renter as long as the database lives."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy import Engine, select
from sqlalchemy.dialects.sqlite import insert

from assay.protocol.messages import Wiped
from assay.protocol.signing import Domain
from assay.provider.database import wipes
from assay.provider.workloads.jobs import Removed


class WipeRecords:
    """`sign` makes compact signatures (64 bytes) over digests with the key at hand: the provider's or an operator's."""

    def __init__(self, engine: Engine, domain: Domain, sign: Callable[[bytes], bytes]) -> None:
        self._engine = engine
        self._domain = domain
        self._sign = sign

    def note(self, lease_id: int, removed: Removed, now: int) -> Wiped:
        """Stores that a lease's files were removed; what was noted first stands."""
        record = Wiped(lease_id, now, removed.files, removed.bytes, removed.entries_left)
        values = {
            "wiped_at": record.wiped_at,
            "files": record.files,
            "bytes": record.bytes,
            "entries_left": record.entries_left,
            "signature": self._sign(record.digest(self._domain)),
        }
        with self._engine.begin() as connection:
            connection.execute(insert(wipes).values(lease_id=str(lease_id), **values).on_conflict_do_nothing())
        return record

    def of_lease(self, lease_id: int) -> dict[str, Any] | None:
        """The record as it travels, None where nothing was wiped yet."""
        query = select(wipes).where(wipes.c.lease_id == str(lease_id))
        with self._engine.connect() as connection:
            row = connection.execute(query).mappings().one_or_none()
        if row is None:
            return None
        record = Wiped(lease_id, row["wiped_at"], row["files"], row["bytes"], row["entries_left"])
        signer = record.recover_signer(self._domain, row["signature"])
        return {**record.to_json(), "signer": signer, "signature": "0x" + row["signature"].hex()}

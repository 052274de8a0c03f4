"""What devices signed, kept before it is sent: after a crash the same bytes are sent again, or nothing."""

from __future__ import annotations

import json
from dataclasses import dataclass

from sqlalchemy import Engine, func, insert, select
from sqlalchemy.exc import IntegrityError

from assay.protocol.hexadecimal import parse_bytes32
from assay.protocol.types import DeviceId, Seed
from assay.provider.database import commitments
from assay.provider.errors import Conflict


@dataclass(frozen=True)
class StoredCommitment:
    """A signed commitment: `answer` is the JSON sent to validators; the rest is what
    the proof is made again from.
    """

    device_id: DeviceId
    epoch: int
    epoch_seed: Seed
    profile_id: int
    nonce_root: bytes
    answer: str

    @property
    def result_root(self) -> bytes:
        """What was committed to, 32 bytes."""
        return parse_bytes32(json.loads(self.answer)["resultRoot"], "resultRoot")


class CommitmentStore:
    """One commitment for each device, epoch and epoch seed; a second one is refused by the database itself."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def get(self, device_id: DeviceId, epoch: int, epoch_seed: Seed) -> StoredCommitment | None:
        query = select(commitments).where(
            commitments.c.device_id == device_id,
            commitments.c.epoch == epoch,
            commitments.c.epoch_seed == epoch_seed,
        )
        with self._engine.connect() as connection:
            row = connection.execute(query).one_or_none()
        return None if row is None else StoredCommitment(*row)

    def of_epoch(self, device_id: DeviceId, epoch: int) -> list[StoredCommitment]:
        """All of a device in an epoch: more than one only where its opening was reorganised away."""
        query = select(commitments).where(commitments.c.device_id == device_id, commitments.c.epoch == epoch)
        with self._engine.connect() as connection:
            return [StoredCommitment(*row) for row in connection.execute(query)]

    def devices(self) -> list[DeviceId]:
        """Devices that ever committed to anything here, retired ones too."""
        query = select(commitments.c.device_id).distinct().order_by(commitments.c.device_id)
        with self._engine.connect() as connection:
            return list(connection.execute(query).scalars())

    def put(self, stored: StoredCommitment) -> None:
        """Stores what is about to be sent. Raises Conflict where something else was stored before, or may have been:
        for an epoch of which nothing is kept any more.
        """
        values = {
            "device_id": stored.device_id,
            "epoch": stored.epoch,
            "epoch_seed": stored.epoch_seed,
            "profile_id": stored.profile_id,
            "nonce_root": stored.nonce_root,
            "answer": stored.answer,
        }
        try:
            with self._engine.begin() as connection:
                oldest = connection.execute(select(func.min(commitments.c.epoch))).scalar()
                if oldest is not None and stored.epoch < oldest:
                    raise Conflict(f"epoch {stored.epoch} is older than the record of what was signed here")
                connection.execute(insert(commitments).values(**values))
        except IntegrityError as error:
            raise Conflict(
                f"device 0x{stored.device_id.hex()} has already committed in epoch {stored.epoch}"
            ) from error

"""What devices answered to the memory probe, kept before it is sent: one answer a commitment."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Engine, func, insert, select
from sqlalchemy.exc import IntegrityError

from assay.protocol.types import DeviceId, Seed
from assay.provider.database import lane_commitments
from assay.provider.errors import Conflict


@dataclass(frozen=True)
class StoredLanes:
    """`answer` is the JSON sent to validators; `challenge` is π, which the lanes are walked again from."""

    device_id: DeviceId
    epoch: int
    epoch_seed: Seed
    challenge: bytes
    answer: str


class LaneCommitmentStore:
    """One for each device, epoch and epoch seed; a second one is refused by the database itself."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def get(self, device_id: DeviceId, epoch: int, epoch_seed: Seed) -> StoredLanes | None:
        query = select(lane_commitments).where(
            lane_commitments.c.device_id == device_id,
            lane_commitments.c.epoch == epoch,
            lane_commitments.c.epoch_seed == epoch_seed,
        )
        with self._engine.connect() as connection:
            row = connection.execute(query).one_or_none()
        return None if row is None else StoredLanes(*row)

    def put(self, stored: StoredLanes) -> None:
        """Stores what is about to be sent. Raises Conflict where something else was stored before, or may have been:
        for an epoch of which nothing is kept any more.
        """
        values = {
            "device_id": stored.device_id,
            "epoch": stored.epoch,
            "epoch_seed": stored.epoch_seed,
            "challenge": stored.challenge,
            "answer": stored.answer,
        }
        try:
            with self._engine.begin() as connection:
                oldest = connection.execute(select(func.min(lane_commitments.c.epoch))).scalar()
                if oldest is not None and stored.epoch < oldest:
                    raise Conflict(f"epoch {stored.epoch} is older than the record of what was signed here")
                connection.execute(insert(lane_commitments).values(**values))
        except IntegrityError as error:
            raise Conflict(
                f"device 0x{stored.device_id.hex()} has already answered the probe of epoch {stored.epoch}"
            ) from error

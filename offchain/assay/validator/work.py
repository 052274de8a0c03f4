"""What the phases of one epoch work with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from assay.protocol.epochs import Phase
from assay.protocol.profile import Profile
from assay.protocol.signing import signed_by
from assay.validator.context import EpochContext
from assay.validator.follower import Follower
from assay.validator.gossip import Gossiper
from assay.validator.opening_checks import OpeningChecker
from assay.validator.pace import Pace
from assay.validator.ports import ChainReader, ChainWriter, Clock, Devices, Statements
from assay.validator.record import EpochRecord
from assay.validator.rules import committees, leaders
from assay.validator.store import Store
from assay.validator.wake import Wake


@dataclass(frozen=True)
class Services:
    """Handed in once a process. `random` gives fresh bytes of a length."""

    reader: ChainReader
    writer: ChainWriter
    statements: Statements
    gossip: Gossiper
    devices: Devices
    checker: OpeningChecker
    store: Store
    clock: Clock
    wake: Wake
    follower: Follower
    pace: Pace
    random: Callable[[int], bytes]


@dataclass(frozen=True)
class Work:
    """One epoch at work."""

    services: Services
    context: EpochContext
    record: EpochRecord

    @property
    def phase(self) -> Phase:
        """Phase at the final block."""
        return self.services.follower.phase(self.context.epoch)

    @property
    def account(self) -> str:
        """This validator's account."""
        return self.context.seats[self.context.own].account

    def now(self) -> float:
        """Unix seconds."""
        return self.services.clock.now()

    def seal_round(self) -> int:
        """The round of sealing that has begun here; 0 until this validator has closed its inventory."""
        return self._round_since(self.record.inventory_at)

    def report_round(self) -> int:
        """The round of reporting that has begun here; 0 until this validator has signed its batch."""
        return self._round_since(self.record.batch_at)

    def _round_since(self, start: float | None) -> int:
        if start is None:
            return 0
        return leaders.current_round(self.services.pace.round_s, self.now() - start)

    def checks(self, device_id: bytes, rho: bytes, sealed: int) -> bool:
        """Whether this validator is to check a device of a seal of so many."""
        size = committees.committee_size(self.context.n, sealed)
        return self.context.own in committees.committee(rho, device_id, self.context.n, size)

    def signed_by_seat(self, seat: int, digest: bytes, signature: bytes) -> bool:
        """Whether a seat of this epoch's set signed the digest."""
        return signed_by(digest, signature, self.context.seats[seat].signer)

    def known_profile(self, device_id: bytes) -> Profile:
        """Profile of a device that the context is known to hold."""
        profile = self.context.profile_of(device_id)
        if profile is None:
            raise KeyError(f"device 0x{device_id.hex()} is not enrolled")
        return profile

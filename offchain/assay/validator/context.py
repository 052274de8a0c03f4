"""What is fixed when an epoch opens: seats, devices, profiles, deadlines."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from assay.chain.rpc.blocks import Block
from assay.protocol import quorum
from assay.protocol.profile import Profile
from assay.protocol.signing import Domain, signed_by
from assay.protocol.types import DeviceId, Rho, Seed
from assay.validator.rules import committees, leaders
from assay.validator.rules.deadlines import Deadlines
from assay.validator.rules.values import EpochDevice, Seat


@dataclass(frozen=True)
class EpochContext:
    """One epoch, read at the final block that opened it. `own` is this validator's seat in the set."""

    epoch: int
    epoch_seed: Seed
    set_id: int
    seats: tuple[Seat, ...]
    own: int
    devices: Mapping[DeviceId, EpochDevice]
    profiles: Mapping[int, Profile]
    domain: Domain
    deadlines: Deadlines
    opened: Block

    @property
    def n(self) -> int:
        """Seats in the set."""
        return len(self.seats)

    @property
    def quorum(self) -> int:
        """Signatures that decide."""
        return quorum.quorum(self.n)

    @property
    def idle(self) -> tuple[EpochDevice, ...]:
        """Devices to challenge, ascending."""
        return tuple(self.devices[d] for d in sorted(self.devices) if not self.devices[d].leased)

    @property
    def account(self) -> str:
        """This validator's account."""
        return self.seats[self.own].account

    @property
    def others(self) -> list[str]:
        """Accounts of the other seats."""
        return [seat.account for i, seat in enumerate(self.seats) if i != self.own]

    def seat_of(self, account: str) -> int | None:
        """Position of an account's seat, None for no seat."""
        return next((i for i, seat in enumerate(self.seats) if seat.account == account), None)

    def profile_of(self, device_id: DeviceId) -> Profile | None:
        """Profile of an enrolled device, None for another."""
        device = self.devices.get(device_id)
        return None if device is None else self.profiles[device.profile]

    def device_of(self, device_id: DeviceId) -> tuple[EpochDevice, Profile] | None:
        """An enrolled device with its profile, None for another."""
        device = self.devices.get(device_id)
        return None if device is None else (device, self.profiles[device.profile])

    def known_profile(self, device_id: DeviceId) -> Profile:
        """Profile of a device that is known to be enrolled. Raises KeyError."""
        return self.profiles[self.devices[device_id].profile]

    def signed_by_seat(self, seat: int, digest: bytes, signature: bytes) -> bool:
        """Whether a seat signed the digest."""
        return signed_by(digest, signature, self.seats[seat].signer)

    def checks(self, device_id: DeviceId, rho: Rho, sealed: int) -> bool:
        """Whether this validator is to check a device of a seal of so many."""
        size = committees.committee_size(self.n, sealed)
        return self.own in committees.committee(rho, device_id, self.n, size)

    def leader(self, round_: int) -> int:
        """Seat that leads a round."""
        return leaders.leader(self.epoch_seed, round_, self.n)

    @property
    def rank(self) -> int:
        """How many turns before this validator leads."""
        return leaders.rank(self.epoch_seed, self.own, self.n)

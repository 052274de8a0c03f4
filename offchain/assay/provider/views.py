"""What the daemon needs to know from the chain, as narrow types; `chain_view` reads them from a node."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from assay.chain.contracts.leases import Lease
from assay.protocol.types import DeviceId, Rho, Seed


@dataclass(frozen=True)
class SeatView:
    """One seat of an epoch's set, in signing order."""

    account: str
    signer: str


@dataclass(frozen=True)
class EpochView:
    """An epoch that was opened, as of a final block. `rho` is None until it is drawn."""

    epoch: int
    epoch_seed: Seed
    set_id: int
    seats: tuple[SeatView, ...]
    challenges_open: bool
    rho: Rho | None

    def seat_of(self, account: str) -> SeatView | None:
        """The seat of an account, whatever the case of its address."""
        return next((seat for seat in self.seats if seat.account.lower() == account.lower()), None)

    def seat_of_signer(self, signer: str) -> SeatView | None:
        """The seat that signs with this address."""
        return next((seat for seat in self.seats if seat.signer.lower() == signer.lower()), None)


class Epochs(Protocol):
    """Epochs at final blocks."""

    async def epoch(self, epoch: int) -> EpochView | None:
        """The epoch, or None where it is not opened at a final block."""

    async def latest(self) -> EpochView | None:
        """The latest opened epoch."""


class Leases(Protocol):
    """Leases at final blocks."""

    async def lease(self, lease_id: int) -> Lease | None:
        """The lease, or None for an unknown number."""

    async def active_lease(self, device_id: DeviceId) -> int:
        """The number of the device's active lease, or 0."""

    async def time(self) -> int:
        """Timestamp of the block."""

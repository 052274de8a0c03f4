"""Leases and offers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from assay.market.events.record import Address, Event, Struct


@dataclass(frozen=True, slots=True)
class OfferTerms(Struct):
    """The offer that a lease was opened on."""

    provider: Address
    operator: Address
    device_ids: tuple[bytes, ...]
    token: Address
    rate: int
    min_duration: int
    max_duration: int
    valid_until: int
    nonce: int
    renter: Address
    notice: int


@dataclass(frozen=True, slots=True)
class LeaseOpened(Event):
    """A renter opened a lease and paid the deposit in."""

    CONTRACT: ClassVar[str] = "LeaseEscrow"

    lease_id: int
    renter: Address
    provider: Address
    offer_hash: bytes
    offer: OfferTerms
    deposit: int


@dataclass(frozen=True, slots=True)
class LeaseCancelled(Event):
    """A pending lease was given up."""

    CONTRACT: ClassVar[str] = "LeaseEscrow"

    lease_id: int
    refund: int


@dataclass(frozen=True, slots=True)
class LeaseStarted(Event):
    """The stream began and the devices are the renter's."""

    CONTRACT: ClassVar[str] = "LeaseEscrow"

    lease_id: int
    result_roots: bytes
    start: int
    stop: int
    bond: int


@dataclass(frozen=True, slots=True)
class LeaseToppedUp(Event):
    """The renter added to the deposit."""

    CONTRACT: ClassVar[str] = "LeaseEscrow"

    lease_id: int
    amount: int
    stop: int


@dataclass(frozen=True, slots=True)
class NoticeGiven(Event):
    """The provider wants its devices back."""

    CONTRACT: ClassVar[str] = "LeaseEscrow"

    lease_id: int
    free_from: int


@dataclass(frozen=True, slots=True)
class LeaseEnded(Event):
    """A side ended a lease. With a `stop` in the future the renter left early and pays until then."""

    CONTRACT: ClassVar[str] = "LeaseEscrow"

    lease_id: int
    by: Address
    stop: int
    forfeited: int


@dataclass(frozen=True, slots=True)
class LeaseReleased(Event):
    """The provider let a renter go who had left early."""

    CONTRACT: ClassVar[str] = "LeaseEscrow"

    lease_id: int
    stop: int


@dataclass(frozen=True, slots=True)
class LeaseClaimed(Event):
    """Streamed money was paid to the provider."""

    CONTRACT: ClassVar[str] = "LeaseEscrow"

    lease_id: int
    receiver: Address
    amount: int
    fee: int


@dataclass(frozen=True, slots=True)
class LeaseRefunded(Event):
    """The renter was paid what it was due."""

    CONTRACT: ClassVar[str] = "LeaseEscrow"

    lease_id: int
    receiver: Address
    amount: int


@dataclass(frozen=True, slots=True)
class BondReturned(Event):
    """The bond, or what was left of it, was paid back."""

    CONTRACT: ClassVar[str] = "LeaseEscrow"

    lease_id: int
    receiver: Address
    amount: int


@dataclass(frozen=True, slots=True)
class DowntimeRefunded(Event):
    """Attested downtime was credited to the renter."""

    CONTRACT: ClassVar[str] = "LeaseEscrow"

    lease_id: int
    epoch: int
    device_id: bytes
    amount: int
    downtime: int


@dataclass(frozen=True, slots=True)
class BondForfeited(Event):
    """So much of the bond is forfeited to the network, because of downtime or of a slashed device, as it stands now."""

    CONTRACT: ClassVar[str] = "LeaseEscrow"

    lease_id: int
    amount: int


@dataclass(frozen=True, slots=True)
class ForfeitSettled(Event):
    """A forfeit was held long enough and is among the fees."""

    CONTRACT: ClassVar[str] = "LeaseEscrow"

    lease_id: int
    amount: int


@dataclass(frozen=True, slots=True)
class ForfeitForgiven(Event):
    """Governance gave a forfeit back to the provider."""

    CONTRACT: ClassVar[str] = "LeaseEscrow"

    lease_id: int
    amount: int


@dataclass(frozen=True, slots=True)
class DeviceOfLeaseSlashed(Event):
    """A device was slashed while it was leased."""

    CONTRACT: ClassVar[str] = "LeaseEscrow"

    lease_id: int
    device_id: bytes


@dataclass(frozen=True, slots=True)
class RefunderNamed(Event):
    """A renter named an account that may submit the downtime of its leases, or took that back."""

    CONTRACT: ClassVar[str] = "LeaseEscrow"

    renter: Address
    agent: Address
    may: bool


@dataclass(frozen=True, slots=True)
class OffersCancelled(Event):
    """Offers for a device were cancelled."""

    CONTRACT: ClassVar[str] = "LeaseEscrow"

    device_id: bytes
    signer: Address
    nonce_floor: int

"""Leases and offers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from assay.market.events.record import Address, Event


@dataclass(frozen=True, slots=True)
class LeaseOpened(Event):
    """Pending: the escrow holds the renter's money."""

    CONTRACT: ClassVar[str] = "LeaseEscrow"

    lease_id: int
    renter: Address
    provider: Address
    device_id: bytes
    token: Address
    rate: int
    deposit: int


@dataclass(frozen=True, slots=True)
class LeaseCancelled(Event):
    """A pending lease ended."""

    CONTRACT: ClassVar[str] = "LeaseEscrow"

    lease_id: int
    refund: int


@dataclass(frozen=True, slots=True)
class LeaseStarted(Event):
    """The stream runs, times in seconds."""

    CONTRACT: ClassVar[str] = "LeaseEscrow"

    lease_id: int
    result_root: bytes
    start: int
    stop: int
    bond: int


@dataclass(frozen=True, slots=True)
class LeaseToppedUp(Event):
    """More deposit, later stop."""

    CONTRACT: ClassVar[str] = "LeaseEscrow"

    lease_id: int
    amount: int
    stop: int


@dataclass(frozen=True, slots=True)
class LeaseEnded(Event):
    """Either side stopped the stream."""

    CONTRACT: ClassVar[str] = "LeaseEscrow"

    lease_id: int
    by: Address
    stop: int
    forfeited_bond: int


@dataclass(frozen=True, slots=True)
class LeaseClaimed(Event):
    """The provider was paid."""

    CONTRACT: ClassVar[str] = "LeaseEscrow"

    lease_id: int
    receiver: Address
    amount: int
    fee: int


@dataclass(frozen=True, slots=True)
class LeaseRefunded(Event):
    """The renter was paid back."""

    CONTRACT: ClassVar[str] = "LeaseEscrow"

    lease_id: int
    receiver: Address
    amount: int


@dataclass(frozen=True, slots=True)
class BondReturned(Event):
    """The provider's bond went back."""

    CONTRACT: ClassVar[str] = "LeaseEscrow"

    lease_id: int
    receiver: Address
    amount: int


@dataclass(frozen=True, slots=True)
class DowntimeRefunded(Event):
    """Attested downtime was credited."""

    CONTRACT: ClassVar[str] = "LeaseEscrow"

    lease_id: int
    epoch: int
    amount: int


@dataclass(frozen=True, slots=True)
class OffersCancelled(Event):
    """Offers below the nonce are void."""

    CONTRACT: ClassVar[str] = "LeaseEscrow"

    device_id: bytes
    nonce_floor: int


@dataclass(frozen=True, slots=True)
class BondForfeited(Event):
    """Too long down: the provider's bond is the renter's."""

    CONTRACT: ClassVar[str] = "LeaseEscrow"

    lease_id: int
    amount: int


@dataclass(frozen=True, slots=True)
class TokenListed(Event):
    """Leases may be paid in a token, from a fee floor on."""

    CONTRACT: ClassVar[str] = "LeaseEscrow"

    token: Address
    fee_floor: int


@dataclass(frozen=True, slots=True)
class TokenDelisted(Event):
    """New leases may no longer be paid in it."""

    CONTRACT: ClassVar[str] = "LeaseEscrow"

    token: Address


@dataclass(frozen=True, slots=True)
class FeeSet(Event):
    """The fee on rent."""

    CONTRACT: ClassVar[str] = "LeaseEscrow"

    fee_bps: int


@dataclass(frozen=True, slots=True)
class FeesCollected(Event):
    """Fees left the escrow."""

    CONTRACT: ClassVar[str] = "LeaseEscrow"

    token: Address
    receiver: Address
    amount: int


@dataclass(frozen=True, slots=True)
class SurplusRecovered(Event):
    """What had been sent to the escrow by mistake left it."""

    CONTRACT: ClassVar[str] = "LeaseEscrow"

    token: Address
    receiver: Address
    amount: int

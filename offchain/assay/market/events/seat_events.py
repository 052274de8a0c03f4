"""Validator seats."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from assay.market.events.record import Address, Event


@dataclass(frozen=True, slots=True)
class SeatJoined(Event):
    """An account takes a seat."""

    CONTRACT: ClassVar[str] = "ValidatorSet"

    account: Address
    signer: Address
    effective_epoch: int


@dataclass(frozen=True, slots=True)
class SeatLeft(Event):
    """An account gives its seat up."""

    CONTRACT: ClassVar[str] = "ValidatorSet"

    account: Address
    effective_epoch: int


@dataclass(frozen=True, slots=True)
class SeatOutbid(Event):
    """A higher stake took the seat."""

    CONTRACT: ClassVar[str] = "ValidatorSet"

    account: Address
    by: Address
    effective_epoch: int


@dataclass(frozen=True, slots=True)
class SeatEvicted(Event):
    """A seat was idle too long."""

    CONTRACT: ClassVar[str] = "ValidatorSet"

    account: Address
    last_active_epoch: int
    effective_epoch: int


@dataclass(frozen=True, slots=True)
class SeatEndpoint(Event):
    """Where a validator is reached."""

    CONTRACT: ClassVar[str] = "ValidatorSet"

    account: Address
    endpoint: str
    tls_fingerprint: bytes


@dataclass(frozen=True, slots=True)
class SeatSlashed(Event):
    """A seat lost its stake."""

    CONTRACT: ClassVar[str] = "ValidatorSet"

    account: Address
    effective_epoch: int


@dataclass(frozen=True, slots=True)
class SetChanged(Event):
    """A new set of seats from an epoch on."""

    CONTRACT: ClassVar[str] = "ValidatorSet"

    set_id: int
    first_epoch: int
    seats: int


@dataclass(frozen=True, slots=True)
class SeatRaised(Event):
    """A seat is backed by more stake."""

    CONTRACT: ClassVar[str] = "ValidatorSet"

    account: Address
    stake: int


@dataclass(frozen=True, slots=True)
class SeatStakeReleased(Event):
    """A seat that was left no longer holds its stake."""

    CONTRACT: ClassVar[str] = "ValidatorSet"

    account: Address
    amount: int


@dataclass(frozen=True, slots=True)
class CheckedIn(Event):
    """A seat says that it is there."""

    CONTRACT: ClassVar[str] = "ValidatorSet"

    account: Address
    epoch: int

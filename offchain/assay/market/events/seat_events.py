"""Validator seats."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from assay.market.events.record import Address, Event


@dataclass(frozen=True, slots=True)
class SeatJoined(Event):
    """An account asked for a seat."""

    CONTRACT: ClassVar[str] = "ValidatorSet"

    account: Address
    signer: Address
    earliest_epoch: int


@dataclass(frozen=True, slots=True)
class SeatJoinCancelled(Event):
    """A seat that waited in the queue will not be taken; its stake is free again."""

    CONTRACT: ClassVar[str] = "ValidatorSet"

    account: Address


@dataclass(frozen=True, slots=True)
class SeatKept(Event):
    """A seat that was outbid stays, since who had outbid it came to take no seat."""

    CONTRACT: ClassVar[str] = "ValidatorSet"

    account: Address


@dataclass(frozen=True, slots=True)
class SeatLeft(Event):
    """A seat was given up."""

    CONTRACT: ClassVar[str] = "ValidatorSet"

    account: Address
    earliest_epoch: int


@dataclass(frozen=True, slots=True)
class SeatOutbid(Event):
    """A higher stake takes a seat."""

    CONTRACT: ClassVar[str] = "ValidatorSet"

    account: Address
    by: Address
    earliest_epoch: int


@dataclass(frozen=True, slots=True)
class SeatEvicted(Event):
    """A seat was evicted for what it left out."""

    CONTRACT: ClassVar[str] = "ValidatorSet"

    account: Address
    since_epoch: int
    earliest_epoch: int


@dataclass(frozen=True, slots=True)
class SeatEndpoint(Event):
    """A validator can be reached here."""

    CONTRACT: ClassVar[str] = "ValidatorSet"

    account: Address
    endpoint: str
    tls_fingerprint: bytes


@dataclass(frozen=True, slots=True)
class SeatRaised(Event):
    """A seat is backed by more stake."""

    CONTRACT: ClassVar[str] = "ValidatorSet"

    account: Address
    stake: int


@dataclass(frozen=True, slots=True)
class SeatSlashed(Event):
    """A seat lost what was at stake; if it sits in the set, it leaves with the next epoch that is opened."""

    CONTRACT: ClassVar[str] = "ValidatorSet"

    account: Address
    signer: Address


@dataclass(frozen=True, slots=True)
class SeatTaken(Event):
    """A seat sits in the sets from an epoch on."""

    CONTRACT: ClassVar[str] = "ValidatorSet"

    account: Address
    signer: Address
    epoch: int


@dataclass(frozen=True, slots=True)
class SeatVacated(Event):
    """A seat sits in no set from an epoch on."""

    CONTRACT: ClassVar[str] = "ValidatorSet"

    account: Address
    epoch: int


@dataclass(frozen=True, slots=True)
class SeatStakeReleased(Event):
    """Stake that a seat had reserved is free again."""

    CONTRACT: ClassVar[str] = "ValidatorSet"

    account: Address
    amount: int


@dataclass(frozen=True, slots=True)
class CheckedIn(Event):
    """A seat was there in an epoch that stopped before its seal."""

    CONTRACT: ClassVar[str] = "ValidatorSet"

    account: Address
    epoch: int


@dataclass(frozen=True, slots=True)
class SetChanged(Event):
    """Epochs have another set from here on."""

    CONTRACT: ClassVar[str] = "ValidatorSet"

    set_id: int
    first_epoch: int
    seats: int

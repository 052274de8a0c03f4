"""Stakes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from assay.market.events.record import Address, Event


@dataclass(frozen=True, slots=True)
class Deposited(Event):
    """Stake was added."""

    CONTRACT: ClassVar[str] = "StakeManager"
    SPELLED: ClassVar[Mapping[str, str]] = {"payer": "from"}

    account: Address
    payer: Address
    amount: int


@dataclass(frozen=True, slots=True)
class Reserved(Event):
    """Stake backs a device or a seat."""

    CONTRACT: ClassVar[str] = "StakeManager"

    account: Address
    amount: int
    reserved: int


@dataclass(frozen=True, slots=True)
class Released(Event):
    """Stake backs less."""

    CONTRACT: ClassVar[str] = "StakeManager"

    account: Address
    amount: int
    reserved: int


@dataclass(frozen=True, slots=True)
class WithdrawalRequested(Event):
    """Stake was asked back."""

    CONTRACT: ClassVar[str] = "StakeManager"

    account: Address
    amount: int
    unlock_at: int


@dataclass(frozen=True, slots=True)
class WithdrawalCancelled(Event):
    """Asked-back stake is active again."""

    CONTRACT: ClassVar[str] = "StakeManager"

    account: Address
    amount: int


@dataclass(frozen=True, slots=True)
class Withdrawn(Event):
    """Stake left."""

    CONTRACT: ClassVar[str] = "StakeManager"

    account: Address
    receiver: Address
    amount: int


@dataclass(frozen=True, slots=True)
class SlashHeld(Event):
    """Stake was slashed and is on hold until it is paid and burned, or given back."""

    CONTRACT: ClassVar[str] = "StakeManager"

    held_id: int
    owner: Address
    amount: int
    bounty: int
    reporter: Address
    held_until: int


@dataclass(frozen=True, slots=True)
class SlashSettled(Event):
    """A slash is final: the bounty is the reporter's, the rest burned."""

    CONTRACT: ClassVar[str] = "StakeManager"

    held_id: int
    reporter: Address
    bounty: int
    burned: int


@dataclass(frozen=True, slots=True)
class SlashRestored(Event):
    """Governance gave slashed stake back."""

    CONTRACT: ClassVar[str] = "StakeManager"

    held_id: int
    owner: Address
    amount: int


@dataclass(frozen=True, slots=True)
class BountyCollected(Event):
    """A reporter was paid."""

    CONTRACT: ClassVar[str] = "StakeManager"

    reporter: Address
    receiver: Address
    amount: int


@dataclass(frozen=True, slots=True)
class BountySet(Event):
    """The share of a slash that its reporter gets."""

    CONTRACT: ClassVar[str] = "StakeManager"

    bounty_bps: int

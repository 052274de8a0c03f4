"""Openings demanded on-chain."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from assay.market.events.record import Address, Event


@dataclass(frozen=True, slots=True)
class DemandMade(Event):
    """A device was asked for an opening."""

    CONTRACT: ClassVar[str] = "OpeningDemands"

    demand_id: bytes
    device_id: bytes
    epoch: int
    is_row: bool
    index: int
    t: int
    i: int
    deadline: int
    demander: Address
    bond: int
    reward: int


@dataclass(frozen=True, slots=True)
class DemandAnswered(Event):
    """A demand was answered."""

    CONTRACT: ClassVar[str] = "OpeningDemands"

    demand_id: bytes
    answerer: Address
    reward: int
    burned: int


@dataclass(frozen=True, slots=True)
class DemandExpired(Event):
    """A demand was closed without an answer; the bond is credited to the demander."""

    CONTRACT: ClassVar[str] = "OpeningDemands"

    demand_id: bytes
    slashed: bool


@dataclass(frozen=True, slots=True)
class BondCollected(Event):
    """Bonds and rewards were paid out."""

    CONTRACT: ClassVar[str] = "OpeningDemands"

    account: Address
    receiver: Address
    amount: int

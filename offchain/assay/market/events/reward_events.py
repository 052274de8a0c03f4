"""Emission."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from assay.market.events.record import Address, Event


@dataclass(frozen=True, slots=True)
class RewardsClaimed(Event):
    """An account was paid what it had earned."""

    CONTRACT: ClassVar[str] = "RewardsDistributor"

    account: Address
    receiver: Address
    epoch: int
    amount: int


@dataclass(frozen=True, slots=True)
class RewardsVetoed(Event):
    """The rewards of a report were vetoed, by itself or together with an earlier one that it had gone on from."""

    CONTRACT: ClassVar[str] = "RewardsDistributor"

    epoch: int
    rewards_root: bytes


@dataclass(frozen=True, slots=True)
class GuardianSuspended(Event):
    """The guardian has vetoed as many reports in a row as it may."""

    CONTRACT: ClassVar[str] = "RewardsDistributor"
    SPELLED: ClassVar[Mapping[str, str]] = {"since": "from"}

    since: int
    until: int


@dataclass(frozen=True, slots=True)
class EmissionBegun(Event):
    """The token has given emission to this distributor."""

    CONTRACT: ClassVar[str] = "RewardsDistributor"

    first_epoch: int


@dataclass(frozen=True, slots=True)
class EmissionEnded(Event):
    """The token has ended the emission of this distributor."""

    CONTRACT: ClassVar[str] = "RewardsDistributor"

    last_epoch: int

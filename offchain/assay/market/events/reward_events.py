"""Emission."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from assay.market.events.record import Address, Event


@dataclass(frozen=True, slots=True)
class RewardsClaimed(Event):
    """Emission was minted."""

    CONTRACT: ClassVar[str] = "RewardsDistributor"

    account: Address
    receiver: Address
    epoch: int
    amount: int


@dataclass(frozen=True, slots=True)
class RewardsVetoed(Event):
    """A reward root was vetoed."""

    CONTRACT: ClassVar[str] = "RewardsDistributor"

    epoch: int
    rewards_root: bytes

"""Who mints the network's token."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from assay.market.events.record import Address, Event


@dataclass(frozen=True, slots=True)
class MinterHandedOver(Event):
    """A later minter was named; the one before emits nothing for epochs after `lastEpoch`."""

    CONTRACT: ClassVar[str] = "NetworkToken"

    previous: Address
    next: Address
    last_epoch: int


@dataclass(frozen=True, slots=True)
class HandoverSettled(Event):
    """What a past minter may ever mint was fixed at what can still be claimed from it."""

    CONTRACT: ClassVar[str] = "NetworkToken"

    minter: Address
    limit: int
    minted: int

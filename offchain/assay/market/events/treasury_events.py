"""The escrow's tokens, fees and bond credits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from assay.market.events.record import Address, Event


@dataclass(frozen=True, slots=True)
class TokenListed(Event):
    """New leases are taken in a token from now on."""

    CONTRACT: ClassVar[str] = "LeaseEscrow"

    token: Address
    fee_floor: int


@dataclass(frozen=True, slots=True)
class TokenDelisted(Event):
    """No new leases and no more bond credit are taken in a token; what exists goes on."""

    CONTRACT: ClassVar[str] = "LeaseEscrow"

    token: Address


@dataclass(frozen=True, slots=True)
class FeeSet(Event):
    """The fee of leases opened from now on has changed."""

    CONTRACT: ClassVar[str] = "LeaseEscrow"

    fee_bps: int


@dataclass(frozen=True, slots=True)
class FeesCollected(Event):
    """Fees, forfeits of bonds among them, were paid out."""

    CONTRACT: ClassVar[str] = "LeaseEscrow"

    token: Address
    receiver: Address
    amount: int


@dataclass(frozen=True, slots=True)
class SurplusRecovered(Event):
    """What nobody was owed was paid out."""

    CONTRACT: ClassVar[str] = "LeaseEscrow"

    token: Address
    receiver: Address
    amount: int


@dataclass(frozen=True, slots=True)
class BondCreditFilled(Event):
    """A provider put money aside for bonds that its operators' starts take."""

    CONTRACT: ClassVar[str] = "LeaseEscrow"

    provider: Address
    token: Address
    amount: int
    credit: int


@dataclass(frozen=True, slots=True)
class BondCreditDrained(Event):
    """A provider took back bond credit."""

    CONTRACT: ClassVar[str] = "LeaseEscrow"

    provider: Address
    token: Address
    receiver: Address
    amount: int
    credit: int


@dataclass(frozen=True, slots=True)
class BondCreditUsed(Event):
    """The bond of a lease that an operator started came out of the provider's credit."""

    CONTRACT: ClassVar[str] = "LeaseEscrow"

    provider: Address
    token: Address
    lease_id: int
    amount: int
    credit: int


@dataclass(frozen=True, slots=True)
class BondLimitSet(Event):
    """A provider changed what its operators may take of its credit in a day."""

    CONTRACT: ClassVar[str] = "LeaseEscrow"

    provider: Address
    token: Address
    per_day: int

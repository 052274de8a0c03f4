"""Whom a provider has appointed to act for it, where its money goes, and what bonds its operators may take."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntFlag

from assay.chain.rpc.client import At, Chain

REGISTRY = "DeviceRegistry"


class OperatorScope(IntFlag):
    """What an operator may do; as in the contracts' OperatorScopes."""

    OFFER = 1
    START = 2
    END = 4
    CLAIM = 8
    ENDPOINT = 16


ALL_SCOPES = (
    OperatorScope.OFFER | OperatorScope.START | OperatorScope.END | OperatorScope.CLAIM | OperatorScope.ENDPOINT
)


@dataclass(frozen=True, slots=True)
class Operator:
    """`scopes` none for an account never appointed or revoked; `until` in seconds, that second included."""

    scopes: OperatorScope
    until: int


@dataclass(frozen=True, slots=True)
class BondCredit:
    """What bonds may be taken from for a provider in one token, base units.

    `per_day` is the limit of a day, `left_today` what of it may still be taken today; the amount bounds both.
    """

    amount: int
    per_day: int
    left_today: int

    @property
    def available(self) -> int:
        """The largest bond that a start could take now."""
        return min(self.amount, self.left_today)


async def read_operator(chain: Chain, provider: str, operator: str, at: At = None) -> Operator:
    """What the provider allows the operator."""
    row = await chain.call(REGISTRY, "operatorOf", provider, operator, at=at)
    return Operator(OperatorScope(row.scopes), row.until)


async def may_act(chain: Chain, provider: str, operator: str, scopes: OperatorScope, at: At = None) -> bool:
    """Whether the operator has all of these scopes, and still has them at the block's time."""
    allowed: bool = await chain.call(REGISTRY, "mayAct", provider, operator, int(scopes), at=at)
    return allowed


async def payout_of(chain: Chain, provider: str, at: At = None) -> str:
    """Where what an operator claims is paid to; the provider itself unless it named another."""
    payout: str = await chain.call(REGISTRY, "payoutOf", provider, at=at)
    return payout


async def read_bond_credit(chain: Chain, provider: str, token: str, at: At = None) -> BondCredit:
    """The provider's bond credit in a token."""
    row = await chain.call("LeaseEscrow", "bondCredit", provider, token, at=at)
    return BondCredit(row.amount, row.perDay, row.leftToday)

"""What is to be sent, what was signed for it, and where it stands."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from assay.chain.transactions.receipts import Receipt

GWEI = 10**9
# Nodes refuse a replacement that offers less than 10 % more; some ask for 12.5 %.
_BUMP_NUMERATOR, _BUMP_DENOMINATOR = 1_125, 1_000


@dataclass(frozen=True, slots=True)
class Fees:
    """EIP-1559 offer in wei a gas: `cap` for everything, of which `tip` for the block's builder."""

    cap: int
    tip: int


@dataclass(frozen=True, slots=True)
class FeePolicy:
    """Bounds on what is offered. `ceiling` and `least_tip` in wei a gas; `base_factor` times the base fee
    is the cap of a first offer, so that it stays good while the base fee climbs for some blocks."""

    ceiling: int = 500 * GWEI
    min_tip: int = GWEI // 1_000
    base_factor: int = 2
    stuck_after_s: float = 30.0

    def first(self, base_fee: int, suggested_tip: int) -> Fees | None:
        """A first offer, or None while the base fee is above the ceiling. On a chain that asks for nothing it is
        nothing: accounts there may hold none of its coin."""
        if base_fee > self.ceiling:
            return None
        if base_fee == suggested_tip == 0:
            return Fees(0, 0)
        tip = min(max(suggested_tip, self.min_tip), self.ceiling)
        cap = min(self.base_factor * base_fee + tip, self.ceiling)
        return Fees(cap, min(tip, cap))

    def bump(self, offered: Fees, base_fee: int, suggested_tip: int, *, asked: bool = True) -> Fees | None:
        """An offer that replaces `offered`: at least 12.5 % more on tip and cap, and what a first
        offer would be now. None where that would pass the ceiling, and where the chain takes nothing
        and no node has `asked` for more."""
        fresh = self.first(base_fee, suggested_tip)
        if not asked and fresh is not None and fresh.cap == offered.cap == 0:
            return None
        cap, tip = _raised(offered.cap), _raised(offered.tip)
        if fresh is not None:
            cap, tip = max(cap, fresh.cap), max(tip, fresh.tip)
        if cap > self.ceiling:
            return None
        return Fees(max(cap, tip), tip)


def _raised(value: int) -> int:
    """12.5 % more, rounded up, and at least 1."""
    return max(value + 1, -(-value * _BUMP_NUMERATOR // _BUMP_DENOMINATOR))


class State(StrEnum):
    """Where an intent stands."""

    OPEN = "open"  # journalled; perhaps broadcast
    MINED = "mined"  # in a block that may still be reorganised away
    FINAL = "final"  # in a final block
    FAILED = "failed"  # never will be: refused for good, cancelled, or its nonce was taken


@dataclass(frozen=True, slots=True)
class Attempt:
    """One signed transaction."""

    hash: bytes
    raw: bytes
    fees: Fees
    cancels: bool
    signed: float


@dataclass(frozen=True, slots=True)
class SendRequest:
    """What a transaction is to do; `value` in wei. At most one intent that has not failed serves a purpose."""

    label: str
    recipient: str
    data: bytes
    value: int
    gas: int
    purpose: str | None = None


@dataclass(frozen=True, slots=True)
class Intent:
    """One nonce and what it is for; those from `transaction_hash` on are set once a
    transaction of it was mined."""

    id: int
    request: SendRequest
    nonce: int
    state: State
    created: float
    transaction_hash: bytes | None
    block_number: int | None
    block_hash: bytes | None
    gas_used: int | None
    succeeded: bool | None
    reason: str | None

    @property
    def label(self) -> str:
        """The request's."""
        return self.request.label

    @property
    def purpose(self) -> str | None:
        """The request's."""
        return self.request.purpose

    def receipt(self) -> Receipt:
        """Of a mined intent. Raises ValueError for another."""
        if (
            self.transaction_hash is None
            or self.block_hash is None
            or self.block_number is None
            or self.gas_used is None
        ):
            raise ValueError(f"{self.label}: was not mined")
        return Receipt(
            self.label,
            self.transaction_hash,
            self.block_number,
            self.block_hash,
            self.gas_used,
            bool(self.succeeded),
        )

"""What a transaction offers for its place in a block."""

from __future__ import annotations

from dataclasses import dataclass

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
    least_tip: int = GWEI // 1_000
    base_factor: int = 2
    stuck_after_s: float = 30.0

    def first(self, base_fee: int, suggested_tip: int) -> Fees | None:
        """A first offer, or None while the base fee is above the ceiling. On a chain that asks for nothing it is
        nothing: accounts there may hold none of its coin."""
        if base_fee > self.ceiling:
            return None
        if base_fee == suggested_tip == 0:
            return Fees(0, 0)
        tip = min(max(suggested_tip, self.least_tip), self.ceiling)
        cap = min(self.base_factor * base_fee + tip, self.ceiling)
        return Fees(cap, min(tip, cap))

    def bump(self, offered: Fees, base_fee: int, suggested_tip: int, *, asked: bool = True) -> Fees | None:
        """An offer that replaces `offered`: at least 12.5 % more on tip and cap, and what a first offer
        would be now. None where that would pass the ceiling, and where the chain takes nothing and no node has `asked`
        for more."""
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

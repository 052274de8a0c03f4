"""How many seats may fail and how many must sign."""

from __future__ import annotations

from collections.abc import Sequence

MAX_SEATS = 31


def faults(seats: int) -> int:
    """f = ⌊(n−1)/3⌋: seats that may be silent or lie without harm."""
    if seats < 1:
        raise ValueError(f"{seats} seats: a set has at least one")
    return (seats - 1) // 3


def quorum(seats: int) -> int:
    """q = ⌊2n/3⌋ + 1: signatures that decide."""
    if seats < 1:
        raise ValueError(f"{seats} seats: a set has at least one")
    return 2 * seats // 3 + 1


def price_of_seat(stakes: Sequence[int], seat_stake: int) -> int:
    """Base units that a newcomer puts behind a seat, where `stakes` are behind those that are taken: `seat_stake`, and
    where all are taken 110 % of the lowest, rounded up."""
    return seat_stake if len(stakes) < MAX_SEATS else (11 * min(stakes) + 9) // 10

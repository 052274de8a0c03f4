"""Committees: above a number of devices each is checked by some seats only, drawn once the devices have committed.

A device's committee is the first c of the seats in the order that H(rho ‖ "c" ‖ deviceId), as a number, shuffles them
into: its digits in the mixed radix n, n−1, … are the choices of a Fisher-Yates shuffle, all as likely but for one part
in 2^150. It passes when at least `MIN_SPEAKERS` members, and more than half of those whose batch is named, passed it:
a silent member is no vote.

Why rho and not the epoch's beacon: a provider who knew the committee before committing would cheat only where he has
bought half of it.

Arithmetic, n seats, f = ⌊(n−1)/3⌋ faulty, X ~ Hypergeometric(n, f, c) of them in a committee:
- f silent seats fail an honest device where fewer than `MIN_SPEAKERS` honest members are left, X > c − 3. With
  c ≥ f + 3 that cannot happen.
- f lying seats decide where X ≥ c/2. That they pass a cheat is slashable, whoever sits on the committee; that they fail
  an honest device costs it one epoch's reward.
"""

from __future__ import annotations

from fractions import Fraction
from functools import lru_cache
from math import comb

from assay.protocol import quorum
from assay.protocol.keccak import keccak
from assay.protocol.types import DeviceId, Rho

CHECKED_BY_ALL = 5_000  # devices in a seal up to which every seat checks every device
MIN_SPEAKERS = 3
ALLOWED_FAILURES = Fraction(1, 1000)  # honest devices failed an epoch, expected, with f seats silent


def threshold(spoken: int) -> int:
    """Passing members that a device needs, of so many that spoke."""
    return max(MIN_SPEAKERS, spoken // 2 + 1)


def silence_probability(seats: int, size: int) -> Fraction:
    """Chance that f silent seats leave an honest device fewer than `MIN_SPEAKERS` members. Exact."""
    return _at_least(seats, size, size - MIN_SPEAKERS + 1)


def lie_probability(seats: int, size: int) -> Fraction:
    """Chance that f lying seats make up half of a committee or more. Exact."""
    return _at_least(seats, size, -(-size // 2))


@lru_cache(maxsize=4096)
def _at_least(seats: int, size: int, decisive: int) -> Fraction:
    faulty = quorum.faults(seats)
    cases = (comb(faulty, x) * comb(seats - faulty, size - x) for x in range(decisive, min(faulty, size) + 1))
    return Fraction(sum(cases), comb(seats, size))


@lru_cache(maxsize=1024)
def committee_size(seats: int, devices: int) -> int:
    """Seats that check each device: all up to `CHECKED_BY_ALL` devices, else the smallest odd committee with which f
    silent seats fail at most `ALLOWED_FAILURES` honest devices an epoch."""
    if devices <= CHECKED_BY_ALL:
        return seats
    for size in range(2 * MIN_SPEAKERS - 1, seats, 2):
        if devices * silence_probability(seats, size) <= ALLOWED_FAILURES:
            return size
    return seats


def committee(rho: Rho, device_id: DeviceId, seats: int, size: int) -> frozenset[int]:
    """Positions of the seats that check a device."""
    return frozenset(range(seats)) if size >= seats else frozenset(drawn_order(rho, device_id, seats, size))


def drawn_order(rho: Rho, device_id: DeviceId, seats: int, size: int) -> list[int]:
    """The first so many of the seats in a device's order."""
    number = int.from_bytes(keccak(rho + b"c" + device_id), "big")
    order = list(range(seats))
    for place in range(size):
        number, chosen = divmod(number, seats - place)
        order[place], order[place + chosen] = order[place + chosen], order[place]
    return order[:size]

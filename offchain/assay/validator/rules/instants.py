"""The instants at which all devices are challenged, and later asked for their memory, at once."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from assay.protocol.types import Seed
from assay.wire.gossip import Purpose

MIN_NOTICE_MS = 2_000  # between the leader's gossip and the instant
MAX_NOTICE_MS = 30_000
MAX_LAG_MS = 1_000  # after which a request is no longer one of the instant


@dataclass(frozen=True, slots=True)
class Instant:
    """What a leader announced: the seat that signed, and the moment in Unix milliseconds."""

    seat: int
    epoch_seed: Seed
    start_ms: int
    purpose: Purpose = Purpose.WORK


def chosen(
    instants: Collection[Instant],
    purpose: Purpose,
    epoch_seed: Seed,
    seats: int,
    first: int,
    turn: int,
    not_before_ms: int = 0,
) -> Instant | None:
    """The instant to act on: of the earliest turn so far. Turns begin with the seat `first`;
    `turn` is the latest that has begun.

    A leader who announced two different instants, for either purpose, is passed over; so is one whose instant lies
    before `not_before_ms`. Instants for another epoch seed count for nothing.
    """
    current = {instant for instant in instants if instant.epoch_seed == epoch_seed}
    disqualified = _with_two(current)
    turns = {
        (instant.seat - first) % seats: instant
        for instant in current
        if instant.purpose is purpose and instant.seat not in disqualified and instant.start_ms >= not_before_ms
    }
    earliest = min(turns, default=seats)
    return turns[earliest] if earliest <= turn and turns else None


def _with_two(instants: Iterable[Instant]) -> set[int]:
    named: set[tuple[int, Purpose]] = set()
    found = set()
    for instant in instants:
        if (instant.seat, instant.purpose) in named:
            found.add(instant.seat)
        named.add((instant.seat, instant.purpose))
    return found


def earliest_probe_ms(challenged_ms: int, deadlines_ms: Iterable[int]) -> int:
    """The earliest instant for the memory probe: when the last of the devices to be probed is due with its work.

    From then on a card that answered for several names must hold the windows of all of them at once.
    """
    return challenged_ms + max(deadlines_ms, default=0)


def plausible(start_ms: int, now_ms: int, latest_ms: int) -> bool:
    """Whether an instant is worth waiting for: not long past, not after the time
    at which commitments close.
    """
    return now_ms - MAX_NOTICE_MS <= start_ms <= min(now_ms + MAX_NOTICE_MS, latest_ms)

"""The one instant at which all devices are challenged."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from assay.validator.rules import leaders

LEAST_NOTICE_MS = 2_000  # between the leader's gossip and the instant
MOST_NOTICE_MS = 30_000


@dataclass(frozen=True, slots=True)
class Instant:
    """What a leader announced: the seat that signed, and the moment in Unix milliseconds."""

    seat: int
    epoch_seed: bytes
    start_ms: int


def chosen(instants: Iterable[Instant], epoch_seed: bytes, seats: int, round_: int) -> Instant | None:
    """The instant to act on: of the earliest turn so far, `round_` being the latest turn that has begun.

    A leader who announced two different instants is passed over. Instants for another epoch seed count for
    nothing.
    """
    by_turn: dict[int, set[Instant]] = {}
    for instant in instants:
        if instant.epoch_seed == epoch_seed:
            by_turn.setdefault(leaders.rank(epoch_seed, instant.seat, seats), set()).add(instant)
    for turn in sorted(by_turn):
        if turn <= round_ and len(by_turn[turn]) == 1:
            return next(iter(by_turn[turn]))
    return None


def plausible(start_ms: int, now_ms: int, latest_ms: int) -> bool:
    """Whether an instant is worth waiting for: not long past, not after the time at which commitments
    close.
    """
    return now_ms - MOST_NOTICE_MS <= start_ms <= min(now_ms + MOST_NOTICE_MS, latest_ms)

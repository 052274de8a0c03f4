"""Whose turn it is: a rotation that starts at a seat the epoch seed picks."""

from __future__ import annotations

from assay.protocol.types import Seed


def first_leader(epoch_seed: Seed, seats: int) -> int:
    """Seat that leads round 0 of an epoch."""
    if seats <= 0:
        raise ValueError(f"a set needs at least one seat, got {seats}")
    return int.from_bytes(epoch_seed, "big") % seats


def leader(epoch_seed: Seed, round_: int, seats: int) -> int:
    """Seat that leads round `round_`; every seat's turn comes once in `seats` rounds."""
    return (first_leader(epoch_seed, seats) + round_) % seats


def rank(epoch_seed: Seed, seat: int, seats: int) -> int:
    """How many turns before `seat` leads: 0 for the first leader. Late ranks act
    only if earlier ones did not.
    """
    return (seat - first_leader(epoch_seed, seats)) % seats


def round_starts(base_s: float, round_: int) -> float:
    """Seconds after the start of a phase at which a round begins.

    The length of a round doubles every full two rounds up to eight times `base_s`: slow networks get time, a
    silent leader costs one `base_s`.
    """
    return base_s * sum(1 << min(3, r // 2) for r in range(round_))


def current_round(base_s: float, since_start_s: float) -> int:
    """The round that has begun `since_start_s` seconds into a phase; 0 before the phase starts."""
    if base_s <= 0:
        raise ValueError(f"the time-out of a round must be positive, got {base_s}")
    round_ = 0
    while round_starts(base_s, round_ + 1) <= since_start_s:
        round_ += 1
    return round_


def round_reached(base_s: float, began: float | None, now: float) -> int:
    """The round of a phase that began at a moment, both in Unix seconds; 0 where it has not begun."""
    return 0 if began is None else current_round(base_s, now - began)

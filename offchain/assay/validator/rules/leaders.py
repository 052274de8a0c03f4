"""Whose turn it is: a rotation that starts at a seat the epoch seed picks."""

from __future__ import annotations

from dataclasses import dataclass

from assay.protocol import quorum
from assay.protocol.types import Seed
from assay.validator.rules.deadlines import Deadlines

MIN_ROUND_S = 1.5


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


def round_starts(base_s: float, round_: int, faults: int) -> float:
    """Seconds after the start of a phase at which a round begins.

    The first `faults` + 1 rounds are equally long, so that an honest leader has its turn whoever leads first; from then
    on their length doubles every two rounds up to eight times `base_s`, which gives slow networks time.
    """
    return base_s * sum(1 << min(3, max(0, r - faults + 1) // 2) for r in range(round_))


def current_round(base_s: float, since_start_s: float, faults: int) -> int:
    """The round that has begun `since_start_s` seconds into a phase; 0 before the phase starts."""
    if base_s <= 0:
        raise ValueError(f"the time-out of a round must be positive, got {base_s}")
    round_ = 0
    while round_starts(base_s, round_ + 1, faults) <= since_start_s:
        round_ += 1
    return round_


@dataclass(frozen=True, slots=True)
class RoundTimes:
    """When the rounds of one agreement begin, Unix seconds.

    Those before `anew` are counted from when the agreement began here. From then on all seats count alike, from round
    `first_anew`, which is above any reached before: a seat that comes late, kept by a device that answers it slowly,
    meets the others in their round, and finds it short again.
    """

    faults: int
    base_s: float
    began: float | None
    anew: float
    first_anew: int
    anew_s: float  # `base_s` from then on

    def reached(self, now: float) -> int:
        """The round that has begun; 0 where the agreement has not."""
        if self.began is None:
            return 0
        if now >= self.anew:
            return self.first_anew + self.turns(now)
        return current_round(self.base_s, now - self.began, self.faults)

    def turns(self, now: float) -> int:
        """How many leaders have had their turn in vain since all seats count alike."""
        return 0 if self.began is None else current_round(self.anew_s, max(0.0, now - self.anew), self.faults)

    def ends(self, round_: int, now: float) -> float:
        """When the turn of a round's leader ends that is taken now: no sooner than one `base_s` from now, unless all
        count anew by then."""
        if now >= self.anew:
            next_ = self.anew + round_starts(self.anew_s, round_ + 1 - self.first_anew, self.faults)
            return max(next_, now + self.anew_s)
        next_ = now if self.began is None else self.began + round_starts(self.base_s, round_ + 1, self.faults)
        return min(self.anew, max(next_, now + self.base_s))


def seal_rounds(deadlines: Deadlines, seats: int, base_s: float, began: float | None) -> RoundTimes:
    """Of the agreement on the seal. It may begin as soon as all devices have answered; where commitments close it
    begins for everybody, with time for one leader more than may be faulty."""
    faults = quorum.faults(seats)
    first_anew = 1 + current_round(base_s, deadlines.commit_by - deadlines.start, faults)
    anew_s = max(MIN_ROUND_S, min(base_s, (deadlines.seal_by - deadlines.commit_by) / (faults + 2)))
    return RoundTimes(faults, base_s, began, deadlines.commit_by, first_anew, anew_s)


def report_rounds(deadlines: Deadlines, seats: int, base_s: float, began: float | None) -> RoundTimes:
    """Of the agreement on the report: for everybody from where observations are signed."""
    return RoundTimes(quorum.faults(seats), base_s, began, deadlines.batch_by, 0, base_s)

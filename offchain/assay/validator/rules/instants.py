"""The instants at which all devices are challenged, and later asked for their memory, at once.

The earliest counts, and whoever hears of an earlier one than it waits for begins with that, however late it hears of
it. Seats pass on what they are told. So no honest seat begins later than a message's way after the first of them,
whatever leaders name, to whom and when: a leader that shows some seats another instant in the last moment moves all.
Nobody is passed over for naming two: whether a second one came in time, seats that hear of it around that time would
judge apart, and some would begin a turn later than the others.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

from assay.protocol.types import Seed
from assay.wire.gossip import Purpose

MIN_NOTICE_MS = 2_000  # between the leader's gossip and the instant
MAX_NOTICE_MS = 30_000
MAX_LAG_MS = 1_000  # after which a request is no longer one of the instant
READY_MS = 1_000  # before the instant, in which requests are signed
STEP_MS = 250  # by which another instant of one seat is earlier, to be worth passing on


@dataclass(frozen=True, slots=True)
class Instant:
    """What a leader announced: the seat that signed, and the moment, in Unix milliseconds as is `heard_ms`, when it
    came."""

    seat: int
    epoch_seed: Seed
    start_ms: int
    purpose: Purpose = Purpose.WORK
    heard_ms: int = field(default=0, compare=False)

    @property
    def begins_ms(self) -> int:
        """When it is acted on: one that lies in the past, at once."""
        return max(self.start_ms, self.heard_ms)


def chosen(
    instants: Collection[Instant], purpose: Purpose, epoch_seed: Seed, seats: int, first: int, turn: int, now_ms: int
) -> Instant | None:
    """The instant to act on: the earliest so far.

    Turns begin with the seat `first`; `turn` is the latest that has begun. Of the work's instants those of seats whose
    turn has not begun do not count yet; the memory's cannot come too early, for nobody begins before the work is due.
    Instants for another epoch seed count for nothing, those too far ahead not yet.
    """
    counting = (
        instant
        for instant in instants
        if instant.epoch_seed == epoch_seed
        and instant.purpose is purpose
        and instant.start_ms <= now_ms + MAX_NOTICE_MS
        and (purpose is Purpose.MEMORY or (instant.seat - first) % seats <= turn)
    )
    return min(counting, key=lambda instant: (instant.begins_ms, instant.seat), default=None)


def is_earlier(instants: Iterable[Instant], instant: Instant) -> bool:
    """Whether an instant is the first of its seat and purpose, or enough earlier than those known."""
    place = instant.seat, instant.purpose, instant.epoch_seed
    own = [known for known in instants if (known.seat, known.purpose, known.epoch_seed) == place]
    return all(instant.begins_ms <= known.begins_ms - STEP_MS for known in own)


def earliest_probe_ms(challenged_ms: int, deadlines_ms: Iterable[int]) -> int:
    """The earliest instant for the memory probe: when the last of the devices to be probed is due with its work.

    From then on a card that answered for several names must hold the windows of all of them at once.
    """
    return challenged_ms + max(deadlines_ms, default=0)

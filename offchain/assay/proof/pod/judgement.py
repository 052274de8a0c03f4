"""What the times of a proof inside a pod say of its card: pure rules, on the renter's clock."""

from __future__ import annotations

from dataclasses import dataclass

from assay.proof.probe.calibration import deadline_us
from assay.protocol.profile import Profile

# Percent of the rate that a card showed before its lease that it shows in a pod at least: its clock, its heat and the
# renter's own line take some.
ENOUGH_PERCENT = 85
MAX_ROUND_TRIP_S = 0.5  # who delays the ping that it is measured by gains no more than this


@dataclass(frozen=True, slots=True)
class Times:
    """Of one device, seconds from what was asked to what came back; `walk_s` is None where its class has no probe."""

    work_s: float
    walk_s: float | None
    round_trip_s: float


def seconds_on_the_way(round_trip_s: float) -> float:
    """What of a time by the renter's clock was not spent at the pod, and is taken off."""
    return min(max(round_trip_s, 0.0), MAX_ROUND_TRIP_S)


def clocked_gops(profile: Profile, times: Times) -> int:
    """The rate by the renter's clock, the way there and back in it: it makes this much at least."""
    return profile.score_gops(max(1, int(times.work_s * 1e6)))


def most_gops(profile: Profile, times: Times) -> int:
    """The rate without the way: it makes no more than this. Of work that takes no longer than the way it says nothing,
    and is the most that a profile knows.
    """
    return profile.score_gops(max(1, int((times.work_s - seconds_on_the_way(times.round_trip_s)) * 1e6)))


def is_slow(profile: Profile, times: Times, expected_gops: int) -> bool:
    """Whether it makes less than it did by more than an honest card may."""
    return most_gops(profile, times) * 100 < expected_gops * ENOUGH_PERCENT


def work_limit_s(profile: Profile, round_trip_s: float) -> float:
    """Seconds by the renter's clock that the work of a class may take."""
    return profile.deadline_ms / 1000 + seconds_on_the_way(round_trip_s)


def walk_limit_s(profile: Profile, round_trip_s: float) -> float:
    """Seconds in which a window is walked that lies in memory of the card's own."""
    return deadline_us(profile) / 1e6 + seconds_on_the_way(round_trip_s)


def is_late(profile: Profile, times: Times) -> bool:
    """Whether it took longer than its class may."""
    return times.work_s > work_limit_s(profile, times.round_trip_s)


def memory_shown(profile: Profile, times: Times) -> bool:
    """Whether the window was walked as fast as from memory of the card's own."""
    in_time = times.walk_s is not None and times.walk_s <= walk_limit_s(profile, times.round_trip_s)
    return profile.W == 0 or in_time


def fault(profile: Profile, times: Times, expected_gops: int) -> str:
    """Why the card is not the one that was rented; empty where nothing speaks against it. `expected_gops` is what it
    showed before, 0 where nothing is known of that.
    """
    if is_late(profile, times):
        return f"it took {times.work_s:.2f} s, its class takes at most {profile.deadline_ms / 1000:.2f} s"
    if not memory_shown(profile, times):
        return f"its memory was not shown in time: {times.walk_s or 0:.2f} s"
    if is_slow(profile, times, expected_gops):
        return f"it makes {most_gops(profile, times)} gops, and made {expected_gops} before the lease"
    return ""

"""What a validator says of one device."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum

from assay.protocol.leaves import Flag, ObservationLeaf
from assay.protocol.types import NO_ROOT, DeviceId, Root
from assay.validator.rules.values import FULL_UPTIME_BPS, LeasePeriod

IDLE = 0  # in place of a lease's number


class OpeningOutcome(Enum):
    """How the check of a sealed device's opening ended."""

    VALID = "valid"
    BAD = "bad"
    MISSING = "missing"


@dataclass(frozen=True, slots=True)
class Seen:
    """What this validator itself saw of a device in one epoch.

    `asked` is whether it sent the device a challenge; `timed_root` is the result root that `elapsed_us` belongs to;
    `sealed_root` is None where the seal left the device out; `outcome` is None where this validator did not get to ask
    for an opening; `memory` is whether the device showed all the memory it claims, `prompt` whether in time.
    """

    device_id: DeviceId
    leased: bool
    asked: bool
    timed_root: Root | None
    elapsed_us: int
    sealed_root: Root | None
    outcome: OpeningOutcome | None
    uptime_bps: int
    memory: bool = False
    prompt: bool = False


def observe(seen: Seen) -> ObservationLeaf:
    """The leaf of a batch for one device. A time counts only for the result that was sealed."""
    if seen.leased:
        return ObservationLeaf(seen.device_id, NO_ROOT, 0, int(Flag.LEASED), seen.uptime_bps)
    if seen.sealed_root is None:
        # Who was never asked cannot have been out of reach.
        flag = Flag.UNREACHABLE if seen.asked and seen.timed_root is None else Flag.UNSCORED
        return ObservationLeaf(seen.device_id, NO_ROOT, 0, int(flag), seen.uptime_bps)
    elapsed_us = seen.elapsed_us if seen.timed_root == seen.sealed_root else 0
    flag = {
        OpeningOutcome.VALID: Flag.PASSED,
        OpeningOutcome.BAD: Flag.BAD_OPENING,
        OpeningOutcome.MISSING: Flag.NO_OPENING,
        None: Flag.UNSCORED,
    }[seen.outcome]
    if seen.memory and flag == Flag.PASSED:
        flag |= Flag.MEMORY | (Flag.PROMPT if seen.prompt else Flag.NONE)
    return ObservationLeaf(seen.device_id, seen.sealed_root, elapsed_us, int(flag), seen.uptime_bps)


def lease_at(periods: Iterable[LeasePeriod], when: float) -> int:
    """The lease that a device is under at a moment, Unix seconds; `IDLE` for none."""
    return next((period.lease_id for period in periods if period.start <= when < period.stop), IDLE)


def uptime_bps(counts: Mapping[int, tuple[int, int]]) -> int:
    """Share of liveness requests answered, in 1/10,000, rounded down; full where nothing was asked. `counts` are
    (answered, asked) by the lease that the device was under, `IDLE` for none.

    Of a device that was leased for some of the time only that time counts, and of several leases the one in which it
    answered least: neither idle hours nor a lease to a friend dilute what a renter is owed.
    """
    leased = [count for lease_id, count in counts.items() if lease_id != IDLE and count[1] > 0]
    return min(_share(*count) for count in leased or [counts.get(IDLE, (0, 0))])


def _share(answered: int, asked: int) -> int:
    if asked == 0:
        return FULL_UPTIME_BPS
    if not 0 <= answered <= asked:
        raise ValueError(f"{answered} answers to {asked} requests")
    return answered * FULL_UPTIME_BPS // asked

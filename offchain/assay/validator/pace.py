"""How fast an epoch runs: lengths that follow from the contract's timing."""

from __future__ import annotations

from dataclasses import dataclass

from assay.protocol.epochs import Timing
from assay.validator.rules.leaders import MIN_ROUND_S


@dataclass(frozen=True, slots=True)
class Pace:
    """Seconds. `round_s` is a leader's turn before back-off; `stagger_s` how long a
    rank waits for the one before.
    """

    round_s: float
    stagger_s: float
    grace_s: float  # for the last inventories, batches and signatures once a quorum is there
    liveness_s: float  # between liveness requests to an idle device
    leased_liveness_s: float  # to a leased one: money hangs on every part of an epoch
    alive_s: float  # within which a device must answer one
    request_s: float  # time-out of one request to a peer


def pace(timing: Timing) -> Pace:
    """A leader's turn is a tenth of the time to the seal, at least 1.5 and at most 60 s; the rest follows."""
    round_s = min(60.0, max(MIN_ROUND_S, timing.seal_by / 10))
    return Pace(
        round_s=round_s,
        stagger_s=max(2.5, round_s / 2),
        grace_s=min(5.0, max(0.4, round_s / 4)),
        liveness_s=min(60.0, max(1.0, timing.epoch_length / 8)),
        leased_liveness_s=min(15.0, max(1.0, timing.epoch_length / 40)),
        alive_s=min(10.0, max(3.0, timing.epoch_length / 6)),
        request_s=min(30.0, max(2.0, round_s)),
    )

"""Points in time within an epoch, from the timing that the contract holds."""

from __future__ import annotations

from dataclasses import dataclass

from assay.protocol.epochs import Timing


@dataclass(frozen=True, slots=True)
class Deadlines:
    """Unix seconds. The chain enforces open, seal, draw and report; commit, batch and observe are
    the validators' own: `batch_by` is when each signs what it saw, not earlier either, `observe_by`
    when that must have come to the others.
    """

    start: float
    open_by: float
    commit_by: float
    seal_by: float
    draw_by: float
    batch_by: float
    observe_by: float
    report_by: float
    provable_until: float


def deadlines(timing: Timing, epoch: int) -> Deadlines:
    """Deadlines of an epoch.

    Commitments close at 8/11 of the time to the seal's deadline (40 % of the epoch where the seal closes at
    55 %).
    Observations are signed at 5/17 of the way from the draw's deadline to the report's (90 % between 65 % and 150
    %), and have a minute to come to the others, in short epochs less.
    """
    start = timing.start(epoch)
    after_draw = timing.report_by - timing.draw_by
    batch_by = start + timing.draw_by + after_draw * 5 / 17
    return Deadlines(
        start=start,
        open_by=start + timing.open_by,
        commit_by=start + timing.seal_by * 8 / 11,
        seal_by=start + timing.seal_by,
        draw_by=start + timing.draw_by,
        batch_by=batch_by,
        observe_by=batch_by + min(60.0, max(1.0, after_draw / 17)),
        report_by=start + timing.report_by,
        provable_until=start + timing.epoch_length + timing.proof_window,
    )


def observed_with(timing: Timing, when: float) -> int | None:
    """The epoch in whose observations a moment counts: from when those of one epoch are signed it is the next. None
    before the first."""
    epoch = timing.epoch_at(when)
    if epoch is None:
        return None
    return epoch if when < deadlines(timing, epoch).batch_by else epoch + 1

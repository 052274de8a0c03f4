"""Points in time within an epoch, from the timing that the contract holds."""

from __future__ import annotations

from dataclasses import dataclass

from assay.protocol.epochs import Timing


@dataclass(frozen=True, slots=True)
class Deadlines:
    """Unix seconds. The chain enforces open, seal, draw and report; commit and observe are the validators'
    own.
    """

    start: float
    open_by: float
    commit_by: float
    seal_by: float
    draw_by: float
    observe_by: float
    report_by: float
    provable_until: float


def deadlines(timing: Timing, epoch: int) -> Deadlines:
    """Deadlines of an epoch.

    Commitments close at 8/11 of the time to the seal's deadline (40 % of the epoch where the seal closes at
    55 %).
    Observations close at 5/17 of the way from the draw's deadline to the report's (90 % between 65 % and 150
    %).
    """
    start = timing.start(epoch)
    return Deadlines(
        start=start,
        open_by=start + timing.open_by,
        commit_by=start + timing.seal_by * 8 / 11,
        seal_by=start + timing.seal_by,
        draw_by=start + timing.draw_by,
        observe_by=start + timing.draw_by + (timing.report_by - timing.draw_by) * 5 / 17,
        report_by=start + timing.report_by,
        provable_until=start + timing.epoch_length + timing.proof_window,
    )

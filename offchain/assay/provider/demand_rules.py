"""Which demands for openings are answered now, and from which commitment: a pure function of what is known."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from assay.chain.demands import Demand
from assay.provider.commitments import StoredCommitment

HURRY_S = 6 * 3600
"""So long before its deadline a demand is answered whatever else goes on. The contract gives at least 24 hours."""


@dataclass(frozen=True)
class OpenDemand:
    """A demand that is open at the head; `final` where it is open at the final block too."""

    demand: Demand
    final: bool


@dataclass(frozen=True)
class Answer:
    """A demand to answer, and the commitment that it is about."""

    demand: Demand
    commitment: StoredCommitment


def answers_due(demands: Iterable[OpenDemand], kept: Iterable[StoredCommitment], now: int, quiet: bool) -> list[Answer]:
    """What to answer now, soonest deadline first.

    Args:
        demands: open at the head. One that was answered, by anybody, is not among them.
        kept: what devices of this provider committed to; a demand for any other result is not this provider's.
        now: timestamp of the head block.
        quiet: no challenge is about to come. Proving again takes as long as a challenge does and would make the
            device late, so until `HURRY_S` before the deadline it waits for a quiet moment, and for finality.
    """
    commitments = {(one.device_id, one.epoch, one.result_root): one for one in kept}
    due = []
    for seen in demands:
        demand = seen.demand
        commitment = commitments.get((demand.device_id, demand.epoch, demand.result_root))
        if commitment is None or now >= demand.deadline:
            continue
        if (seen.final and quiet) or demand.deadline - now <= HURRY_S:
            due.append(Answer(demand, commitment))
    return sorted(due, key=lambda answer: answer.demand.deadline)

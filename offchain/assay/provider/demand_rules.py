"""Which demands for openings are answered now, and from which commitment: a pure function of what is known."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from assay.chain.demands import Demand
from assay.provider.commitments import StoredCommitment

HURRY_S = 6 * 3600
"""So long before its deadline a demand is answered whatever else goes on. The contract gives at least 24 hours."""
ANSWERS_IN_A_UNIT = 2
"""A reward is about what two answers cost at the base fee it was reckoned for."""


@dataclass(frozen=True)
class DemandTerms:
    """The contract's: `unit` base units of the network token are the reward at `base_fee` wei and below."""

    unit: int
    base_fee: int


@dataclass(frozen=True)
class OpenDemand:
    """A demand that is open at the head; `final` where it is open at the final block too, `reward` in base units."""

    demand: Demand
    final: bool
    reward: int


@dataclass(frozen=True)
class Head:
    """The latest block: its timestamp and base fee, and whether no challenge is about to come. Proving again takes as
    long as a challenge does and would make the device late.
    """

    now: int
    base_fee: int
    quiet: bool


@dataclass(frozen=True)
class Answer:
    """A demand to answer, and the commitment that it is about. `covered`: the reward pays for the answer's gas."""

    demand: Demand
    commitment: StoredCommitment
    reward: int
    covered: bool


def covers(reward: int, base_fee: int, terms: DemandTerms) -> bool:
    """Whether a reward pays for an answer at a base fee. It was reckoned for reward / unit times the contract's own."""
    return base_fee * terms.unit <= ANSWERS_IN_A_UNIT * reward * terms.base_fee


def answers_due(
    demands: Iterable[OpenDemand], kept: Iterable[StoredCommitment], head: Head, terms: DemandTerms
) -> list[Answer]:
    """What to answer now, soonest deadline first.

    A demand waits for finality, for a quiet moment and for a base fee that its reward covers; from `HURRY_S` before its
    deadline on, when the device's stake is at risk, for nothing. Past the deadline it is answered as long as nobody has
    had the device slashed for it.

    Args:
        demands: open at the head. One that was answered, by anybody, is not among them.
        kept: what devices of this provider committed to; a demand for any other result is not this provider's.
        head: the latest block.
        terms: what rewards are reckoned with.
    """
    commitments = {(one.device_id, one.epoch, one.result_root): one for one in kept}
    due = []
    for seen in demands:
        demand = seen.demand
        commitment = commitments.get((demand.device_id, demand.epoch, demand.result_root))
        if commitment is None:
            continue
        covered = covers(seen.reward, head.base_fee, terms)
        if (seen.final and head.quiet and covered) or demand.deadline - head.now <= HURRY_S:
            due.append(Answer(demand, commitment, seen.reward, covered))
    return sorted(due, key=lambda answer: (answer.demand.deadline, answer.demand.demand_id))

"""Which demands for openings are answered now, and from which commitment: a pure function of what is known."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from assay.chain.contracts.demands import Demand
from assay.provider.measurement.commitments import StoredCommitment

HURRY_S = 6 * 3600
"""So long before its deadline a demand is answered whatever else goes on. The contract gives at least 24 hours."""
ANSWERS_IN_A_REWARD = 2
"""A reward is about what two answers to its demand cost at the base fee that it was reckoned with."""


@dataclass(frozen=True)
class Reward:
    """What an answer earns, base units of the network token, and the base fee it was reckoned with, wei."""

    amount: int
    base_fee: int


@dataclass(frozen=True)
class OpenDemand:
    """A demand that is open at the head; `final` where it is open at the final block too."""

    demand: Demand
    final: bool
    reward: Reward


@dataclass(frozen=True)
class Head:
    """The latest block: its timestamp and base fee, and whether no challenge is about to come. Proving again takes as
    long as a challenge does and would make the device late.
    """

    now: int
    base_fee: int
    quiet: bool


@dataclass(frozen=True)
class DemandAnswer:
    """A demand to answer, and the commitment that it is about. `covered`: the reward pays for the answer's gas."""

    demand: Demand
    commitment: StoredCommitment
    reward: Reward
    covered: bool


def answers_due(demands: Iterable[OpenDemand], kept: Iterable[StoredCommitment], head: Head) -> list[DemandAnswer]:
    """What to answer now, soonest deadline first.

    A demand waits for finality, for a quiet moment and for a base fee that its reward covers; from `HURRY_S` before its
    deadline on, when the device's stake is at risk, for nothing. Past the deadline it is answered as long as nobody has
    had the device slashed for it.

    Args:
        demands: open at the head. One that was answered, by anybody, is not among them.
        kept: what devices of this provider committed to; a demand for any other result is not this provider's.
        head: the latest block.
    """
    commitments = {(one.device_id, one.epoch, one.result_root): one for one in kept}
    due = []
    for seen in demands:
        demand = seen.demand
        commitment = commitments.get((demand.device_id, demand.epoch, demand.result_root))
        if commitment is None:
            continue
        covered = head.base_fee <= ANSWERS_IN_A_REWARD * seen.reward.base_fee
        if (seen.final and head.quiet and covered) or demand.deadline - head.now <= HURRY_S:
            due.append(DemandAnswer(demand, commitment, seen.reward, covered))
    return sorted(due, key=lambda answer: (answer.demand.deadline, answer.demand.demand_id))

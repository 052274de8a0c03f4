"""Which demands are answered, and when."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from assay.chain.contracts.demands import Demand, DemandStatus
from assay.protocol.encoding import demand_id
from assay.protocol.keccak import keccak
from assay.provider.measurement.commitments import StoredCommitment
from assay.provider.measurement.demand_rules import HURRY_S, Head, OpenDemand, Reward, answers_due
from tests.unit.provider.conftest import DEVICE_ID, RENTER, SEED

DEADLINE = 1_000_000
DAY_BEFORE = DEADLINE - 86_400
ROOT = keccak(b"result")
FEE = 10**9
REWARD = Reward(10**18, FEE)


def demand_for(index: int = 3, is_row: bool = True, deadline: int = DEADLINE) -> Demand:
    return Demand(
        demand_id(DEVICE_ID, 5, is_row, index), DEVICE_ID, 5, ROOT, is_row, index, 1, 7, deadline, RENTER,
        DemandStatus.OPEN,
    )  # fmt: skip


DEMAND = demand_for()
KEPT = StoredCommitment(DEVICE_ID, 5, SEED, 9, keccak(b"nonces"), json.dumps({"resultRoot": "0x" + ROOT.hex()}))


def due(demand: Demand, now: int, *, final: bool = True, quiet: bool = True, base_fee: int = FEE) -> list[bytes]:
    answers = answers_due([OpenDemand(demand, final, REWARD)], [KEPT], Head(now, base_fee, quiet))
    assert all(answer.commitment is KEPT for answer in answers)
    return [answer.demand.demand_id for answer in answers]


@pytest.mark.parametrize("is_row", [True, False])
def test_answers_due__row_or_round_of_a_commitment_kept_here__answered(is_row: bool) -> None:
    demand = demand_for(is_row=is_row)
    assert due(demand, DAY_BEFORE) == [demand.demand_id]


@pytest.mark.parametrize(
    "other",
    [{"device_id": keccak(b"another")}, {"epoch": 6}, {"result_root": keccak(b"other")}],
    ids=["device", "epoch", "result"],
)
def test_answers_due__not_mine__left_alone(other: dict[str, object]) -> None:
    assert due(replace(DEMAND, **other), DEADLINE - 1) == []  # type: ignore[arg-type]


def test_answers_due__none_open__nothing() -> None:
    assert answers_due([], [KEPT], Head(DAY_BEFORE, FEE, True)) == []


def test_answers_due__past_the_deadline_and_nobody_has_expired_it__answered_all_the_same() -> None:
    assert due(DEMAND, DEADLINE + 1, quiet=False, base_fee=100 * FEE) == [DEMAND.demand_id]


@pytest.mark.parametrize(
    "odd", [{"final": False}, {"quiet": False}, {"base_fee": 2 * FEE + 1}], ids=["not final", "challenge", "fees"]
)
def test_answers_due__something_speaks_against_it__waits_until_the_stake_is_at_risk(odd: dict[str, int]) -> None:
    assert due(DEMAND, DEADLINE - HURRY_S - 1, **odd) == []
    assert due(DEMAND, DEADLINE - HURRY_S, **odd) == [DEMAND.demand_id]


def test_answers_due__at_a_loss__is_marked_as_such() -> None:
    for base_fee, covered in ((2 * FEE, True), (2 * FEE + 1, False)):
        head = Head(DEADLINE - HURRY_S, base_fee, True)
        (answer,) = answers_due([OpenDemand(DEMAND, True, REWARD)], [KEPT], head)
        assert (answer.covered, answer.reward) == (covered, REWARD)


def test_answers_due__asked_in_a_dear_block__its_reward_covers_twice_that_blocks_base_fee() -> None:
    seen = OpenDemand(DEMAND, True, Reward(7 * 10**18, 7 * FEE))
    for base_fee, count in ((14 * FEE, 1), (14 * FEE + 1, 0)):
        assert len(answers_due([seen], [KEPT], Head(DAY_BEFORE, base_fee, True))) == count


def test_answers_due__flood__soonest_deadline_first() -> None:
    demands = [demand_for(index=n, deadline=DEADLINE + (7 * n) % 10) for n in range(10)]
    seen = [OpenDemand(one, True, REWARD) for one in demands]
    answers = answers_due(seen, [KEPT], Head(DAY_BEFORE, FEE, True))
    assert [answer.demand.deadline for answer in answers] == sorted(one.deadline for one in demands)

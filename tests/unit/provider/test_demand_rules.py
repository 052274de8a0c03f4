"""Which demands are answered, and when."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from assay.chain.demands import Demand
from assay.protocol.keccak import keccak
from assay.provider.commitments import StoredCommitment
from assay.provider.demand_rules import HURRY_S, OpenDemand, answers_due

from .conftest import DEVICE_ID, SEED

DEADLINE = 1_000_000
DAY_BEFORE = DEADLINE - 86_400
ROOT = keccak(b"result")
DEMAND = Demand(1, DEVICE_ID, 5, ROOT, True, 1, 7, DEADLINE)
KEPT = StoredCommitment(DEVICE_ID, 5, SEED, 9, keccak(b"nonces"), json.dumps({"resultRoot": "0x" + ROOT.hex()}))


def due(demand: Demand, now: int, *, final: bool = True, quiet: bool = True) -> list[int]:
    answers = answers_due([OpenDemand(demand, final)], [KEPT], now, quiet)
    assert all(answer.commitment is KEPT for answer in answers)
    return [answer.demand.demand_id for answer in answers]


@pytest.mark.parametrize("is_row", [True, False])
def test_answers_due__row_or_round_of_a_commitment_kept_here__answered(is_row: bool) -> None:
    assert due(replace(DEMAND, is_row=is_row), DAY_BEFORE) == [1]


@pytest.mark.parametrize(
    "other",
    [{"device_id": keccak(b"another")}, {"epoch": 6}, {"result_root": keccak(b"other")}],
    ids=["device", "epoch", "result"],
)
def test_answers_due__not_mine__left_alone(other: dict[str, object]) -> None:
    assert due(replace(DEMAND, **other), DEADLINE - 1) == []  # type: ignore[arg-type]


def test_answers_due__none_open__nothing() -> None:
    assert answers_due([], [KEPT], DAY_BEFORE, True) == []


def test_answers_due__past_the_deadline__nothing() -> None:
    assert due(DEMAND, DEADLINE - 1) == [1]
    assert due(DEMAND, DEADLINE) == []


@pytest.mark.parametrize(("final", "quiet"), [(False, True), (True, False)])
def test_answers_due__not_final_or_a_challenge_is_coming__waits_until_it_must_not(final: bool, quiet: bool) -> None:
    assert due(DEMAND, DEADLINE - HURRY_S - 1, final=final, quiet=quiet) == []
    assert due(DEMAND, DEADLINE - HURRY_S, final=final, quiet=quiet) == [1]


def test_answers_due__several__soonest_deadline_first() -> None:
    later = replace(DEMAND, demand_id=2, deadline=DEADLINE + 5)
    answers = answers_due([OpenDemand(later, True), OpenDemand(DEMAND, True)], [KEPT], DAY_BEFORE, True)
    assert [answer.demand.demand_id for answer in answers] == [1, 2]

"""Who keeps an opening: whatever f seats say, an honest one that has it keeps it."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from assay.protocol import quorum
from assay.protocol.epochs import Timing
from assay.protocol.keccak import keccak
from assay.validator.rules.committees import committee
from assay.validator.rules.spare_openings import holders_wanted, kept_by_all, may_let_go

RHO = keccak(b"rho")


def device(number: int) -> bytes:
    return keccak(b"device" + number.to_bytes(4, "big"))


@pytest.mark.parametrize("seats", [1, 2, 3, 4, 7, 10, 31])
def test_spare__nobody_faulty__are_one_more_than_may_be_and_spread_over_the_seats(seats):
    kept: Counter[int] = Counter()
    for number in range(200):
        keep_it = [
            own for own in range(seats) if not may_let_go(RHO, device(number), seats, own, set(range(seats)) - {own})
        ]
        assert len(keep_it) == min(seats, max(2, quorum.faults(seats) + 1)) == min(seats, holders_wanted(seats))
        assert set(keep_it) <= committee(RHO, device(number), seats, max(len(keep_it), min(seats, 5)))
        kept.update(keep_it)
    assert min(kept.values()) > sum(kept.values()) / seats / 2


@pytest.mark.parametrize("seats", [4, 7, 10, 31])
def test_spare__f_seats_say_what_they_like_to_each_and_others_missed_it__an_honest_holder_stays(seats):
    draws = random.Random(seats)
    for number in range(300):
        faulty = set(draws.sample(range(seats), quorum.faults(seats)))
        honest = [seat for seat in range(seats) if seat not in faulty]
        holding = set(draws.sample(honest, draws.randint(1, len(honest))))
        for own in draws.sample(sorted(holding), len(holding)):  # one after the other, each by what the others say then
            said = {seat for seat in faulty if draws.random() < 0.9} | (holding - {own})
            if may_let_go(RHO, device(number), seats, own, said):
                holding.remove(own)
        assert holding


@pytest.mark.parametrize(
    ("claim_delay", "wished", "epochs"), [(86_400, None, 27), (86_400, 10, 27), (86_400, 100, 100), (0, None, 3)]
)
def test_kept_by_all__until_rewards_can_be_claimed__or_longer_where_it_is_wished(claim_delay, wished, epochs):
    hourly = Timing(0, 3_600, 180, 1_980, 2_340, 5_400, 64, 604_800)
    assert kept_by_all(hourly, claim_delay, wished) == epochs
    assert epochs * hourly.epoch_length >= hourly.report_by + claim_delay

"""Leaders, deadlines, inventories."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.protocol import quorum
from assay.protocol.epochs import Timing
from assay.validator.pace import pace
from assay.validator.rules import leaders
from assay.validator.rules.deadlines import deadlines, observed_with
from assay.validator.rules.inventories import missing_devices, required_devices
from assay.validator.rules.observations import IDLE, OpeningOutcome, Seen, lease_at, observe, uptime_bps
from assay.validator.rules.values import LeasePeriod

SEED = bytes(31) + b"\x02"
hashes = st.binary(min_size=32, max_size=32)


@given(hashes, st.integers(1, 31), st.integers(0, 10))
def test_leader__any_n_rounds__every_seat_leads_once(seed, seats, first):
    assert {leaders.leader(seed, first + r, seats) for r in range(seats)} == set(range(seats))


@given(hashes, st.integers(1, 31))
def test_rank__of_the_leader_of_round_r__is_r(seed, seats):
    for r in range(seats):
        assert leaders.rank(seed, leaders.leader(seed, r, seats), seats) == r


@given(st.floats(0.1, 100), st.integers(0, 30), st.integers(1, 10))
def test_round__starts_and_is_reached__agree(base, round_, faults):
    start = leaders.round_starts(base, round_, faults)
    assert leaders.current_round(base, start, faults) == round_
    assert leaders.current_round(base, start - base / 100, faults) == max(0, round_ - 1)


@pytest.mark.parametrize(
    ("faults", "expected"),
    [(1, [1, 1, 2, 2, 4, 4, 8, 8, 8, 8]), (3, [1, 1, 1, 1, 2, 2, 4, 4, 8, 8]), (10, [1] * 10)],
)
def test_round__after_one_more_than_may_be_faulty__lengthens_up_to_eight_times(faults, expected):
    starts = [leaders.round_starts(1, r, faults) for r in range(11)]
    assert [later - earlier for earlier, later in pairwise(starts)] == expected


TIMING = Timing(1_000, 20, 5, 12, 16, 30, 2, 300)


def test_deadlines__of_an_epoch__in_order():
    d = deadlines(TIMING, 3)
    assert d.start == 1_060
    assert d.start < d.open_by < d.commit_by < d.seal_by < d.draw_by < d.batch_by < d.observe_by < d.report_by
    assert d.provable_until == 1_060 + 20 + 300


LONG = Timing(1_000, 3_600, 900, 1_980, 2_340, 5_400, 2, 300)
seats_timings = pytest.mark.parametrize(("seats", "timing"), [(4, TIMING), (4, LONG), (31, LONG)])
share = st.floats(0, 1)


@seats_timings
@given(st.lists(share, min_size=2, max_size=31), share)
def test_seal_rounds__seats_that_began_at_different_times__are_in_one_round_once_commitments_closed(
    seats, timing, shares, moment
):
    d = deadlines(timing, 3)
    now = d.commit_by + moment * (d.seal_by - d.commit_by)
    began = [d.start + s * (now - d.start) for s in shares]
    times = [leaders.seal_rounds(d, seats, 60, at) for at in began]
    assert len({one.reached(now) for one in times}) == 1
    early = [one.reached(d.commit_by - 0.001) for one in times]
    assert times[0].reached(now) > max(early)


@pytest.mark.parametrize(("seats", "timing"), [(4, LONG), (31, LONG)])
def test_seal_rounds__after_commitments_close__give_more_leaders_a_turn_than_may_be_faulty(seats, timing):
    d = deadlines(timing, 3)
    times = leaders.seal_rounds(d, seats, pace(timing).round_s, d.commit_by)
    first, last = times.reached(d.commit_by), times.reached(d.seal_by)
    led = {leaders.leader(SEED, r, seats) for r in range(first, last)}
    assert len(led) > quorum.faults(seats)
    assert all(times.ends(first + turn, d.commit_by + 0.001) <= d.seal_by for turn in range(quorum.faults(seats) + 1))


@given(share)
def test_seal_rounds__turn_taken_before_commitments_close__ends_when_they_do(moment):
    d = deadlines(LONG, 3)
    times = leaders.seal_rounds(d, 4, 60, d.start + 100)
    now = d.start + 100 + moment * (d.commit_by - d.start - 101)
    assert now < times.ends(times.reached(now), now) <= d.commit_by


def test_rounds__not_begun_here__are_at_the_first_with_no_turn_in_vain():
    d = deadlines(LONG, 3)
    for times in (leaders.seal_rounds(d, 4, 60, None), leaders.report_rounds(d, 4, 60, None)):
        assert (times.reached(d.report_by), times.turns(d.report_by)) == (0, 0)


@given(share, share)
def test_report_rounds__seat_that_came_late__is_in_the_others_round(late, moment):
    d = deadlines(LONG, 3)
    now = d.batch_by + moment * (d.report_by - d.batch_by)
    began = d.batch_by + late * (now - d.batch_by)
    ours, others = (leaders.report_rounds(d, 4, 60, at) for at in (began, d.batch_by))
    assert ours.reached(now) == others.reached(now) == others.turns(now)


@pytest.mark.parametrize(("when", "epoch"), [(999.9, None), (1_000, 0), (1_019.9, 0), (1_020, 1)])
def test_epoch_at__a_moment__is_the_one_that_covers_it(when, epoch):
    assert TIMING.epoch_at(when) == epoch


@given(st.integers(4, 31), st.data())
def test_inventories__device_that_all_honest_hold__is_required_whatever_f_leave_out(seats, data):
    device = bytes(32)
    liars = data.draw(st.sets(st.integers(0, seats - 1), max_size=quorum.faults(seats)))
    speakers = data.draw(st.sets(st.integers(0, seats - 1), min_size=quorum.quorum(seats), max_size=seats))
    inventories = {s: frozenset() if s in liars else frozenset({device}) for s in speakers}
    assert missing_devices(inventories, seats, []) == (device,)


@given(st.integers(4, 31), st.data())
def test_inventories__device_that_only_liars_list__is_not_required(seats, data):
    liars = data.draw(st.sets(st.integers(0, seats - 1), max_size=quorum.faults(seats)))
    inventories = {s: frozenset({bytes(32)}) if s in liars else frozenset() for s in range(seats)}
    assert required_devices(inventories, seats) == frozenset()


def seen(**changes) -> Seen:
    values = {
        "device_id": bytes(32),
        "leased": False,
        "asked": True,
        "timed_root": b"r" * 32,
        "elapsed_us": 5,
        "sealed_root": b"r" * 32,
        "outcome": OpeningOutcome.VALID,
        "uptime_bps": 9_000,
    }
    return Seen(**{**values, **changes})


@pytest.mark.parametrize(
    ("changes", "flags", "elapsed"),
    [
        ({}, 1, 5),
        ({"timed_root": b"s" * 32}, 1, 0),  # timed another result: that time says nothing
        ({"timed_root": None, "elapsed_us": 0}, 1, 0),
        ({"outcome": OpeningOutcome.BAD}, 8, 5),
        ({"outcome": OpeningOutcome.MISSING}, 32, 5),
        ({"outcome": None}, 64, 5),
        ({"sealed_root": None, "timed_root": None}, 16, 0),
        ({"sealed_root": None}, 64, 0),
        ({"leased": True}, 2, 0),
    ],
)
def test_observe__what_was_seen__gives_flags_and_time(changes, flags, elapsed):
    leaf = observe(seen(**changes))
    assert (leaf.flags, leaf.elapsed_us, leaf.uptime_bps) == (flags, elapsed, 9_000)


def test_uptime__nothing_asked__is_full():
    assert uptime_bps({}) == 10_000
    assert uptime_bps({IDLE: (2, 3)}) == 6_666
    with pytest.raises(ValueError, match="4 answers"):
        uptime_bps({IDLE: (4, 3)})


def test_uptime__leased_for_a_part__is_that_of_the_part():
    assert uptime_bps({IDLE: (100, 100), 7: (1, 4)}) == 2_500
    assert uptime_bps({IDLE: (0, 100), 7: (4, 4)}) == 10_000


def test_uptime__of_two_leases__is_that_of_the_worse():
    assert uptime_bps({7: (0, 10), 8: (50, 50)}) == 0


def test_uptime__lease_too_short_to_be_asked_in__is_that_of_the_rest():
    assert uptime_bps({IDLE: (1, 2), 7: (0, 0)}) == 5_000


PERIODS = (LeasePeriod(7, 100, 200), LeasePeriod(8, 200, 260))


@pytest.mark.parametrize(("when", "lease"), [(99.9, IDLE), (100, 7), (199.9, 7), (200, 8), (260, IDLE)])
def test_lease__at_a_moment__is_the_one_it_lies_in(when, lease):
    assert lease_at(PERIODS, when) == lease


@pytest.mark.parametrize(("when", "epoch"), [(999, None), (1_000, 0), (1_020, 1), (1_060, 3)])
def test_observed_with__a_moment__is_the_epoch_whose_observations_are_next(when, epoch):
    assert observed_with(TIMING, when) == epoch


def test_observed_with__after_an_epochs_observations__is_the_next_epoch():
    spacious = replace(TIMING, report_by=24)  # observations close before the epoch ends
    closes = deadlines(spacious, 3).batch_by
    assert closes < spacious.start(4)
    assert observed_with(spacious, closes - 0.1) == 3
    assert observed_with(spacious, closes) == 4

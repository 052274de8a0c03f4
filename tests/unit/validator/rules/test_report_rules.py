"""The report is a function of the seal and the named batches; lies of up to f seats change nothing."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.protocol import quorum
from assay.protocol.keccak import keccak
from assay.protocol.leaves import Flag, ObservationLeaf, SealedLeaf, device_tree
from assay.protocol.profile import NAMED
from assay.protocol.types import NO_ROOT
from assay.validator.rules.reports import data_hash, device_leaves, in_seat_order, left_out
from assay.validator.rules.values import NO_SEAL_INDEX, Batch, RuleError

PROFILE = NAMED["micro"]
HONEST_US = 500_000


def device(i: int) -> bytes:
    return i.to_bytes(32, "big")


def root(i: int) -> bytes:
    return keccak(b"root" + bytes([i]))


def sealed(i: int) -> SealedLeaf:
    return SealedLeaf(device(i), NO_ROOT, NO_ROOT, root(i), NO_ROOT, NO_ROOT, NO_ROOT)


def passed(i: int, elapsed_us: int = HONEST_US, uptime: int = 10_000) -> ObservationLeaf:
    return ObservationLeaf(device(i), root(i), elapsed_us, int(Flag.PASSED), uptime)


def batch(seat: int, *leaves: ObservationLeaf) -> Batch:
    return Batch(seat, keccak(b"batch" + bytes([seat])), leaves)


def known(device_id: bytes):
    return PROFILE if int.from_bytes(device_id, "big") < 100 else None


def results(batches, seals=(1,), seats=4):
    return device_leaves(7, [sealed(i) for i in seals], batches, known, seats)


def test_report__all_pass__flags_exactly_one_and_median_score():
    (line,) = results([batch(seat, passed(1, HONEST_US + seat)) for seat in range(4)])
    assert line.flags == 1
    assert line.score_gops == PROFILE.score_gops(HONEST_US + 1)
    assert (line.seal_index, line.result_root, line.uptime_bps, line.epoch) == (0, root(1), 10_000, 7)


def test_report__fewer_than_quorum_pass__not_passed():
    bad = replace(passed(1), flags=int(Flag.BAD_OPENING))
    (line,) = results([batch(0, passed(1)), batch(1, passed(1)), batch(2, bad), batch(3, bad)])
    assert line.flags == Flag.BAD_OPENING
    assert line.score_gops == 0


def test_report__one_of_four_lies_in_every_field__honest_result_stands():
    lie = ObservationLeaf(device(1), root(1), 1, int(Flag.BAD_OPENING), 0)
    (line,) = results([batch(0, lie), *(batch(seat, passed(1)) for seat in (1, 2, 3))])
    assert (line.flags, line.uptime_bps) == (1, 10_000)
    assert line.score_gops == PROFILE.score_gops(HONEST_US)


def test_report__elapsed_beyond_deadline__late_and_passed():
    late = passed(1, PROFILE.deadline_ms * 1000 + 1)
    (line,) = results([batch(seat, late) for seat in range(4)])
    assert line.flags == Flag.PASSED | Flag.LATE


def test_report__elapsed_at_the_deadline__in_time():
    (line,) = results([batch(seat, passed(1, PROFILE.deadline_ms * 1000)) for seat in range(4)])
    assert line.flags == Flag.PASSED


def test_report__fewer_than_quorum_timed__unscored_but_passed():
    batches = [batch(0, passed(1)), batch(1, passed(1)), batch(2, passed(1, 0)), batch(3, passed(1, 0))]
    (line,) = results(batches)
    assert line.flags == Flag.PASSED | Flag.UNSCORED
    assert line.score_gops == 0


def test_report__passing_observation_of_another_root__does_not_count():
    other = replace(passed(1), result_root=root(2))
    (line,) = results([batch(0, passed(1)), batch(1, passed(1)), batch(2, other), batch(3, other)])
    assert not line.flags & Flag.PASSED


def test_report__leased_device_in_batches__leased_without_score_or_seal_index():
    leased = ObservationLeaf(device(2), NO_ROOT, 0, int(Flag.LEASED), 9_000)
    lines = results([batch(seat, passed(1), leased) for seat in range(4)])
    assert [line.device_id for line in lines] == [device(1), device(2)]
    assert (lines[1].flags, lines[1].seal_index, lines[1].uptime_bps) == (2, NO_SEAL_INDEX, 9_000)


def test_report__device_that_only_one_seat_speaks_of__has_no_line():
    invented = ObservationLeaf(device(3), NO_ROOT, 0, int(Flag.LEASED), 10_000)
    lines = results([batch(0, passed(1), invented), *(batch(s, passed(1)) for s in (1, 2, 3))])
    assert [line.device_id for line in lines] == [device(1)]


def test_report__device_not_enrolled__has_no_line_unless_sealed():
    stranger = ObservationLeaf(device(200), NO_ROOT, 0, int(Flag.UNREACHABLE), 0)
    assert len(results([batch(seat, passed(1), stranger) for seat in range(4)])) == 1
    with pytest.raises(RuleError, match="not enrolled"):
        results([batch(seat, passed(1)) for seat in range(4)], seals=(1, 200))


def test_report__less_than_a_quorum_of_batches__refused():
    with pytest.raises(RuleError, match="quorum of 4 seats is 3"):
        results([batch(0, passed(1)), batch(1, passed(1))])


def test_report__one_seat_named_twice__refused():
    with pytest.raises(RuleError, match="two batches of seat 1"):
        in_seat_order([batch(1), batch(1)])


def test_left_out__a_seat_held_and_not_named__is_told():
    assert left_out({0, 1, 3}, [batch(0), batch(1)]) == (3,)
    assert left_out({0, 1}, [batch(0), batch(1), batch(2)]) == ()


@pytest.mark.parametrize(
    ("flags", "memory"),
    [
        ((385, 385, 385, 385), 1),
        ((385, 385, 129, 1), 1),  # a quorum found it right, f + 1 had it in time
        ((385, 129, 129, 129), 0),  # one clock may be a liar's
        ((385, 385, 1, 1), 0),
        ((385, 385, 384, 8), 0),  # who did not pass it says nothing of its memory
        ((8, 8, 8, 385), 0),
    ],
)
def test_report__memory__stands_where_a_quorum_found_it_right_and_f_plus_one_in_time(flags, memory):
    said = [ObservationLeaf(device(1), root(1), 1_000, flag, 10_000) for flag in flags]
    batches = [batch(seat, leaf) for seat, leaf in enumerate(said)]
    lines = device_leaves(1, [sealed(1)], batches, lambda _: NAMED["micro"], 4)
    assert lines[0].memory_mib == memory


@st.composite
def epochs(draw):
    """(seats, sealed devices, batches): any flags, times, uptimes; each seat
    speaks of some of the devices.
    """
    seats = draw(st.integers(1, 10))
    seals = sorted(draw(st.sets(st.integers(1, 30), min_size=1, max_size=5)))
    batches = []
    for seat in range(draw(st.integers(quorum.quorum(seats), seats))):
        devices = sorted(draw(st.sets(st.integers(1, 40), max_size=6)))
        leaves = [
            ObservationLeaf(
                device(i),
                draw(st.sampled_from((root(i), NO_ROOT))),
                draw(st.integers(0, 10**7)),
                draw(st.sampled_from((1, 2, 4, 8, 16, 32, 64, 65, 129, 385, 384, 0))),
                draw(st.integers(0, 10_000)),
            )
            for i in devices
        ]
        batches.append(batch(seat, *leaves))
    return seats, seals, batches


@pytest.mark.slow
@given(epochs(), st.randoms())
def test_report__batches_in_any_order__same_bytes(epoch, random):
    seats, seals, batches = epoch
    shuffled = list(batches)
    random.shuffle(shuffled)
    first, second = results(batches, seals, seats), results(shuffled, seals, seats)
    assert first == second
    assert device_tree(first).root == device_tree(second).root
    assert data_hash(batches) == data_hash(shuffled)


@pytest.mark.slow
@given(st.integers(1, 31), st.data())
def test_report__any_lies_of_f_seats__honest_device_passes_between_honest_values(seats, data):
    faults = quorum.faults(seats)
    liars = data.draw(st.sets(st.integers(0, seats - 1), max_size=faults))
    times, uptimes, batches = [], [], []
    for seat in range(seats):
        if seat in liars:
            leaf = ObservationLeaf(
                device(1),
                data.draw(st.sampled_from((root(1), root(2), NO_ROOT))),
                data.draw(st.integers(0, 2**40)),
                data.draw(st.integers(0, 127)),
                data.draw(st.integers(0, 65_535)),
            )
        else:
            leaf = passed(1, data.draw(st.integers(1, 10**6)), data.draw(st.integers(0, 10_000)))
            times.append(leaf.elapsed_us)
            uptimes.append(leaf.uptime_bps)
        batches.append(batch(seat, leaf))
    (line,) = results(batches, seats=seats)
    assert line.flags == Flag.PASSED
    assert PROFILE.score_gops(max(times)) <= line.score_gops <= PROFILE.score_gops(min(times))
    assert min(uptimes) <= line.uptime_bps <= max(uptimes)

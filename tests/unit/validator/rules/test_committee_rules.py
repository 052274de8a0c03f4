"""Committees: drawn alike by all, sized so that f silent seats fail nobody, decided by those who speak."""

from __future__ import annotations

from math import comb

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.protocol import quorum
from assay.protocol.keccak import keccak
from assay.protocol.leaves import Flag, ObservationLeaf, SealedLeaf
from assay.protocol.profile import NAMED
from assay.protocol.types import NO_ROOT
from assay.validator.rules import committees, reports
from assay.validator.rules.committees import committee, committee_size, lie_probability, silence_probability
from assay.validator.rules.values import Batch

RHO = keccak(b"rho")
ROOT = keccak(b"root")
DEVICE = keccak(b"device")


def test_size__up_to_the_limit__is_all_seats():
    assert committee_size(31, 5_000) == 31
    assert committee_size(31, 100_000) == 13


@pytest.mark.parametrize("seats", range(4, 32))
def test_size__any_set__leaves_honest_devices_their_speakers(seats):
    size = committee_size(seats, 100_000)
    assert size <= seats
    assert 100_000 * silence_probability(seats, size) <= committees.ALLOWED_FAILURES


def test_probabilities__seven_of_thirty_one__as_counted_by_hand():
    # f = 10; fewer than three honest of seven: five, six or seven of the ten.
    cases = sum(comb(10, x) * comb(21, 7 - x) for x in (5, 6, 7))
    assert silence_probability(31, 7) * comb(31, 7) == cases
    assert lie_probability(31, 7) * comb(31, 7) == cases + comb(10, 4) * comb(21, 3)


@given(st.binary(min_size=32, max_size=32), st.integers(6, 31), st.data())
def test_committee__any_device__has_its_size_and_hangs_on_rho(device, seats, data):
    size = data.draw(st.integers(1, seats))
    drawn = committee(RHO, device, seats, size)
    assert len(drawn) == size
    assert drawn <= set(range(seats))
    assert committee(RHO, device, seats, size) == drawn


def test_committee__many_devices__burden_seats_alike():
    loads = [0] * 31
    for i in range(3_000):
        for seat in committee(RHO, keccak(i.to_bytes(4, "big")), 31, 13):
            loads[seat] += 1
    mean = 3_000 * 13 / 31
    assert all(0.9 * mean < load < 1.1 * mean for load in loads)


def line(monkeypatch, flags_by_seat: dict[int, int], seats: int = 31):
    monkeypatch.setattr(committees, "CHECKED_BY_ALL", 0)
    committees.committee_size.cache_clear()
    monkeypatch.setattr(committees, "ALLOWED_FAILURES", committees.ALLOWED_FAILURES * 10**9)
    leaves = {s: ObservationLeaf(DEVICE, ROOT, 100_000 + s, f, 10_000) for s, f in flags_by_seat.items()}
    batches = [Batch(s, keccak(bytes([s])), (leaves[s],) if s in leaves else ()) for s in range(seats)]
    sealed = [SealedLeaf(DEVICE, NO_ROOT, NO_ROOT, ROOT, NO_ROOT, NO_ROOT, NO_ROOT)]
    size = committee_size(seats, 1)
    (found,) = reports.device_leaves(1, sealed, batches, lambda _: NAMED["micro"], seats, RHO)
    committees.committee_size.cache_clear()
    return found, sorted(committee(RHO, DEVICE, seats, size)), size


def test_report__only_outsiders_pass_the_device__their_word_counts_for_nothing(monkeypatch):
    _, members, _ = line(monkeypatch, {})
    outsiders = {s: int(Flag.PASSED) for s in range(31) if s not in members}
    found, _, _ = line(monkeypatch, outsiders)
    assert not found.flags & Flag.PASSED


def test_report__three_members_speak_and_pass__the_silent_are_no_votes(monkeypatch):
    _, members, size = line(monkeypatch, {})
    assert 3 < size < 31
    found, _, _ = line(monkeypatch, {s: 1 for s in members[:3]})
    assert found.flags == Flag.PASSED
    assert not line(monkeypatch, {s: 1 for s in members[:2]})[0].flags & Flag.PASSED


def test_report__half_of_those_who_speak_say_bad__not_passed(monkeypatch):
    _, members, _ = line(monkeypatch, {})
    said = {s: 1 if i % 2 else int(Flag.BAD_OPENING) for i, s in enumerate(members[:4])}
    found, _, _ = line(monkeypatch, said)
    assert not found.flags & Flag.PASSED


def test_arithmetic__of_f_plus_three__silence_is_harmless():
    for seats in range(7, 32):
        size = min(seats, quorum.faults(seats) + 3)
        assert silence_probability(seats, size) == 0

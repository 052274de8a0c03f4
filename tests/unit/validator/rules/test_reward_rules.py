"""Rewards: integers, floor, caps, and totals that never fall."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.proof.probe.layout import claimed_mib
from assay.protocol.epochs import Emission
from assay.protocol.leaves import DeviceLeaf, Flag
from assay.protocol.profile import NAMED
from assay.protocol.types import NO_ROOT
from assay.validator.rules.rewards import cumulative_rewards, provider_rewards, validator_rewards
from assay.validator.rules.values import Presence, Seat

SEATS = tuple(Seat(f"0x{i:040x}", f"0x{i + 100:040x}") for i in range(1, 5))
EMISSION = Emission(provider_pool=1_000, validator_pool=800, max_per_credit=10**9)
MICRO, EDGE = NAMED["micro"], NAMED["edge"]


def line(i: int, flags: int = 1, uptime: int = 10_000, profile=None, memory: int | None = None) -> DeviceLeaf:
    """With all of its memory shown, unless `memory` says otherwise."""
    profile = profile or profile_of(bytes([i]))
    shown = claimed_mib(profile) if memory is None else memory
    return DeviceLeaf(1, bytes([i]) * 32, i, profile.id, 1, shown, uptime, flags, NO_ROOT)


def profile_of(device_id: bytes):
    return EDGE if device_id[0] >= 128 else MICRO


def provider_of(device_id: bytes) -> str:
    return f"0x{device_id[0]:040x}"


def test_providers__two_credits_classes__share_by_credit():
    rewards = provider_rewards([line(1), line(128, profile=EDGE)], profile_of, provider_of, EMISSION)
    assert rewards == {provider_of(bytes([1])): 1_000 // 101, provider_of(bytes([128])): 1_000 // 101 * 100}


def test_providers__late_leased_failed__earn_nothing_and_dilute_nobody():
    others = [line(2, 1 | 4), line(3, 2), line(4, 8), line(5, 65), line(6, 0)]
    rewards = provider_rewards([line(1), *others], profile_of, provider_of, EMISSION)
    assert rewards == {provider_of(bytes([1])): 1_000}


def test_providers__memory_not_shown_in_time__earn_nothing_and_dilute_nobody():
    rewards = provider_rewards([line(1), line(2, memory=0)], profile_of, provider_of, EMISSION)
    assert rewards == {provider_of(bytes([1])): 1_000}


@pytest.mark.parametrize("window", [0, 7])
def test_providers__profile_without_a_window_or_with_less_than_a_mebibyte__earn_nothing(window):
    small = replace(MICRO, W=window)
    assert provider_rewards([line(1, profile=small)], lambda _: small, provider_of, EMISSION) == {}


def test_providers__profile_closed__earn_nothing_and_dilute_nobody():
    closed = replace(EDGE, credit=0)
    rewards = provider_rewards(
        [line(1), line(128, profile=closed)],
        lambda device: closed if device[0] >= 128 else MICRO,
        provider_of,
        EMISSION,
    )
    assert rewards == {provider_of(bytes([1])): 1_000, provider_of(bytes([128])): 0}


def test_providers__slashed_before_the_cut_off__earn_nothing_and_dilute_nobody():
    rewards = provider_rewards([line(1), line(2)], profile_of, provider_of, EMISSION, {bytes([2]) * 32})
    assert rewards == {provider_of(bytes([1])): 1_000}


def test_providers__cap_per_credit__rest_goes_to_nobody():
    capped = Emission(1_000, 0, 7)
    assert sum(provider_rewards([line(1), line(2)], profile_of, provider_of, capped).values()) == 14


def test_providers__half_the_time_up__half_the_reward():
    (reward,) = provider_rewards([line(1, uptime=5_000)], profile_of, provider_of, EMISSION).values()
    assert reward == 500


def test_validators__present_in_seal_and_report__half_for_each():
    presence = Presence(0b0011, 0b0101, tuple(seat.account for seat in SEATS))
    rewards = validator_rewards(SEATS, presence, EMISSION)
    assert [rewards[seat.account] for seat in SEATS] == [200, 100, 100, 0]


def test_validators__set_changed_since_the_report__presence_follows_the_account():
    presence = Presence(0, 0b01, (SEATS[3].account,))
    assert validator_rewards(SEATS, presence, EMISSION)[SEATS[3].account] == 100


def test_cumulative__fewer_than_four_seats__adds_nothing_and_keeps_all():
    totals = cumulative_rewards(
        {"0x01": 5}, SEATS[:3], [line(1)], profile_of, provider_of, Presence(0b111, 0), EMISSION
    )
    assert sum(totals.values()) == 5


lines = st.lists(
    st.builds(
        line,
        st.integers(1, 255),
        st.sampled_from([1, 1, 1, 2, 5, 8, 65]),
        st.integers(0, 10_000),
    ),
    max_size=12,
    unique_by=lambda leaf: leaf.device_id,
)
pools = st.builds(Emission, st.integers(0, 10**24), st.integers(0, 10**24), st.integers(0, 10**24))
previous = st.dictionaries(st.integers(1, 300).map(lambda i: f"0x{i:040x}"), st.integers(0, 10**30), max_size=8)


@given(previous, lines, pools, st.integers(0, 15), st.integers(0, 15))
def test_cumulative__anything__no_total_falls_and_pools_bound_the_rise(before, results, emission, s, r):
    presence = Presence(s, r, tuple(seat.account for seat in SEATS))
    after = cumulative_rewards(before, SEATS, results, profile_of, provider_of, presence, emission)
    assert all(after[account] >= amount for account, amount in before.items())
    rise = sum(after.values()) - sum(before.values())
    assert 0 <= rise <= emission.provider_pool + emission.validator_pool
    earners = [leaf for leaf in results if leaf.flags == Flag.PASSED]
    assert rise <= emission.validator_pool + emission.max_per_credit * sum(
        profile_of(leaf.device_id).credit for leaf in earners
    )


@given(lines, st.randoms())
def test_cumulative__lines_in_any_order__same_totals(results, random):
    presence = Presence(0b1111, 0)
    shuffled = list(results)
    random.shuffle(shuffled)
    first, second = (
        cumulative_rewards({}, SEATS, rows, profile_of, provider_of, presence, EMISSION) for rows in (results, shuffled)
    )
    assert first == second

"""Whole epochs in virtual time: with up to f seats silent, slow or off in time they close with the right result; with
more they are void and the next one works."""

from __future__ import annotations

import asyncio

import pytest

from assay.proof.probe.layout import claimed_mib
from assay.protocol.epochs import Phase
from assay.protocol.leaves import Flag
from assay.validator.phases.verifying import CONCURRENCY
from tests.unit.validator.simulation.chain import PROFILE
from tests.unit.validator.simulation.devices import SimDevice
from tests.unit.validator.simulation.network import SimNetwork
from tests.unit.validator.simulation.outcomes import assert_right
from tests.unit.validator.simulation.virtual_time import run

pytestmark = pytest.mark.slow

MEMORY_MIB = claimed_mib(PROFILE)


def test_epoch__all_honest__reports_every_device_as_it_is(tmp_path):
    devices = [
        SimDevice(1),
        SimDevice(2, "wrong"),
        SimDevice(3, "silent"),
        SimDevice(4, "no-opening"),
        SimDevice(5, "slow"),
        SimDevice(6, leased=True),
        SimDevice(7, "wrong-secret"),
    ]
    network = SimNetwork(tmp_path, devices=devices)
    run(network.run(2))
    assert network.phase(0) == network.phase(1) == Phase.REPORTED
    flags = {number: line["flags"] for number, line in network.lines(1).items()}
    late = Flag.PASSED | Flag.LATE
    assert flags == {1: 1, 2: 8, 3: 16, 4: 32, 5: late, 6: 2, 7: 8}
    assert network.lines(1)[1]["scoreGops"] > 0
    assert network.lines(1)[3]["uptimeBps"] == 0
    assert network.chain.states[-1][1].rewards_total > network.chain.states[-1][0].rewards_total > 0


def test_epoch__every_device_leased__is_reported_with_their_uptime_and_no_measurement(tmp_path):
    network = SimNetwork(tmp_path, devices=[SimDevice(1, leased=True), SimDevice(2, "silent", leased=True)])
    run(network.run(2))
    assert network.phase(0) == network.phase(1) == Phase.REPORTED
    state = network.chain.states[-1][1]
    assert (state.seal_root, state.seal_count) == (bytes(32), 0)
    lines = network.lines(1)
    assert {n: (line["flags"], line["uptimeBps"]) for n, line in lines.items()} == {1: (2, 10_000), 2: (2, 0)}
    assert state.rewards_total > 0  # seats were there; no device earns
    assert state.rewards_total == network.chain.states[-1][0].rewards_total + 4 * (10**19 // 4)


def test_epoch__no_idle_device_answers__is_reported_with_all_of_them_out_of_reach(tmp_path):
    network = SimNetwork(tmp_path, devices=[SimDevice(1, "silent"), SimDevice(2, leased=True)])
    run(network.run(1))
    assert network.phase(0) == Phase.REPORTED
    assert {n: line["flags"] for n, line in network.lines(0).items()} == {1: 16, 2: 2}


def test_epoch__no_device_enrolled__is_void_without_a_transaction_for_nothing(tmp_path):
    network = SimNetwork(tmp_path, devices=[])
    run(network.run(1))
    assert network.phase(0) == Phase.VOID
    assert {name for name, _, _ in network.chain.mined} == {"openEpoch", "checkIn", "voidEpoch"}


@pytest.mark.parametrize("silent", range(4))
def test_epoch__one_of_four_silent__closes_with_the_right_result(tmp_path, silent):
    network = SimNetwork(tmp_path, devices=[SimDevice(1), SimDevice(2, "wrong")], silent=frozenset({silent}))
    run(network.run(1))
    assert_right(network)
    assert network.lines(0)[1]["memoryMiB"] == MEMORY_MIB


def test_epoch__two_of_seven_silent__closes_with_the_right_result(tmp_path):
    network = SimNetwork(tmp_path, seats=7, devices=[SimDevice(1)], silent=frozenset({0, 3}))
    run(network.run(1))
    assert_right(network)


def test_epoch__two_of_four_silent_for_one_epoch__void_and_the_next_one_works(tmp_path):
    async def come_back(network):
        await asyncio.sleep(24)
        network.start(2)

    network = SimNetwork(tmp_path, silent=frozenset({2, 3}))
    run(network.run(3, come_back))
    assert network.phase(0) == Phase.VOID
    assert network.phase(2) == Phase.REPORTED


def test_epoch__device_shows_each_half_another_commitment__closes(tmp_path):
    network = SimNetwork(tmp_path, devices=[SimDevice(1), SimDevice(2, "two-faced")])
    run(network.run(1))
    assert network.phase(0) == Phase.REPORTED
    assert network.lines(0)[1]["flags"] == 1


def test_epoch__more_devices_withhold_openings_than_are_asked_at_once__the_others_are_asked(
    tmp_path,
):
    withheld = [SimDevice(n, "no-opening") for n in range(1, CONCURRENCY + 5)]
    network = SimNetwork(tmp_path, devices=[*withheld, SimDevice(50), SimDevice(51), SimDevice(52)])
    run(network.run(1))
    assert network.phase(0) == Phase.REPORTED
    flags = {n: line["flags"] for n, line in network.lines(0).items()}
    assert [flags[n] for n in (50, 51, 52)] == [1, 1, 1]
    assert all(flags[device.number] == Flag.NO_OPENING for device in withheld)


def test_epoch__memory_probes__are_reported_where_the_memory_was_shown_in_time(tmp_path):
    faults = ("", "no-probe", "slow-memory", "no-lanes", "forged-lanes", "wrong")
    network = SimNetwork(tmp_path, devices=[SimDevice(n, fault) for n, fault in enumerate(faults, 1)])
    run(network.run(1))
    assert network.phase(0) == Phase.REPORTED
    lines = network.lines(0)
    assert {n: line["flags"] for n, line in lines.items()} == {1: 1, 2: 1, 3: 1, 4: 1, 5: 1, 6: 8}
    assert MEMORY_MIB == 1
    assert {n: line["memoryMiB"] for n, line in lines.items()} == {1: 1, 2: 0, 3: 0, 4: 0, 5: 0, 6: 0}


def test_epoch__device_shows_each_half_other_lanes__closes_and_harms_nobody_else(tmp_path):
    network = SimNetwork(tmp_path, devices=[SimDevice(1), SimDevice(2, "two-laned")])
    run(network.run(1))
    assert network.phase(0) == Phase.REPORTED
    lines = network.lines(0)
    assert lines[1]["memoryMiB"] == MEMORY_MIB
    assert {n: line["flags"] for n, line in lines.items()} == {1: 1, 2: 1}


def test_epoch__a_tenth_of_all_messages_lost__closes_with_the_right_result(tmp_path):
    network = SimNetwork(tmp_path, loss=0.1, seed=5)
    run(network.run(1))
    assert_right(network)


def test_epoch__no_device_answers_one_seat__it_still_signs_and_devices_pass(tmp_path):
    network = SimNetwork(tmp_path)
    network.sim_devices.deaf = {network.accounts[1].account}
    run(network.run(1))
    assert_right(network)


@pytest.mark.parametrize("offset", [-1.5, 1.5])
def test_epoch__one_clock_off__closes_with_the_right_result(tmp_path, offset):
    network = SimNetwork(tmp_path, offsets={0: offset})
    run(network.run(1))
    assert_right(network)


def test_epoch__openings__each_device_is_downloaded_once_and_asked_for_secret_rows_by_all(tmp_path):
    network = SimNetwork(tmp_path, devices=[SimDevice(i) for i in range(1, 9)])
    run(network.run(1))
    assert_right(network)
    for number in range(1, 9):
        assert network.sim_devices.downloads[number, "sampled"] == 1
        assert network.sim_devices.downloads[number, "secret"] == 4

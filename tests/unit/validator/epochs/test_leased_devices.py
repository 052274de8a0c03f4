"""Leased devices are observed whatever became of them, and for the part of an epoch in which they were leased."""

from __future__ import annotations

import pytest

from assay.protocol.leaves import Flag
from assay.validator.rules.values import LeasePeriod
from tests.unit.validator.simulation.devices import SimDevice
from tests.unit.validator.simulation.network import TIMING, SimNetwork
from tests.unit.validator.simulation.virtual_time import START, run

pytestmark = pytest.mark.slow

GENESIS = TIMING.genesis - START  # in the simulation's seconds


def lease(lease_id: int, begins: float, ends: float) -> LeasePeriod:
    """In seconds of the first epoch."""
    return LeasePeriod(lease_id, int(START + GENESIS + begins), int(START + GENESIS + ends))


def dark(begins: float, ends: float) -> tuple[float, float]:
    return GENESIS + begins, GENESIS + ends


def played(tmp_path, device: SimDevice, *periods: LeasePeriod) -> dict:
    """The device's line in the first epoch, leased in these periods."""
    network = SimNetwork(tmp_path, devices=[device])
    network.chain.leases[device.device.device_id] = periods
    run(network.run(1))
    return network.lines(0)[1]


def test_device__leased_for_a_part_and_dark_in_it__has_no_uptime(tmp_path):
    line = played(tmp_path, SimDevice(1, dark=dark(8, 14)), lease(7, 8, 14))
    assert (line["flags"], line["uptimeBps"]) == (Flag.PASSED, 0)


def test_device__leased_for_a_part_and_dark_outside_of_it__has_all_of_its_uptime(tmp_path):
    line = played(tmp_path, SimDevice(1, dark=dark(14, 19)), lease(7, 8, 14))
    assert (line["flags"], line["uptimeBps"]) == (Flag.PASSED, 10_000)


def test_device__lease_that_ends_in_the_epoch__counts_to_its_end(tmp_path):
    line = played(tmp_path, SimDevice(1, dark=dark(12, 30)), lease(7, -100, 12))
    assert (line["flags"], line["uptimeBps"]) == (Flag.LEASED, 10_000)


def test_device__dark_for_half_of_its_lease__has_half_of_the_uptime(tmp_path):
    """One that answers nobody keeps who asks it waiting, and is asked as often all the same."""
    # It is asked at whole seconds: the dark begins between two of them.
    line = played(tmp_path, SimDevice(1, dark=dark(6.25, 12)), lease(7, 0, 12))
    assert 3_500 <= line["uptimeBps"] <= 5_500


def test_device__dark_in_one_lease_and_let_to_a_friend_then__has_the_uptime_of_the_first(tmp_path):
    line = played(tmp_path, SimDevice(1, dark=dark(5, 9)), lease(7, 5, 9), lease(8, 9, 30))
    assert line["uptimeBps"] == 0


def test_device__slashed_while_it_is_leased__is_observed_on(tmp_path):
    devices = [SimDevice(1, leased=True), SimDevice(2), SimDevice(3, "silent", leased=True)]
    network = SimNetwork(tmp_path, devices=devices)
    network.chain.slashed = {device.device.device_id: 0 for device in devices}
    run(network.run(1))
    lines = network.lines(0)
    assert {n: (line["flags"], line["uptimeBps"]) for n, line in lines.items()} == {1: (2, 10_000), 3: (2, 0)}


@pytest.mark.deep
def test_device__of_a_hundred_dark_ones_that_are_idle__leased_ones_are_asked_as_often(tmp_path, monkeypatch):
    monkeypatch.setattr("assay.validator.phases.liveness.CONCURRENCY", 2)
    idle = [SimDevice(n, "silent") for n in range(10, 30)]
    network = SimNetwork(tmp_path, devices=[SimDevice(1, leased=True), *idle])
    run(network.run(1))
    (counts,) = network.stores[0].liveness(0)[network.devices[0].device.device_id].values()
    assert counts[0] == counts[1] >= TIMING.epoch_length - 4

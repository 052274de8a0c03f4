"""Seats check in by themselves for epochs that stopped before their seal, once each, so that a third that stalls cannot
have the rest evicted."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest

from assay.protocol.epochs import Phase
from assay.validator.status import status
from tests.unit.validator.simulation.network import TIMING, SimNetwork
from tests.unit.validator.simulation.virtual_time import VirtualClock, run

pytestmark = pytest.mark.slow

IDLE_EPOCHS = 3


def check_ins(network: SimNetwork) -> Counter[tuple[int, str]]:
    """Mined ones by epoch and account."""
    return Counter((epoch, sender) for name, epoch, sender in network.chain.mined if name == "checkIn")


async def until(epoch: int, after_s: float) -> None:
    await asyncio.sleep(TIMING.start(epoch) + after_s - VirtualClock().now())


def test_check_in__third_of_the_seats_stalls__the_others_are_excused_and_the_stallers_are_evictable(tmp_path):
    network = SimNetwork(tmp_path, seats=7, silent=frozenset({4, 5, 6}))
    run(network.run(IDLE_EPOCHS + 2))
    accounts = [network.account_of(i) for i in range(7)]
    done = check_ins(network)
    for epoch in range(IDLE_EPOCHS + 1):
        assert network.phase(epoch) == Phase.VOID
        assert [done[epoch, account] for account in accounts] == [1, 1, 1, 1, 0, 0, 0]
    now = IDLE_EPOCHS + 1
    assert [network.chain.evictable(a, now, IDLE_EPOCHS) for a in accounts] == [False] * 4 + [True] * 3


def test_check_in__seats_that_only_check_in__are_evictable_once_epochs_are_sealed(tmp_path):
    """They sign nothing, which a check-in never stands for."""
    network = SimNetwork(tmp_path, silent=frozenset({3}))
    network.chain.checked_in = {(epoch, network.account_of(3)): 0 for epoch in range(10)}
    run(network.run(IDLE_EPOCHS + 2))
    assert network.phase(0) == Phase.REPORTED
    assert not check_ins(network)
    evictable = [network.chain.evictable(network.account_of(i), IDLE_EPOCHS + 1, IDLE_EPOCHS) for i in range(4)]
    assert evictable == [False, False, False, True]


def test_check_in__node_restarted_after_it__is_not_made_again(tmp_path):
    async def restart(network):
        while not check_ins(network):  # noqa: ASYNC110
            await asyncio.sleep(0.2)
        for i in (0, 1):
            await network.kill(i)
            network.start(i)

    network = SimNetwork(tmp_path, silent=frozenset({2, 3}))
    run(network.run(2, restart))
    assert {account: check_ins(network)[0, account] for account in map(network.account_of, range(4))} == {
        network.account_of(0): 1,
        network.account_of(1): 1,
        network.account_of(2): 0,
        network.account_of(3): 0,
    }


def test_check_in__power_cut_around_each_of_its_steps__is_made_once(tmp_path):
    whole = SimNetwork(tmp_path / "whole", silent=frozenset({2, 3}))
    run(whole.run(1))
    steps = [n for n, name in enumerate(whole.wires[0].steps) if name.endswith("check_in")]
    assert len(steps) >= 4  # before and after the transaction and the note of it
    for step in steps:
        network = SimNetwork(tmp_path / str(step), silent=frozenset({2, 3}), cut_at=step)
        run(network.run(2))
        assert network.wires[0].dead
        assert check_ins(network)[0, network.account_of(0)] == 1
        assert 0 in network.stores[0].check_ins()


@pytest.mark.parametrize(("back", "counts"), [pytest.param(21.0, 1, marks=pytest.mark.deep), (36.0, 1), (41.0, 0)])
def test_check_in__node_comes_back_in_the_epoch_after__is_made_for_the_one_it_missed(tmp_path, back, counts):
    async def come_back(network):
        await until(0, back)
        network.start(2)

    network = SimNetwork(tmp_path, silent=frozenset({2, 3}))
    run(network.run(3, come_back))
    assert network.phase(0) == Phase.VOID
    assert check_ins(network)[0, network.account_of(2)] == counts


def test_check_in__made_by_another_copy__is_noted_and_not_repeated(tmp_path):
    async def other_copy(network):
        await until(0, TIMING.seal_by + 0.5)
        network.chain.checked_in[0, network.account_of(0)] = len(network.chain.blocks) - 3

    network = SimNetwork(tmp_path, silent=frozenset({2, 3}))
    run(network.run(1, other_copy))
    assert check_ins(network)[0, network.account_of(0)] == 0
    assert network.stores[0].check_ins() == {0: ""}


def test_status__of_a_seat_that_checked_in__shows_it(tmp_path):
    shown = []

    async def look(network):
        await until(0, TIMING.epoch_length + 3)
        shown.append(status(network.nodes[0].daemon)["checkIns"])

    network = SimNetwork(tmp_path, silent=frozenset({2, 3}))
    run(network.run(1, look))
    assert shown == [{"0": "0xcheckIn"}]

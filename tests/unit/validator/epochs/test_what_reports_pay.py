"""What a report pays in whole epochs: never what was vetoed, never beyond its epoch's emission, and no device that was
slashed before the draw."""

from __future__ import annotations

import asyncio

import pytest

from assay.protocol.epochs import Phase
from assay.wire.leaves import RewardsBody
from tests.unit.validator.simulation.devices import SimDevice
from tests.unit.validator.simulation.network import SimNetwork
from tests.unit.validator.simulation.virtual_time import run

pytestmark = pytest.mark.slow

OTHER = "0x" + "33" * 20


def earned(network: SimNetwork, epoch: int) -> dict[str, int]:
    """Totals by account under the epoch's root."""
    body = network.last.daemon.services.store.tree(network.chain.states[-1][epoch].rewards_root)
    return {line.account: line.cumulative for line in RewardsBody.model_validate_json(body).leaves}


async def reached(network: SimNetwork, epoch: int, phase: Phase) -> None:
    while network.phase(epoch) != phase:  # noqa: ASYNC110
        await asyncio.sleep(0.2)


@pytest.mark.parametrize("when", [Phase.OPEN, Phase.SEALED])
def test_report__device_slashed_before_the_draw__is_paid_nothing_and_others_share(tmp_path, when):
    async def slash(network):
        await reached(network, 0, when)
        network.chain.slashed[network.devices[1].device.device_id] = len(network.chain.blocks)

    network = SimNetwork(tmp_path, devices=[SimDevice(1), SimDevice(2, provider=OTHER)])
    run(network.run(1, slash))
    assert {line["flags"] for line in network.lines(0).values()} == {1}  # it did the work all the same
    totals = earned(network, 0)
    assert totals[OTHER] == 0
    assert totals[network.devices[0].provider] == network.chain.emission_.max_per_credit


def test_report__device_slashed_after_the_draw__was_paid_and_is_gone_from_the_next(tmp_path):
    async def slash(network):
        await reached(network, 0, Phase.DRAWN)
        network.chain.slashed[network.devices[1].device.device_id] = len(network.chain.blocks)

    network = SimNetwork(tmp_path, devices=[SimDevice(1), SimDevice(2, provider=OTHER)])
    run(network.run(2, slash))
    assert earned(network, 0)[OTHER] == earned(network, 1)[OTHER] == network.chain.emission_.max_per_credit
    assert set(network.lines(1)) == {1}


def test_report__memory_not_shown_in_time__is_paid_nothing(tmp_path):
    network = SimNetwork(tmp_path, devices=[SimDevice(1), SimDevice(2, "slow-memory", provider=OTHER)])
    run(network.run(1))
    assert network.lines(0)[2]["flags"] == 1
    assert earned(network, 0)[OTHER] == 0


def test_epoch__rewards_of_the_one_before_vetoed__goes_on_from_the_last_that_stands(tmp_path):
    async def veto(network):
        await reached(network, 1, Phase.REPORTED)
        network.chain.vetoed[1] = len(network.chain.blocks)

    network = SimNetwork(tmp_path)
    run(network.run(3, veto))
    totals = [network.chain.states[-1][epoch].rewards_total for epoch in range(3)]
    assert network.phase(2) == Phase.REPORTED
    assert totals[1] > totals[0]
    # Epoch 2 pays again what epoch 1 would have, less the presence in the report that was vetoed.
    assert totals[0] < totals[2] <= totals[1]


@pytest.mark.parametrize("after_s", [0.0, pytest.param(1.5, marks=pytest.mark.deep)])
def test_report__the_one_before_vetoed_after_the_draw__is_accepted_all_the_same(tmp_path, after_s):
    """What would go on from the vetoed report rises by two epochs' emission: the contract does not take it."""

    async def veto(network):
        await reached(network, 2, Phase.DRAWN)
        await asyncio.sleep(after_s)
        network.chain.vetoed[1] = len(network.chain.blocks)

    network = SimNetwork(tmp_path)
    run(network.run(3, veto))
    totals = [network.chain.states[-1][epoch].rewards_total for epoch in range(3)]
    assert network.phase(2) == Phase.REPORTED
    assert totals[0] < totals[2] <= totals[1]


def test_report__with_fewer_than_four_seats__pays_nobody(tmp_path):
    network = SimNetwork(tmp_path, seats=3)
    run(network.run(2))
    assert network.phase(1) == Phase.REPORTED
    assert network.chain.states[-1][1].rewards_total == 0

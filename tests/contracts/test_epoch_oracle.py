"""The four transactions of an epoch."""

import ape
from support.epochs import Epoch, run_epoch


def test_epoch__all_four_steps__reported(network):
    epoch = run_epoch(network, 0, network.devices, rewards=[(network.accounts[20].address, 10**18)])
    state = network.EpochOracle.epochState(0)
    assert state.phase == 4
    assert state.sealCount == 3
    assert bytes(state.devicesRoot) == epoch.devices.root
    assert network.EpochOracle.verifyDevice(*epoch.proof(network.devices[0]))
    assert network.EpochOracle.lastReport().rewardsTotal == 10**18


def test_open_epoch__twice__wrong_phase(network):
    Epoch(network, 0).open()
    with ape.reverts(network.EpochOracle.EpochOracle_WrongPhase, epoch=0, phase=1):
        network.EpochOracle.openEpoch(0, sender=network.accounts[3])

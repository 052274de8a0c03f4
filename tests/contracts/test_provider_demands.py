"""Demands against an honest device, answered by the provider's own code on the real contracts, after restarts too."""

from __future__ import annotations

import json
from contextlib import asynccontextmanager

import ape
import pytest
from support.epochs import Epoch
from support.faults import sealed

from assay.chain.contracts.demands import DemandDirectory, DemandStatus, read_demand, read_demand_price
from assay.chain.deployment import Deployment
from assay.chain.key_files import Key
from assay.chain.rpc.client import Chain
from assay.chain.transactions.journal import Journal
from assay.chain.transactions.sender import Sender
from assay.proof.engines import engine
from assay.protocol.encoding import demand_id
from assay.protocol.keccak import keccak
from assay.protocol.signing import address_of
from assay.provider.chain_view import ChainView
from assay.provider.database import open_database
from assay.provider.devices.device import OwnDevice
from assay.provider.measurement.commitments import CommitmentStore, StoredCommitment
from assay.provider.measurement.demand_sender import DemandSender
from assay.provider.measurement.demand_service import DemandService
from tests.unit.provider.in_thread import ThreadWorker

KEY = Key(keccak(b"answering operator"))
PAYOUT = address_of(keccak(b"payout"))
WINDOW = 86_400


@pytest.fixture
def asked(network, tmp_path):
    """Epoch 0 with device 0 sealed and drawn, its commitment stored, and a stranger with bonds to ask for."""
    # What is sent past Ape is not always undone by it.
    before = network.chain.snapshot()
    epoch = Epoch(network, 0).open()
    committed = epoch.commit(network.devices[0], prove=True)
    epoch.seal([committed, epoch.commit(network.devices[1])]).draw()
    network.NetworkToken.approve(network.OpeningDemands, 10**27, sender=network.accounts[40])
    device, message = committed.device, committed.message
    CommitmentStore(open_database(tmp_path / "provider.sqlite")).put(
        StoredCommitment(device.id, 0, epoch.seed, device.profile.id, message.nonce_root, json.dumps(message.to_json()))
    )
    network.chain.provider.set_balance(KEY.address, 10**20)
    yield epoch, committed
    network.chain.restore(before)


def demand(network, asked, is_row, index):
    """Asks; the demand's id."""
    epoch, committed = asked
    arguments = (0, sealed(epoch, committed), is_row, index, 2**128 - 1)
    network.OpeningDemands.demand(*arguments, sender=network.accounts[40])
    return demand_id(committed.device.id, 0, is_row, index)


@asynccontextmanager
async def answering(network, folder, committed, final_depth=1):
    """The part of a provider's daemon that answers, started anew from its folder. All that was done is final."""
    network.chain.mine(1)
    chain = await Chain.connect(network.chain.provider.http_uri, Deployment.load(network.file), final_depth=final_depth)
    journal = Journal(folder / "transactions.sqlite", KEY.address, chain.chain_id)
    sender = Sender(chain, KEY, journal, poll_s=0.01)
    prover = ThreadWorker(lambda: engine("reference"), 1)
    store = CommitmentStore(open_database(folder / "provider.sqlite"))
    device = committed.device
    served = OwnDevice(device.id, str(device.provider), "0x", device.profile, lambda digest: b"")

    async def payout():
        return PAYOUT

    connected = DemandSender(
        chain, sender, ChainView(chain, str(device.provider)), DemandDirectory(chain, {device.id}), payout
    )
    desk = DemandService({device.id: served}, store, connected, prover.prove, prover.open)
    desk.chain = chain
    try:
        yield desk
    finally:
        await prover.close()
        journal.close()
        await chain.close()


async def test_demands__rows_and_rounds_of_an_honest_device_at_once__answered_and_never_slashed(
    network, asked, tmp_path
):
    _, committed = asked
    demands, device = network.OpeningDemands, committed.device
    before = network.StakeManager.account(device.provider).active
    made = [demand(network, asked, True, index) for index in (3, 0, 5)] + [demand(network, asked, False, 2)]
    assert demands.openDemandsOf(device.id) == 4
    async with answering(network, tmp_path, committed) as desk:
        await desk.tick()
        assert desk.status == {"open": 4, "answered": 4}
        rewards = [(await read_demand_price(desk.chain, one, "latest")).reward for one in made]
    assert demands.openDemandsOf(device.id) == 0
    network.pass_time(10 * WINDOW)
    for one in made:
        with ape.reverts(demands.OpeningDemands_NotOpen, demandId=one, status=DemandStatus.ANSWERED):
            demands.expireDemand(one, sender=network.accounts[41])
    assert network.StakeManager.account(device.provider).active == before
    assert not network.FraudProofs.proven(4, device.id, 0)
    async with answering(network, tmp_path, committed) as desk:  # a new process: nothing is remembered
        await desk.tick()
    assert network.NetworkToken.balanceOf(PAYOUT) == sum(rewards) > 0


async def test_demands__chain_finalises_nothing__answered_before_the_deadline_all_the_same(network, asked, tmp_path):
    _, committed = asked
    demand(network, asked, True, 0)
    async with answering(network, tmp_path, committed, final_depth=9) as desk:
        await desk.tick()
        assert network.OpeningDemands.openDemandsOf(committed.device.id) == 1
        network.pass_time(WINDOW - 3600)
        await desk.tick()
        assert network.OpeningDemands.openDemandsOf(committed.device.id) == 0


async def test_demands__past_the_deadline_and_not_expired__still_answered(network, asked, tmp_path):
    _, committed = asked
    one = demand(network, asked, True, 0)
    network.pass_time(2 * WINDOW)
    async with answering(network, tmp_path, committed) as desk:
        await desk.tick()
        assert desk.status == {"open": 1, "answered": 1}
        found = await read_demand(desk.chain, one, "latest")
    assert found.status is DemandStatus.ANSWERED


async def test_demands__device_slashed_meanwhile__nothing_is_sent(network, asked, tmp_path):
    _, committed = asked
    withheld, other = demand(network, asked, True, 0), demand(network, asked, True, 1)
    network.pass_time(2 * WINDOW)
    network.OpeningDemands.expireDemand(withheld, sender=network.accounts[41])
    async with answering(network, tmp_path, committed) as desk:
        await desk.tick()
        assert desk.status == {"open": 0, "answered": 0}
        assert (await read_demand(desk.chain, other, "latest")).status is DemandStatus.OPEN
    assert network.chain.provider.get_nonce(KEY.address) == 0

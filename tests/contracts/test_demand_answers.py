"""Demands against an honest device, answered by the provider's own code on the real contracts, after restarts too."""

from __future__ import annotations

import json
from contextlib import asynccontextmanager

import ape
import pytest
from support.epochs import Epoch
from support.faults import sealed

from assay.chain.client import Chain
from assay.chain.deployment import Deployment
from assay.chain.journal import Journal
from assay.chain.key_files import Key
from assay.chain.sender import Sender
from assay.proof.engines import engine
from assay.protocol.keccak import keccak
from assay.provider.chain_view import ChainView
from assay.provider.commitments import CommitmentStore, StoredCommitment
from assay.provider.database import open_database
from assay.provider.demand_desk import DemandDesk
from assay.provider.demand_sender import DemandSender
from assay.provider.prover import Prover

KEY = Key(keccak(b"answering provider"))
DAY = 86_400


@pytest.fixture
def asked(network, tmp_path):
    """Epoch 0 with device 0 sealed and drawn, its commitment stored, and a stranger with bonds to ask for."""
    # What is sent past Ape is not always undone by it.
    before = network.chain.snapshot()
    epoch = Epoch(network, 0).open()
    committed = epoch.commit(network.devices[0], prove=True)
    epoch.seal([committed, epoch.commit(network.devices[1])]).draw()
    network.NetworkToken.approve(network.FraudProofs, 10**24, sender=network.accounts[40])
    device, message = committed.device, committed.message
    CommitmentStore(open_database(tmp_path / "provider.sqlite")).put(
        StoredCommitment(device.id, 0, epoch.seed, device.profile.id, message.nonce_root, json.dumps(message.to_json()))
    )
    network.chain.provider.set_balance(KEY.address, 10**20)
    yield epoch, committed
    network.chain.restore(before)


@asynccontextmanager
async def answering(network, folder, committed, final_depth=1):
    """The part of a provider's daemon that answers, started anew from its folder. All that was done is final."""
    network.chain.mine(1)
    chain = await Chain.connect(network.chain.provider.http_uri, Deployment.load(network.file), final_depth=final_depth)
    journal = Journal(folder / "transactions.sqlite", KEY.address, chain.chain_id)
    sender = Sender(chain, KEY, journal, poll_s=0.01)
    prover = Prover(lambda: engine("reference"), kept_proofs=1)
    store = CommitmentStore(open_database(folder / "provider.sqlite"))
    connected = DemandSender(chain, sender, ChainView(chain), KEY.address)
    try:
        yield DemandDesk({committed.device.id: committed.device.profile}, store, connected, prover.prove, prover.open)
    finally:
        prover.close()
        journal.close()
        await chain.close()


async def test_demands__row_and_round_of_an_honest_device__answered_and_never_slashed(network, asked, tmp_path):
    epoch, committed = asked
    fraud, device = network.FraudProofs, committed.device
    before = network.StakeManager.account(device.provider).active
    for is_row, index in ((True, 3), (False, 2)):
        fraud.demand(0, sealed(epoch, committed), is_row, index, sender=network.accounts[40])
        demand_id = fraud.demandCount()
        assert fraud.openDemandOf(device.id) == demand_id
        async with answering(network, tmp_path, committed) as desk:  # a new process for each: nothing is remembered
            await desk.tick()
            assert desk.status == {"open": 1, "answered": 1}
        assert fraud.openDemandOf(device.id) == 0
        assert not fraud.demandOf(demand_id).open
    network.pass_time(DAY + 1)
    for demand_id in (fraud.demandCount() - 1, fraud.demandCount()):
        with ape.reverts(fraud.FraudProofs_NoDemand):
            fraud.expireDemand(demand_id, sender=network.accounts[41])
    assert network.StakeManager.account(device.provider).active == before
    assert network.StakeManager.account(device.provider).openDemands == 0
    assert not fraud.proven(4, device.id, 0)
    async with answering(network, tmp_path, committed) as desk:
        await desk.tick()
    assert network.NetworkToken.balanceOf(KEY.address) == 2 * fraud.demandBond()


async def test_demands__chain_finalises_nothing__answered_before_the_deadline_all_the_same(network, asked, tmp_path):
    epoch, committed = asked
    network.FraudProofs.demand(0, sealed(epoch, committed), True, 0, sender=network.accounts[40])
    async with answering(network, tmp_path, committed, final_depth=9) as desk:
        await desk.tick()
        assert network.FraudProofs.openDemandOf(committed.device.id) != 0
        network.pass_time(DAY - 3600)
        await desk.tick()
        assert network.FraudProofs.openDemandOf(committed.device.id) == 0


async def test_demands__past_the_deadline__nothing_is_sent(network, asked, tmp_path):
    epoch, committed = asked
    network.FraudProofs.demand(0, sealed(epoch, committed), True, 0, sender=network.accounts[40])
    network.pass_time(DAY + 1)
    async with answering(network, tmp_path, committed) as desk:
        await desk.tick()
        assert desk.status == {"open": 1, "answered": 0}
    assert network.chain.provider.get_nonce(KEY.address) == 0

"""A watcher on the real chain: from what validators publish, through commit and reveal, to the slash and the bounty."""

from __future__ import annotations

import dataclasses
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest
from support.epochs import Committed, Epoch, run_epoch
from support.published import URL, PublishedEpochs

from assay.chain.client import Chain
from assay.chain.deployment import Deployment
from assay.chain.epochs import read_timing
from assay.chain.journal import Journal
from assay.chain.key_files import Key
from assay.chain.sender import Sender
from assay.proof.sampling import samples
from assay.protocol import seeds
from assay.protocol.keccak import keccak
from assay.protocol.leaves import ObservationLeaf
from assay.watcher.demands import Demands
from assay.watcher.evidence import EvidenceFolder
from assay.watcher.faults import Kind
from assay.watcher.notebook import Notebook
from assay.watcher.prosecution import Prosecutor
from assay.watcher.published import Published
from assay.watcher.watch import Watch

KEY = Key(keccak(b"watcher"))
LOOKS = 8


@dataclass
class Watcher:
    """A watcher in this process, over the test's chain."""

    network: object
    watch: Watch
    notebook: Notebook

    async def look(self, times: int = LOOKS) -> None:
        """So many looks, each a block after the one before: a reveal must not stand in its commitment's block."""
        for _ in range(times):
            self.network.chain.mine(1)
            self.watch._again.clear()
            await self.watch.look()

    def proven(self) -> list[str]:
        return [Kind(kind).name for kind, _, _ in self.notebook.proven()]


@pytest.fixture
def published(network) -> PublishedEpochs:
    return PublishedEpochs(network)


@asynccontextmanager
async def watching(network, published, folder, most_demands=0):
    network.chain.provider.set_balance(KEY.address, 10**20)
    chain = await Chain.connect(network.chain.provider.http_uri, Deployment.load(network.file), final_depth=0)
    notebook = Notebook(folder / "watcher.sqlite")
    journal = Journal(folder / "journal.sqlite", KEY.address, chain.chain_id)
    sender = Sender(chain, KEY, journal, poll_s=0.01)
    served = Published(transport=published.transport())
    watch = Watch(
        chain=chain, timing=await read_timing(chain), published=served, notebook=notebook,
        prosecutor=Prosecutor(chain, sender, notebook, EvidenceFolder(folder / "evidence"), keccak_of_nothing),
        demands=Demands(chain, sender, notebook, most_demands, keccak_of_nothing), validators=(URL,),
    )  # fmt: skip
    try:
        yield Watcher(network, watch, notebook)
    finally:
        await served.close()
        notebook.close()
        journal.close()
        await chain.close()


def keccak_of_nothing(length: int) -> bytes:
    return keccak(b"")[:length]


def sealed_with(network, epoch: Epoch, committed: Committed) -> Epoch:
    return epoch.seal([committed, epoch.commit(network.devices[1])]).draw()


def proven_by(network, committed: Committed, proof) -> Committed:
    """The device's word for another proof than its first."""
    message = dataclasses.replace(committed.message, result_root=proof.result_root)
    signature = message.sign(network.domain("EpochOracle"), committed.device.private_key)
    return Committed(committed.device, message, signature, proof)


def wrong(network, epoch: Epoch, row_of_sample: int = 0):
    """A device with one wrong element in every row that could be drawn: whatever rho comes, a sample finds it."""
    from assay.proof.adversaries.skipped_rows import SkippedRows

    device = network.devices[0]
    honest = epoch.commit(device, prove=True)
    cheat = SkippedRows(0.9, threads=1)
    cheat.prepare(device.profile, epoch.seed)
    start = seeds.device_seed(epoch.seed, device.id, device.profile.id, honest.message.nonce_root)
    return proven_by(network, honest, cheat.prove(start))


def pass_of(committed: Committed) -> ObservationLeaf:
    return ObservationLeaf(committed.device.id, committed.message.result_root, 1_000, 1, 10_000)


async def test_watcher__device_committed_garbage_and_a_seat_passed_it__both_lose_their_stake(
    network, published, tmp_path
):
    epoch = Epoch(network, 0).open()
    committed = wrong(network, epoch)
    sealed_with(network, epoch, committed)
    published.seal(epoch)
    published.batch(epoch, 2, [pass_of(committed)])
    published.batch(epoch, 1, [dataclasses.replace(pass_of(committed), flags=8)])
    async with watching(network, published, tmp_path) as watcher:
        await watcher.look()
        assert sorted(watcher.proven()) == ["FALSE_PASS", "WRONG_ELEMENT"]
    stakes = [network.StakeManager.account(account).active for account, _ in network.seats]
    assert stakes[2] == 0
    assert min(stakes[0], stakes[1], stakes[3]) > 0
    assert network.NetworkToken.balanceOf(KEY.address) > 0
    assert len(list((tmp_path / "evidence").iterdir())) == 2


async def test_watcher__one_card_answered_for_two_devices__broken_chain_and_its_false_pass(
    network, published, tmp_path
):
    epoch = Epoch(network, 0).open()
    other = epoch.commit(network.devices[1], prove=True)
    # The second device sealed the first one's work as its own.
    copied = proven_by(network, epoch.commit(network.devices[0]), other.proof)
    epoch.seal([copied, other]).draw()
    index = published.seal(epoch)
    rows = samples(epoch.rho, copied.device.id, copied.device.profile)
    index["openings"]["0x" + copied.device.id.hex()] = published.keep(other.proof.open(rows))
    published.batch(epoch, 0, sorted([pass_of(copied), pass_of(other)], key=lambda leaf: leaf.device_id))
    async with watching(network, published, tmp_path) as watcher:
        await watcher.look()
        assert sorted(watcher.proven()) == ["BROKEN_CHAIN", "FALSE_PASS"]
    assert network.StakeManager.account(network.seats[0][0]).active == 0


async def test_watcher__device_signed_two_results__loses_its_stake(network, published, tmp_path):
    epoch = Epoch(network, 0).open()
    device = network.devices[2]
    sealed = epoch.commit(device)
    epoch.seal([sealed])
    published.seal(epoch)
    published.other_commitment(epoch, epoch.commit(device, result_root=keccak(b"another")))
    before = network.StakeManager.account(device.provider).active
    async with watching(network, published, tmp_path) as watcher:
        await watcher.look()
        assert watcher.proven() == ["TWO_COMMITMENTS"]
    assert network.StakeManager.account(device.provider).active == before - device.profile.stake


async def test_watcher__seat_signed_another_seal_than_the_accepted_one__loses_its_stake(network, published, tmp_path):
    epoch = Epoch(network, 0).open()
    epoch.seal([epoch.commit(network.devices[0])], seats=[0, 1, 2])
    published.seal(epoch)
    published.signed_seal(epoch, 1, epoch.seal_message(keccak(b"another"), 3))
    published.signed_seal(epoch, 3, epoch.seal_message(keccak(b"another"), 3))  # it signed only this one
    async with watching(network, published, tmp_path) as watcher:
        await watcher.look()
        assert watcher.proven() == ["TWO_STATEMENTS"]
    assert [network.StakeManager.account(account).active > 0 for account, _ in network.seats] == [
        True, False, True, True,
    ]  # fmt: skip


async def test_watcher__quorum_sealed_what_no_device_signed__every_signer_is_slashed(network, published, tmp_path):
    epoch = Epoch(network, 0).open()
    forged = dataclasses.replace(epoch.commit(network.devices[0]), signature=epoch.commit(network.devices[1]).signature)
    epoch.seal([forged], seats=[0, 1, 3])
    published.seal(epoch)
    async with watching(network, published, tmp_path) as watcher:
        await watcher.look()
        assert watcher.proven() == ["BAD_SEAL"]
    assert [network.StakeManager.account(account).active > 0 for account, _ in network.seats] == [
        False, False, True, False,
    ]  # fmt: skip


async def test_watcher__report_passed_what_was_not_sealed__every_signer_is_slashed(network, published, tmp_path):
    epoch = Epoch(network, 0).open()
    epoch.seal([epoch.commit(network.devices[0])]).draw()
    rewards = [(account.address, 0) for account, _ in network.seats]
    leaves = [epoch.leaf(network.devices[0]), epoch.leaf(network.devices[1], seal_index=0)]
    epoch.report(leaves, rewards, seats=[0, 1, 2])
    published.seal(epoch)
    published.report(epoch, rewards)
    async with watching(network, published, tmp_path) as watcher:
        await watcher.look()
        assert watcher.proven() == ["UNSEALED_PASS"]
    assert [network.StakeManager.account(account).active > 0 for account, _ in network.seats] == [
        False, False, False, True,
    ]  # fmt: skip


async def test_watcher__account_earned_less_than_before__every_signer_is_slashed(network, published, tmp_path):
    a, b = (account.address for account, _ in network.seats[:2])
    rewards = [[(a, 10), (b, 5)], [(a, 9), (b, 6)]]
    for number in (0, 1):
        epoch = run_epoch(network, number, network.devices[:1], rewards=rewards[number])
        published.seal(epoch)
        published.report(epoch, rewards[number])
    async with watching(network, published, tmp_path) as watcher:
        await watcher.look()
        assert watcher.proven() == ["SHRUNK_REWARD"]
    assert network.NetworkToken.balanceOf(KEY.address) == 3 * 10**22  # a tenth of three seats' stake


async def test_watcher__opening_served_nowhere__demanded_and_the_silent_device_slashed(network, published, tmp_path):
    device = network.devices[2]
    epoch = run_epoch(network, 0, [device], rewards=[(network.seats[0][0].address, 0)])
    published.seal(epoch)
    published.report(epoch, [(network.seats[0][0].address, 0)])
    bond = network.FraudProofs.demandBond()
    network.NetworkToken.transfer(KEY.address, bond, sender=network.accounts[40])
    stake = network.StakeManager.account(device.provider).active
    async with watching(network, published, tmp_path, most_demands=2) as watcher:
        await watcher.look()
        assert network.FraudProofs.openDemandOf(device.id) == 1
        network.pass_time(network.FraudProofs.answerWindow() + 1)
        await watcher.look(2)
        assert network.FraudProofs.openDemandOf(device.id) == 0
    assert network.StakeManager.account(device.provider).active == stake - device.profile.stake
    assert network.NetworkToken.balanceOf(KEY.address) == bond + device.profile.stake // 10


async def test_watcher__honest_epoch__proves_nothing(network, published, tmp_path):
    epoch = Epoch(network, 0).open()
    committed = epoch.commit(network.devices[0], prove=True)
    epoch.seal([committed]).draw()
    rewards = [(account.address, 0) for account, _ in network.seats]
    epoch.report([epoch.leaf(network.devices[0])], rewards)
    published.seal(epoch)
    published.report(epoch, rewards)
    for seat in range(4):
        published.batch(epoch, seat, [pass_of(committed)])
        published.signed_seal(epoch, seat, epoch.seal_message(epoch.seal_tree.root, 1))
    async with watching(network, published, tmp_path) as watcher:
        await watcher.look(3)
        assert watcher.notebook.unfinished() == []
        assert watcher.proven() == []
        assert watcher.notebook.outcome(0, network.devices[0].id) == "valid"
    assert network.NetworkToken.balanceOf(KEY.address) == 0

"""A watcher on the real chain: from what validators publish, through commit and reveal, to the slash and the bounty."""

from __future__ import annotations

import dataclasses
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import count

import numpy as np
import pytest
from support.epochs import Committed, Epoch, run_epoch
from support.faults import round_of, row_of, sealed
from support.published import URL, PublishedEpochs

from assay.chain.client import Chain
from assay.chain.deployment import Deployment
from assay.chain.epochs import read_timing
from assay.chain.journal import Journal
from assay.chain.key_files import Key
from assay.chain.sender import Sender
from assay.proof.fraud import true_row
from assay.proof.sampling import samples
from assay.proof.seed_chain import derive_seeds
from assay.protocol import seeds
from assay.protocol.encoding import demand_id
from assay.protocol.keccak import keccak
from assay.protocol.leaves import ObservationLeaf
from assay.watcher.demands import DemandLimits, Demands
from assay.watcher.evidence import EvidenceFolder
from assay.watcher.faults import Kind
from assay.watcher.holds import HeldSlashes
from assay.watcher.notebook import Notebook
from assay.watcher.prosecution import Prosecutor
from assay.watcher.published import Published
from assay.watcher.watch import Watch

KEY = Key(keccak(b"watcher"))
LOOKS = 8
NO_DEMANDS = DemandLimits(0, 0, 0)
TOKEN = 10**18


@dataclass
class Watcher:
    """A watcher in this process, over the test's chain."""

    network: object
    watch: Watch
    notebook: Notebook

    async def look(self, times: int = LOOKS) -> None:
        """So many looks, each a block after the one before: a reveal stands two blocks after its commitment."""
        for _ in range(times):
            self.network.chain.mine(1)
            self.watch._again.clear()
            await self.watch.look()

    async def collect(self) -> int:
        """What it has once every slash was held long enough."""
        self.network.pass_time(self.network.StakeManager.slashHold())
        await self.look(2)
        return self.network.NetworkToken.balanceOf(KEY.address)

    def proven(self) -> list[str]:
        return [Kind(kind).name for kind, _, _ in self.notebook.proven()]


@pytest.fixture
def published(network) -> PublishedEpochs:
    return PublishedEpochs(network)


@asynccontextmanager
async def watching(network, published, folder, limits=NO_DEMANDS):
    network.chain.provider.set_balance(KEY.address, 10**20)
    chain = await Chain.connect(network.chain.provider.http_uri, Deployment.load(network.file), final_depth=0)
    notebook = Notebook(folder / "watcher.sqlite")
    journal = Journal(folder / "journal.sqlite", KEY.address, chain.chain_id)
    sender = Sender(chain, KEY, journal, poll_s=0.01)
    served = Published(published.client())
    timing, evidence = await read_timing(chain), EvidenceFolder(folder / "evidence")
    watch = Watch(
        chain=chain, timing=timing, published=served, notebook=notebook,
        prosecutor=Prosecutor(chain, timing, sender, notebook, evidence, keccak_of_nothing),
        demands=Demands(chain, sender, notebook, limits, counting()), holds=HeldSlashes(chain, sender, notebook),
        validators=(URL,),
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


def counting():
    """Samples 0, 1, 2 and so on."""
    numbers = count()
    return lambda length: next(numbers).to_bytes(length, "big")


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


def is_wrong(committed: Committed, epoch: Epoch, t: int, i: int) -> bool:
    """Whether the device committed to a wrong row."""
    device = committed.device
    start = seeds.device_seed(epoch.seed, device.id, device.profile.id, committed.message.nonce_root)
    roots = committed.proof.round_roots
    row = np.frombuffer(row_of(committed.proof, t, i)[0], dtype="<i4")
    return bool((row != true_row(device.profile, epoch.seed, derive_seeds(start, roots)[t], i)).any())


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
        assert network.NetworkToken.balanceOf(KEY.address) == 0  # all of it is on hold
        seat, device = network.seats[2][0], committed.device
        taken = network.ValidatorSet.member(seat).stake + device.profile.stake
        assert await watcher.collect() == taken // 10
    stakes = [network.StakeManager.account(account).active for account, _ in network.seats]
    assert stakes[2] == 0
    assert min(stakes[0], stakes[1], stakes[3]) > 0
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
        assert await watcher.collect() == 3 * 10**22  # a tenth of three seats' stake


async def test_watcher__quorum_s_fault_signed_late__the_late_signer_is_slashed_too(network, published, tmp_path):
    epoch = Epoch(network, 0).open()
    forged = dataclasses.replace(epoch.commit(network.devices[0]), signature=epoch.commit(network.devices[1]).signature)
    epoch.seal([forged], seats=[0, 1, 3])
    published.seal(epoch)
    async with watching(network, published, tmp_path) as watcher:
        await watcher.look()
        late = network.quorum(epoch.seal_message(epoch.seal_tree.root, 1).digest(network.domain("EpochOracle")), [2])
        network.EpochOracle.addSignatures(0, False, 0, late, sender=network.bystander)
        await watcher.look(2)
        assert [network.StakeManager.account(account).active for account, _ in network.seats] == [0] * 4
        assert [proof.recorded for proof in watcher.notebook.unfinished()] == [True]
        network.go_to(network.start_of(0) + network.parameters.epochs.drawBy + 1)
        await watcher.look(2)
        assert watcher.notebook.unfinished() == []  # nobody can sign it any more


async def test_watcher__one_signer_has_left_with_its_stake__the_others_are_slashed(network, published, tmp_path):
    epoch = Epoch(network, 0).open()
    forged = dataclasses.replace(epoch.commit(network.devices[0]), signature=epoch.commit(network.devices[1]).signature)
    epoch.seal([forged], seats=[0, 1, 3])
    published.seal(epoch)
    published.signed_seal(epoch, 0, epoch.seal_message(keccak(b"another"), 3))
    async with watching(network, published, tmp_path) as watcher:
        await watcher.look()
        # The first seat pays once: for its two statements or for the bad seal, whichever came first.
        assert "BAD_SEAL" in watcher.proven()
    assert [network.StakeManager.account(account).active > 0 for account, _ in network.seats] == [
        False, False, True, False,
    ]  # fmt: skip


async def test_watcher__two_results_after_the_device_was_retired__are_not_brought(network, published, tmp_path):
    """The key of a retired device costs its provider nothing of what backs the others."""
    device = network.devices[2]
    network.DeviceRegistry.retire(device.id, sender=device.provider)
    network.go_to(network.start_of(1))
    epoch = Epoch(network, 1).open()
    sealed = epoch.commit(device)
    epoch.seal([sealed])
    published.seal(epoch)
    published.other_commitment(epoch, epoch.commit(device, result_root=keccak(b"another")))
    before = network.StakeManager.account(device.provider).active
    async with watching(network, published, tmp_path) as watcher:
        await watcher.look()
        assert watcher.notebook.unfinished() == []
        assert watcher.proven() == []
    assert network.StakeManager.account(device.provider).active == before


@pytest.fixture
def withheld(network, published):
    """A sealed and reported epoch of one device whose opening nobody serves; and tokens for the watcher."""
    device = network.devices[2]
    epoch = run_epoch(network, 0, [device], rewards=[(network.seats[0][0].address, 0)])
    published.seal(epoch)
    published.report(epoch, [(network.seats[0][0].address, 0)])
    network.NetworkToken.transfer(KEY.address, 1_000 * TOKEN, sender=network.accounts[40])
    return device, epoch


def sealed_leaf(network, epoch: Epoch, device) -> tuple:
    return sealed(epoch, epoch.commit(device))


def after_deadline(network) -> None:
    network.pass_time(network.OpeningDemands.terms().answerWindow + 3_600)


async def test_watcher__opening_served_nowhere__demanded_and_the_silent_device_slashed(
    network, published, withheld, tmp_path
):
    device, _ = withheld
    stake = network.StakeManager.account(device.provider).active
    async with watching(network, published, tmp_path, DemandLimits(2, 2, 1_000 * TOKEN)) as watcher:
        await watcher.look()
        assert network.OpeningDemands.openDemandsOf(device.id) == 2
        assert network.NetworkToken.allowance(KEY.address, network.OpeningDemands) < 1_000 * TOKEN  # what a bond takes
        after_deadline(network)
        await watcher.look(2)
        assert network.OpeningDemands.openDemandsOf(device.id) == 0
        assert network.NetworkToken.balanceOf(KEY.address) == 1_000 * TOKEN
        assert await watcher.collect() == 1_000 * TOKEN + device.profile.stake // 10
    assert network.StakeManager.account(device.provider).active == stake - device.profile.stake


async def test_watcher__culprit_has_demanded_of_itself__is_asked_all_the_same(network, published, withheld, tmp_path):
    device, epoch = withheld
    culprit, leaf = network.accounts[43], sealed_leaf(network, epoch, device)
    network.NetworkToken.approve(network.OpeningDemands, 10**24, sender=culprit)
    for index in range(3):
        network.OpeningDemands.demand(0, leaf, True, index, 10**24, sender=culprit)
    async with watching(network, published, tmp_path, DemandLimits(2, 1, 1_000 * TOKEN)) as watcher:
        await watcher.look()
        assert network.OpeningDemands.openDemandsOf(device.id) == 4
        (planned,) = watcher.notebook.demands()
        assert planned.sample == 3


async def test_watcher__answers_would_cost_more_than_it_may_lose__asks_nothing(network, published, withheld, tmp_path):
    device, _ = withheld
    _, reward, burned = network.OpeningDemands.bondFor(device.id, True)
    async with watching(network, published, tmp_path, DemandLimits(2, 2, reward + burned)) as watcher:
        await watcher.look()
        assert watcher.notebook.demands() == []
    assert network.OpeningDemands.demandCount() == 0


async def test_watcher__device_slashed_while_it_is_asked__takes_its_bond_back_and_asks_no_more(
    network, published, withheld, tmp_path
):
    device, epoch = withheld
    async with watching(network, published, tmp_path, DemandLimits(9, 1, 1_000 * TOKEN)) as watcher:
        await watcher.look()
        assert network.OpeningDemands.openDemandsOf(device.id) == 1
        published.other_commitment(epoch, epoch.commit(device, result_root=keccak(b"another")))
        await watcher.look()
        assert watcher.proven() == ["TWO_COMMITMENTS"]
        assert network.OpeningDemands.demandCount() == 1
        assert network.NetworkToken.balanceOf(KEY.address) == 1_000 * TOKEN


async def test_watcher__stopped_between_plan_and_transaction__asks_for_the_same_row_after_it(
    network, published, withheld, tmp_path
):
    device, _ = withheld
    notebook = Notebook(tmp_path / "watcher.sqlite")
    notebook.plan_demand(demand_id(device.id, 0, True, 5), 0, device.id, 5, TOKEN)
    notebook.close()
    async with watching(network, published, tmp_path, DemandLimits(2, 1, 1_000 * TOKEN)) as watcher:
        await watcher.look()
        assert network.OpeningDemands.demandOf(demand_id(device.id, 0, True, 5)).demander == KEY.address
        assert network.OpeningDemands.demandCount() == 1


@pytest.fixture
def base_fee(network):
    """Sets that of the next block; afterwards it is what it was before."""
    before = network.chain.provider.get_block("latest").base_fee

    def set_next(fee: int) -> None:
        network.chain.provider.make_request("anvil_setNextBlockBaseFeePerGas", [hex(fee)])

    yield set_next
    set_next(before)
    network.chain.mine(1)


async def test_watcher__fees_far_above_those_of_the_asking__waits_with_the_expiry(
    network, published, withheld, tmp_path, base_fee
):
    device, _ = withheld
    async with watching(network, published, tmp_path, DemandLimits(2, 1, 1_000 * TOKEN)) as watcher:
        await watcher.look()
        after_deadline(network)
        fee = network.OpeningDemands.FEE_MULTIPLE() * network.OpeningDemands.terms().referenceBaseFee
        for _ in range(2):
            base_fee(2 * fee)
            await watcher.look(1)
        assert network.OpeningDemands.openDemandsOf(device.id) == 1
        network.pass_time(network.OpeningDemands.FEE_GRACE())
        base_fee(2 * fee)
        await watcher.look(1)
        assert network.OpeningDemands.openDemandsOf(device.id) == 0


async def test_watcher__row_that_was_asked_for_is_shown_and_wrong__is_proven(network, published, tmp_path):
    epoch = Epoch(network, 0).open()
    committed = wrong(network, epoch)
    epoch.seal([committed]).draw()
    rewards = [(network.seats[0][0].address, 0)]
    epoch.report([epoch.leaf(committed.device, flags=32)], rewards)
    published.seal(epoch, openings=False)
    published.report(epoch, rewards)
    network.NetworkToken.transfer(KEY.address, 1_000 * TOKEN, sender=network.accounts[40])
    device = committed.device
    places = samples(epoch.rho, device.id, device.profile)
    q = next(n for n, (t, i) in enumerate(places) if is_wrong(committed, epoch, t, i))
    async with watching(network, published, tmp_path, DemandLimits(q + 1, q + 1, 1_000 * TOKEN)) as watcher:
        await watcher.look()
        t, i = places[q]
        row, path = row_of(committed.proof, t, i)
        asked = demand_id(device.id, 0, True, q)
        network.OpeningDemands.answerRow(asked, round_of(committed.proof, t), row, path, sender=device.provider)
        await watcher.look()
        assert watcher.proven() == ["WRONG_ELEMENT"]


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

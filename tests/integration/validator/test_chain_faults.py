"""Daemons against what a chain can do to them, on a real anvil: endpoints that misbehave, blocks undone, transactions
dropped, mining stopped, fees that jump. Whole epochs, in virtual time."""

from __future__ import annotations

import asyncio
import sqlite3
from functools import lru_cache

import pytest

from assay.chain.transactions.intents import GWEI, FeePolicy
from assay.chain.transactions.sender import SendStep
from assay.protocol import signing
from assay.protocol.epochs import Phase
from tests.integration.validator.anvil_network import AnvilNetwork, play, prepared
from tests.unit.validator.simulation.devices import SimDevice

LABELS = ("openEpoch", "seal", "draw", "report")
FAULTS = ("latency", "cut-before", "cut-after", "garbage", "stale", "behind", "wrong-chain", "gone")


def devices() -> list[SimDevice]:
    return [SimDevice(1), SimDevice(2, "wrong")]


@pytest.fixture(scope="module")
def prepared_chain(tmp_path_factory):
    chain = asyncio.run(prepared(tmp_path_factory.mktemp("chain"), 4, devices()))
    yield chain
    asyncio.run(chain.stop())


@pytest.fixture
def local(prepared_chain, monkeypatch):
    """The chain as it was before its first epoch."""
    monkeypatch.setattr(signing, "recover", lru_cache(maxsize=100_000)(signing.recover))
    snapshot = asyncio.run(prepared_chain.call("evm_snapshot"))
    yield prepared_chain
    asyncio.run(prepared_chain.call("anvil_dropAllTransactions"))
    asyncio.run(prepared_chain.call("evm_revert", snapshot))


def assert_sound(network: AnvilNetwork) -> None:
    """Nonces without a gap, nothing left waiting, and nothing signed that is not on record."""
    asyncio.run(network.local.call("evm_mine"))  # the daemons may have been stopped just after they sent something
    for i, (mined, waiting) in asyncio.run(network.counts()).items():
        assert mined == waiting, f"seat {i}"
        db = sqlite3.connect(network.folder / f"node-{i}" / "journal.sqlite")
        used = (
            "SELECT DISTINCT nonce FROM intents WHERE state <> 'failed' OR transaction_hash IS NOT NULL ORDER BY nonce"
        )
        nonces = [nonce for (nonce,) in db.execute(used)]
        assert nonces == list(range(mined - len(nonces), mined)), f"seat {i}: {nonces} of {mined}"
        db.close()
        db = sqlite3.connect(network.folder / f"node-{i}" / "signing.sqlite")
        recorded = {digest for (digest,) in db.execute("SELECT digest FROM statements")}
        db.close()
        # That no two of them are for one place, `run` has seen already.
        assert {message.digest(network.sim_devices.domain) for message in network.said[i]} <= recorded


def assert_reported(network: AnvilNetwork, epoch: int) -> None:
    assert network.phase(epoch) == Phase.REPORTED, network.states[epoch].phase.name
    assert {n: line["flags"] for n, line in network.lines(epoch).items()} == {1: 1, 2: 8}


class OnEach:
    """Does something once for each kind of transaction that reaches a step."""

    def __init__(self, step: SendStep, do) -> None:
        self.step, self.do = step, do
        self.done: list[str] = []
        self._tasks: list[asyncio.Task] = []

    def __call__(self, i, step, intent) -> None:
        if step is self.step and intent.label in LABELS and intent.label not in self.done:
            self.done.append(intent.label)
            self._tasks.append(asyncio.get_running_loop().create_task(self.do()))


def test_reorg__of_each_transaction_of_an_epoch__sent_again_and_the_epoch_closes(local, tmp_path):
    undone = OnEach(SendStep.MINED, lambda: network.rpc("anvil_reorg", 1, []))
    network = AnvilNetwork(tmp_path, devices=devices(), local=local, on_step=undone)
    play(network, 1)
    assert undone.done == list(LABELS)
    assert_reported(network, 0)
    assert_sound(network)


@pytest.mark.deep
def test_pool__emptied_after_each_transaction_of_an_epoch__offered_again_and_the_epoch_closes(local, tmp_path):
    lost = OnEach(SendStep.BROADCAST, lambda: network.rpc("anvil_dropAllTransactions"))
    network = AnvilNetwork(tmp_path, devices=devices(), local=local, on_step=lost)
    play(network, 1)
    assert lost.done == list(LABELS)
    assert_reported(network, 0)
    assert_sound(network)


def test_fees__rise_tenfold_and_mining_stops_for_four_seconds__outbid_and_the_epoch_closes(local, tmp_path):
    outbid = []

    async def trouble(net: AnvilNetwork) -> None:
        await asyncio.sleep(5.5)
        for price in (10, 100):
            await net.rpc("anvil_setNextBlockBaseFeePerGas", hex(price * GWEI))
            await asyncio.sleep(5)
        net.mining = False
        await asyncio.sleep(4)
        net.mining = True

    network = AnvilNetwork(
        tmp_path,
        devices=devices(),
        local=local,
        policy=FeePolicy(stuck_after_s=1.5),
        on_step=lambda i, step, intent: outbid.append(intent.label) if step is SendStep.OUTBID_BROADCAST else None,
    )
    play(network, 2, trouble)
    assert_reported(network, 1)
    assert network.phase(0) in (Phase.REPORTED, Phase.VOID)
    assert outbid
    assert_sound(network)


@pytest.mark.deep
def test_fees__above_the_ceiling_for_an_epoch__nothing_is_paid_and_the_next_one_works(local, tmp_path):
    ceiling = 5 * GWEI

    async def dear(net: AnvilNetwork) -> None:
        await asyncio.sleep(9)
        until = asyncio.get_running_loop().time() + 12
        while asyncio.get_running_loop().time() < until:
            await net.rpc("anvil_setNextBlockBaseFeePerGas", hex(50 * GWEI))
            await asyncio.sleep(0.5)
        await net.rpc("anvil_setNextBlockBaseFeePerGas", hex(GWEI))

    policy = FeePolicy(ceiling=ceiling, stuck_after_s=2)
    network = AnvilNetwork(tmp_path, devices=devices(), local=local, policy=policy)
    play(network, 3, dear)
    assert network.phase(0) == Phase.VOID
    assert_reported(network, 2)
    assert_sound(network)
    for i in range(4):
        db = sqlite3.connect(tmp_path / f"node-{i}" / "journal.sqlite")
        assert all(int(cap) <= ceiling for (cap,) in db.execute("SELECT cap FROM attempts"))
        db.close()


def test_endpoint__goes_through_every_fault_beside_a_good_one__the_seat_takes_part_in_all(local, tmp_path):
    async def script(net: AnvilNetwork) -> None:
        await asyncio.sleep(2)
        for fault in FAULTS:
            net.proxies[0].mode = {fault}
            await asyncio.sleep(4)
        net.proxies[0].mode = set()

    network = AnvilNetwork(tmp_path, devices=devices(), local=local, proxied=frozenset({0}))
    play(network, 2, script)
    assert network.proxies[0].hits > 10
    for epoch in (0, 1):
        assert_reported(network, epoch)
        assert signed_both(network, 0, epoch)
    assert_sound(network)


def signed_both(network: AnvilNetwork, seat: int, epoch: int) -> bool:
    """Whether the seat has signed a seal and a report of the epoch."""
    db = sqlite3.connect(network.folder / f"node-{seat}" / "signing.sqlite")
    kinds = {kind for (kind,) in db.execute("SELECT kind FROM statements WHERE epoch = ?", (epoch,))}
    db.close()
    return {"seal", "report"} <= kinds


@pytest.mark.deep
@pytest.mark.parametrize("fault", FAULTS)
def test_only_endpoint__faulty_for_an_epoch__others_close_it_and_the_seat_comes_back(local, tmp_path, fault):
    async def script(net: AnvilNetwork) -> None:
        await asyncio.sleep(6)
        net.proxies[0].mode = {fault}
        await asyncio.sleep(20)
        net.proxies[0].mode = set()

    network = AnvilNetwork(
        tmp_path, devices=devices(), local=local, proxied=frozenset({0}), two_endpoints=False, seed=7
    )
    play(network, 4, script)
    assert network.proxies[0].hits or fault == "gone"
    for epoch in range(4):
        assert_reported(network, epoch)
    assert signed_both(network, 0, 3)
    assert_sound(network)


@pytest.mark.deep
@pytest.mark.parametrize("offset", [-3.0, -1.0, 1.0, 3.0])
def test_clock__of_one_seat_off__epoch_closes_with_the_right_result(local, tmp_path, offset):
    network = AnvilNetwork(tmp_path, devices=devices(), local=local, offsets={1: offset})
    play(network, 2)
    for epoch in (0, 1):
        assert_reported(network, epoch)
    assert_sound(network)


@pytest.mark.deep
@pytest.mark.parametrize("label", LABELS)
@pytest.mark.parametrize("depth", [1, 2])
def test_reorg__with_all_seats_restarted_in_it__epoch_ends_by_the_rules(local, tmp_path, label, depth):
    async def undo_and_restart() -> None:
        await network.rpc("anvil_reorg", depth, [])
        for i in range(4):
            await network.kill(i)
            await asyncio.sleep(0.2)
            network.start(i)

    once = OnEach(SendStep.MINED, undo_and_restart)
    network = AnvilNetwork(
        tmp_path,
        devices=devices(),
        local=local,
        on_step=lambda i, step, intent: once(i, step, intent) if intent and intent.label == label else None,
    )
    play(network, 2)
    assert once.done == [label]
    assert network.phase(0) in (Phase.REPORTED, Phase.VOID)
    assert_reported(network, 1)
    assert_sound(network)

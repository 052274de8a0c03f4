"""The client and the sender behind a node that misbehaves."""

import asyncio

import pytest

from assay.chain.errors import ChainError, UnreachableChain, WrongChainId
from assay.chain.rpc.client import Chain, ContractCall
from assay.chain.transactions.intents import FeePolicy
from assay.chain.transactions.journal import Journal
from assay.chain.transactions.sender import Sender
from tests.integration.chain.fault_proxy import FaultProxy

COUNT = ContractCall("Probe", "count", (1,))


async def persistently(work, seconds=60):
    """As a daemon does: a failure of the chain is waited out."""
    async with asyncio.timeout(seconds):
        while True:
            try:
                return await work()
            except ChainError:
                await asyncio.sleep(0.05)


def sender_of(chain, key, path):
    journal = Journal(path, key.address, chain.chain_id)
    return Sender(chain, key, journal, policy=FeePolicy(stuck_after_s=2), poll_s=0.05)


@pytest.fixture
def no_rest(monkeypatch):
    """Endpoints come back at once, so that a test sees many faults in little time."""
    monkeypatch.setattr("assay.chain.rpc.pool._FIRST_PENALTY_S", 0.01)
    monkeypatch.setattr("assay.chain.rpc.pool._LONGEST_PENALTY_S", 0.02)


@pytest.mark.parametrize(
    "faults",
    [{"latency"}, {"cut-before"}, {"cut-after"}, {"garbage"}, {"cut-after", "garbage", "cut-before"}],
    ids=lambda faults: "+".join(sorted(faults)),
)
async def test_send__through_faults__each_call_mined_exactly_once(
    anvil, chain, deployment, key, tmp_path, no_rest, faults
):
    async with FaultProxy(anvil.url, rate=0.4 / len(faults)) as proxy:
        behind = await Chain.connect(proxy.url, deployment)
        sender = sender_of(behind, key, tmp_path / "j")
        proxy.mode = faults
        for n in range(3):
            receipt = await persistently(lambda n=n: sender.send(COUNT, purpose=f"call {n}", timeout_s=20))
            assert receipt.succeeded
        assert proxy.hits > 5
        assert await chain.call("Probe", "counter", at="latest") == 3
        assert await anvil.rpc("eth_getTransactionCount", key.address, "latest") == "0x3"
        await behind.close()


async def test_send__one_of_two_endpoints_dies__goes_on(anvil, chain, deployment, key, tmp_path):
    async with FaultProxy(anvil.url, rate=1) as proxy:
        two = await Chain.connect([proxy.url, anvil.url], deployment)
        sender = sender_of(two, key, tmp_path / "j")
        await sender.send(COUNT)
        proxy.mode = {"cut-before"}
        await sender.send(COUNT)
        assert list(two.pool.faults) == [proxy.url]
        assert await chain.call("Probe", "counter", at="latest") == 2
        await two.close()


async def test_head__one_of_three_stale__the_others_decide(anvil, deployment):
    async with FaultProxy(anvil.url) as stale:
        three = await Chain.connect([stale.url, anvil.url, anvil.url], deployment)
        old = await three.finalised()
        stale.mode = {"stale"}
        await anvil.mine(20)
        assert (await three.finalised()).number >= old.number + 18
        assert stale.hits
        await three.close()


async def test_head__only_endpoint_stale__time_stands_still_and_shows(anvil, deployment):
    async with FaultProxy(anvil.url) as stale:
        one = await Chain.connect(stale.url, deployment)
        old = await one.head()
        stale.mode = {"stale"}
        await anvil.mine(20)
        assert await one.head() == old
        await one.close()


async def test_request__endpoint_turns_into_another_chain__refused(anvil, deployment, no_rest):
    async with FaultProxy(anvil.url, rate=1) as proxy:
        one = await Chain.connect(proxy.url, deployment)
        proxy.mode = {"cut-before"}
        with pytest.raises(UnreachableChain):
            await one.head()
        proxy.mode = {"wrong-chain"}
        with pytest.raises(WrongChainId, match="serves chain id 5"):
            await one.head()
        proxy.mode = set()
        assert (await one.head()).number > 0
        await one.close()


async def test_send__mining_stopped_then_resumed__mined_once(anvil, chain, key, tmp_path):
    await anvil.rpc("evm_setAutomine", False)
    sender = sender_of(chain, key, tmp_path / "j")
    waiting = asyncio.create_task(sender.send(COUNT, timeout_s=30))
    await asyncio.sleep(1)
    await anvil.rpc("evm_setAutomine", True)
    await anvil.mine()
    assert (await waiting).succeeded
    assert await chain.call("Probe", "counter", at="latest") == 1

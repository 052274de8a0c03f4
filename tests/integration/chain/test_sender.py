"""One sender against a real node: dropped, stuck, replaced, restarted, reorganised."""

import asyncio
from itertools import pairwise

import pytest

from assay.chain.errors import (
    ChainError,
    FeeAboveCeiling,
    JournalInUse,
    NonceTaken,
    NotConfirmed,
    Reverted,
    TransactionFailed,
)
from assay.chain.key_files import Key
from assay.chain.rpc.client import ContractCall
from assay.chain.transactions.intents import GWEI, FeePolicy, State
from assay.chain.transactions.journal import Journal
from assay.chain.transactions.sender import Sender, SendStep

COUNT = ContractCall("Probe", "count", (1,))
FAST = FeePolicy(stuck_after_s=0.3)


@pytest.fixture
def journal_path(tmp_path):
    return tmp_path / "journal.sqlite"


@pytest.fixture
def make_sender(chain, key, journal_path):
    opened = []

    def make(policy=FAST, on_step=lambda step, intent: None, with_key=None):
        while opened:
            opened.pop().close()
        used = with_key or key
        opened.append(Journal(journal_path, used.address, chain.chain_id))
        return Sender(chain, used, opened[-1], policy=policy, poll_s=0.05, on_step=on_step)

    yield make
    for journal in opened:
        journal.close()


async def counter(chain):
    return await chain.call("Probe", "counter", at="latest")


async def test_send__plain__mined_once_with_gas(make_sender, chain):
    receipt = await make_sender().send(COUNT)
    assert receipt.succeeded
    assert 21_000 < receipt.gas_used < 100_000
    assert await counter(chain) == 1


async def test_send__would_revert__nothing_sent_and_error_decoded(make_sender, anvil, key):
    with pytest.raises(Reverted, match=r"Probe.refuse reverts: Probe_Refused\(wanted=9, caller=0x"):
        await make_sender().send(ContractCall("Probe", "refuse", (9,)))
    assert await anvil.rpc("eth_getTransactionCount", key.address, "pending") == "0x0"


async def test_send__same_purpose_twice__sent_once(make_sender, chain):
    sender = make_sender()
    first, second = await asyncio.gather(sender.send(COUNT, purpose="seal 7"), sender.send(COUNT, purpose="seal 7"))
    assert first == second == await make_sender().send(COUNT, purpose="seal 7")
    assert await counter(chain) == 1


async def test_send__twenty_at_once__nonces_without_gap(make_sender, chain, anvil, key):
    await anvil.rpc("evm_setIntervalMining", 1)
    sender = make_sender(FeePolicy())
    receipts = await asyncio.gather(*(sender.send(COUNT) for _ in range(20)))
    assert len({r.transaction for r in receipts}) == 20
    assert await counter(chain) == 20
    assert await anvil.rpc("eth_getTransactionCount", key.address, "latest") == hex(20)


async def test_send__dropped_by_the_node__offered_again(make_sender, chain, anvil):
    await anvil.rpc("evm_setAutomine", False)
    steps = []
    sender = make_sender(FeePolicy(stuck_after_s=60), on_step=lambda step, intent: steps.append(step))
    waiting = asyncio.create_task(sender.send(COUNT))
    await until(lambda: SendStep.BROADCAST in steps)
    await anvil.rpc("anvil_dropAllTransactions")
    await until(lambda: SendStep.REOFFERED in steps)
    await anvil.rpc("evm_setAutomine", True)
    await anvil.mine()
    assert (await waiting).succeeded
    assert await counter(chain) == 1


async def test_send__stuck__outbid_by_an_eighth_and_mined_once(make_sender, chain, anvil, journal_path):
    await anvil.rpc("evm_setAutomine", False)
    steps = []
    sender = make_sender(on_step=lambda step, intent: steps.append(step))
    waiting = asyncio.create_task(sender.send(COUNT))
    await until(lambda: steps.count(SendStep.OUTBID_BROADCAST) >= 2)
    receipt = await mined(anvil, waiting)
    journal = sender._journal
    attempts = journal.attempts(journal.history()[0])
    for before, after in pairwise(attempts):
        assert after.fees.tip * 1000 >= before.fees.tip * 1125
        assert after.fees.cap * 1000 >= before.fees.cap * 1125
    assert receipt.transaction in {a.hash for a in attempts}
    assert await counter(chain) == 1


async def test_send__stuck_at_the_ceiling__never_above(make_sender, anvil):
    await anvil.rpc("evm_setAutomine", False)
    sender = make_sender(FeePolicy(ceiling=4 * GWEI, stuck_after_s=0.1))
    with pytest.raises(NotConfirmed, match="nonce 0"):
        await sender.send(COUNT, timeout_s=2)
    attempts = sender._journal.attempts(sender._journal.unsettled()[0])
    assert max(a.fees.cap for a in attempts) <= 4 * GWEI


async def test_send__fee_spike__waits_then_gives_up_unsent(make_sender, anvil, key):
    await anvil.rpc("anvil_setNextBlockBaseFeePerGas", hex(900 * GWEI))
    await anvil.mine()
    with pytest.raises(FeeAboveCeiling, match="above the ceiling"):
        await make_sender().send(COUNT, timeout_s=0.3)
    assert await anvil.rpc("eth_getTransactionCount", key.address, "pending") == "0x0"


async def test_send__base_fee_rises_above_the_offer__outbid_and_mined(make_sender, chain, anvil):
    await anvil.rpc("evm_setAutomine", False)
    steps = []
    sender = make_sender(on_step=lambda step, intent: steps.append(step))
    waiting = asyncio.create_task(sender.send(COUNT))
    await until(lambda: SendStep.BROADCAST in steps)
    await anvil.rpc("anvil_setNextBlockBaseFeePerGas", hex(100 * GWEI))
    await anvil.mine()
    await until(lambda: SendStep.OUTBID_BROADCAST in steps)
    assert (await mined(anvil, waiting)).succeeded
    assert await counter(chain) == 1


async def test_send__stuck_and_no_longer_possible__cancelled(make_sender, chain, anvil, key):
    await anvil.rpc("evm_setAutomine", False)
    steps = []
    sender = make_sender(FeePolicy(stuck_after_s=2), on_step=lambda step, intent: steps.append(step))
    waiting = asyncio.create_task(sender.send(COUNT, timeout_s=20))
    await until(lambda: SendStep.BROADCAST in steps)
    # The probe closes, and a block too dear for our offer passes it by.
    probe_address = chain.deployment.address("Probe")
    await anvil.rpc("anvil_setStorageAt", probe_address, hex(1), "0x" + "00" * 31 + "01")
    await anvil.rpc("anvil_setNextBlockBaseFeePerGas", hex(50 * GWEI))
    await anvil.mine()
    await until(lambda: SendStep.OUTBID_BROADCAST in steps)
    with pytest.raises(ChainError, match="cancelled"):
        await mined(anvil, waiting)
    assert await counter(chain) == 0
    assert await anvil.rpc("eth_getTransactionCount", key.address, "latest") == "0x1"


async def test_send__poor_account__says_so_and_frees_the_nonce(make_sender, anvil, chain):
    poor = Key.generate()
    sender = make_sender(with_key=poor)
    with pytest.raises(ChainError):
        await sender.send(COUNT)
    await anvil.rpc("anvil_setBalance", poor.address, hex(10**18))
    assert (await sender.send(COUNT)).succeeded
    assert await anvil.rpc("eth_getTransactionCount", poor.address, "latest") == "0x1"


async def test_send__mined_and_reverted__reason_told(make_sender, chain):
    sender = make_sender()
    with pytest.raises(TransactionFailed, match="mined and reverted"):
        await sender.send(COUNT, gas=22_000)
    assert await counter(chain) == 0
    assert (await sender.send(COUNT)).succeeded


async def test_send__nonce_used_by_a_stranger__told_apart(make_sender, chain, anvil, key):
    await anvil.rpc("evm_setAutomine", False)
    steps = []
    sender = make_sender(FeePolicy(stuck_after_s=60), on_step=lambda step, intent: steps.append(step))
    waiting = asyncio.create_task(sender.send(COUNT))
    await until(lambda: SendStep.BROADCAST in steps)
    await anvil.rpc("anvil_dropAllTransactions")
    raw, _ = key.sign_transaction(
        {"type": 2, "chainId": 31337, "nonce": 0, "to": key.address, "value": 0, "gas": 21_000,
         "maxFeePerGas": 100 * GWEI, "maxPriorityFeePerGas": 50 * GWEI}
    )  # fmt: skip
    await anvil.rpc("eth_sendRawTransaction", "0x" + raw.hex())
    await anvil.mine(8)
    with pytest.raises(NonceTaken, match="another program sends with the same key"):
        await waiting


async def test_send__gap_before_ours__filled(make_sender, chain, anvil, key):
    """A journal that remembers a higher nonce than the chain has reached."""
    await anvil.rpc("evm_setAutomine", False)
    steps = []
    sender = make_sender(FeePolicy(stuck_after_s=60), on_step=lambda step, intent: steps.append(step))
    first = asyncio.create_task(sender.send(COUNT))
    await until(lambda: SendStep.BROADCAST in steps)
    second = asyncio.create_task(sender.send(COUNT))
    await until(lambda: steps.count(SendStep.BROADCAST) == 2)
    lost = sender._journal.unsettled()[0]
    first.cancel()
    # Between two looks: one under way would find it gone and offer it again.
    async with sender._lock:
        sender._journal.mark(lost, State.FAILED, "given back")
        await anvil.rpc("anvil_dropTransaction", "0x" + sender._journal.attempts(lost)[0].hash.hex())
    await until(lambda: any(i.label == "gap" for i in sender._journal.history()))
    await anvil.rpc("evm_setAutomine", True)
    await anvil.mine()
    assert (await second).succeeded
    assert await counter(chain) == 1


async def test_reorg__mined_transaction_undone__sent_again(make_sender, chain, anvil):
    await anvil.mine(5)
    steps = []
    sender = make_sender(FeePolicy(stuck_after_s=60), on_step=lambda step, intent: steps.append(step))
    await sender.send(COUNT)
    await anvil.rpc("evm_setAutomine", False)
    await anvil.rpc("anvil_reorg", 1, [])
    assert await counter(chain) == 0
    await sender.tend()
    assert SendStep.UNMINED in steps
    await sender.tend()
    await anvil.mine(4)
    await sender.tend()
    await sender.tend()
    assert await counter(chain) == 1
    assert sender._journal.history()[0].state is State.FINAL


def test_journal__second_process__refused(journal_path, tmp_path):
    first = Journal(journal_path, "0x" + "aa" * 20, 1)
    with pytest.raises(JournalInUse, match="another process sends"):
        Journal(journal_path, "0x" + "aa" * 20, 1)
    first.close()
    with pytest.raises(JournalInUse, match="is the journal of"):
        Journal(journal_path, "0x" + "bb" * 20, 1)
    Journal(journal_path, "0x" + "aa" * 20, 1).close()


async def mined(anvil, task):
    """The task's outcome, with a block every now and then until it has one."""
    async with asyncio.timeout(30):
        while not task.done():
            await anvil.mine()
            await asyncio.wait([task], timeout=0.2)
    return await task


async def until(condition):
    async with asyncio.timeout(15):
        while not condition():  # noqa: ASYNC110 - what is waited for happens in a node
            await asyncio.sleep(0.02)

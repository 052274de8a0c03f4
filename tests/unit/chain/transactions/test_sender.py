"""The sender against a node that drops, reorganises, cuts connections and raises fees, and a process that
dies at random: each call is mined exactly once, and no nonce is left out."""

from contextlib import suppress

import pytest
from eth_account.typed_transactions import TypedTransaction
from hexbytes import HexBytes
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from assay.chain.deployment import Deployment
from assay.chain.errors import (
    ChainError,
    EndpointFault,
    InsufficientFunds,
    JournalFailed,
    NonceTaken,
    NotConfirmed,
    NotSent,
    RpcError,
    TransactionFailed,
)
from assay.chain.key_files import Key
from assay.chain.rpc.client import Chain
from assay.chain.rpc.pool import EndpointPool
from assay.chain.transactions.intents import GWEI, FeePolicy, State
from assay.chain.transactions.journal import Journal
from assay.chain.transactions.sender import Sender, SendStep
from tests.unit.chain.conftest import FakeClock
from tests.unit.chain.fake_node import FakeNode

KEY = Key(b"\x07" * 32)
SOMEWHERE = "0x" + "11" * 20
DEPLOYMENT = Deployment(network="fake", chain_id=1, block=0, contracts={})
CALLS = 3


class Died(BaseException):
    """The process ends here."""


class World:
    """A node, a clock, a journal on disk, and a sender that can die and be started again."""

    def __init__(self, path, seed, trouble):
        self.node = FakeNode(seed, trouble)
        self.clock = FakeClock()
        self.path = path
        self.deaths = 0
        self.journal = None

    def start(self):
        if self.journal is not None:
            self.journal.close()
        self.journal = Journal(self.path, KEY.address, 1)
        chain = Chain(EndpointPool([self.node], 1, monotonic=self.clock), DEPLOYMENT)
        policy = FeePolicy(ceiling=200 * GWEI, stuck_after_s=20)
        return Sender(
            chain,
            KEY,
            self.journal,
            policy=policy,
            poll_s=1,
            clock=self.clock,
            sleep=self.clock.sleep,
            on_step=self.step,
        )

    def step(self, step, intent):
        if self.node.trouble and self.node.random.random() < 0.15:
            self.deaths += 1
            raise Died

    async def send_all(self, sender):
        for n in range(CALLS):
            await sender.send_raw(
                SOMEWHERE, bytes([n]), label=f"call {n}", purpose=f"call {n}", final=True, timeout_s=60
            )

    async def run(self):
        for _ in range(12):
            try:
                with suppress(ChainError):
                    await self.send_all(self.start())
            except Died:
                continue
        self.node.trouble = 0.0
        self.clock.now += 1_000
        await self.send_all(self.start())


async def mined_under_trouble(path, seed):
    """The calls that were mined for good; nonces have no gap, and the journal says the same."""
    world = World(path, seed, trouble=0.15)
    await world.run()
    mined = world.node.mined(world.node.final)
    calls = [bytes(t["data"]) for t in mined if t["data"]]
    assert [t["nonce"] for t in mined] == list(range(len(mined)))
    states = {i.purpose: i.state for i in world.journal.history() if i.state is not State.FAILED}
    assert all(states[f"call {n}"] is State.FINAL for n in range(CALLS))
    world.journal.close()
    return sorted(calls)


EACH_ONCE = [bytes([n]) for n in range(CALLS)]


@pytest.mark.slow
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(seed=st.integers(0, 2**32))
async def test_send__any_trouble__each_call_mined_exactly_once(tmp_path_factory, seed):
    assert await mined_under_trouble(tmp_path_factory.mktemp("j") / "journal", seed) == EACH_ONCE


@pytest.mark.deep
async def test_send__a_thousand_runs_of_trouble__each_call_mined_exactly_once(tmp_path_factory):
    for seed in range(1_000):
        assert await mined_under_trouble(tmp_path_factory.mktemp("j") / "journal", seed) == EACH_ONCE


async def test_send__no_trouble__one_transaction_a_call(tmp_path):
    world = World(tmp_path / "j", 1, trouble=0.0)
    await world.run()
    assert [bytes(t["data"]) for t in world.node.mined()] == [b"\0", b"\1", b"\2"]
    assert [len(world.journal.attempts(i)) for i in world.journal.history()] == [1, 1, 1]


async def test_send__block_counted_before_its_receipt_is_shown__sent_once_and_not_given_up(tmp_path):
    """A node in the middle of a block, or one endpoint behind another."""
    world, hidden = World(tmp_path / "j", 1, trouble=0.0), set()
    show = world.node.eth_getTransactionReceipt

    def late(wanted):
        receipt = show(wanted)
        if receipt is None or int(receipt["blockNumber"], 16) > world.node.final:
            return None
        if wanted not in hidden:
            hidden.add(wanted)
            return None
        return receipt

    world.node.eth_getTransactionReceipt = late
    await world.send_all(world.start())
    assert [bytes(t["data"]) for t in world.node.mined()] == [b"\0", b"\1", b"\2"]
    assert len(hidden) == CALLS


async def test_send__nonce_used_by_another_program__given_up_by_name(tmp_path):
    world = World(tmp_path / "j", 1, trouble=0.0)
    other = Journal(tmp_path / "other", KEY.address, 1)
    chain = Chain(EndpointPool([world.node], 1, monotonic=world.clock), DEPLOYMENT)
    sender, raw = world.start(), world.node.eth_sendRawTransaction
    world.node.eth_sendRawTransaction = lambda _: "0x" + "00" * 32  # ours reaches nobody
    with pytest.raises(NotConfirmed):
        await sender.send_raw(SOMEWHERE, b"\0", label="ours", purpose="ours", timeout_s=3)
    world.node.eth_sendRawTransaction = raw
    rival = Sender(chain, KEY, other, poll_s=1, clock=world.clock, sleep=world.clock.sleep)
    await rival.send_raw(SOMEWHERE, b"\1", label="theirs", purpose="theirs", final=True, timeout_s=60)
    with pytest.raises(NonceTaken, match="nonce 0 of"):
        await sender.send_raw(SOMEWHERE, b"\0", label="ours", purpose="ours", timeout_s=60)
    other.close()


@pytest.mark.parametrize("final", [False, True])
async def test_send__mined_and_reverted__says_so_once_with_the_reason(tmp_path, final):
    world = World(tmp_path / "j", 1, trouble=0.0)
    show = world.node.eth_getTransactionReceipt
    world.node.eth_getTransactionReceipt = lambda wanted: (found := show(wanted)) and {**found, "status": "0x0"}
    with pytest.raises(TransactionFailed) as failed:
        await world.start().send_raw(SOMEWHERE, b"\0", label="draw", purpose="draw", final=final, timeout_s=60)
    assert str(failed.value).count("was mined and reverted") == 1
    assert str(failed.value).startswith(f"draw: {failed.value.transaction} was mined and reverted: its replay succeeds")
    world.journal.close()


async def test_send__disk_full__nothing_leaves(tmp_path):
    world = World(tmp_path / "j", 1, trouble=0.0)
    sender = world.start()
    world.journal._db.execute("PRAGMA query_only = ON")
    with pytest.raises(JournalFailed, match="nothing was sent"):
        await world.send_all(sender)
    assert world.node.pool == {} and world.node.mined() == []


async def test_steps__in_random_runs__are_all_reached(tmp_path_factory):
    """The list that the random deaths draw from has no step that never happens."""
    seen = set()
    for seed in range(200):
        if seen == set(SendStep):
            break
        world = World(tmp_path_factory.mktemp("s") / "journal", seed, trouble=0.2)
        world.step = lambda reached, intent: seen.add(reached)
        await world.run()
        world.journal.close()
    assert seen == set(SendStep)


# What a node, or a proxy before it, answers although the transaction was taken.
TAKEN_ALL_THE_SAME = [
    "already known", "AlreadyKnown", "known transaction: 0x1", "internal error", "context deadline exceeded",
    "request timed out", "upstream request timeout", "nonce too low", "txpool is full", "rate limit exceeded", "",
    "replacement transaction underpriced", "failed to forward transaction to sequencer, please try again",
    "VM Exception while processing transaction: reverted with reason string 'no'", "transaction rejected",
]  # fmt: skip
# What is known to be final, said of a transaction that was taken: a balance that it uses up itself, an endpoint whose
# second node was asked.
FINAL_AND_FALSE = ["insufficient funds for gas * price + value", "intrinsic gas too low", "invalid sender"]


class ForkedTongue:
    """Takes a first transaction and answers with an error; `times` over."""

    def __init__(self, node, error, times=1):
        self.node, self.error, self.left = node, error, times
        self.take = node.eth_sendRawTransaction

    def __call__(self, raw):
        taken = self.take(raw)
        if self.left > 0:
            self.left -= 1
            raise self.error
        return taken


@pytest.mark.parametrize("purpose", ["pay", None])
@pytest.mark.parametrize("words", [*TAKEN_ALL_THE_SAME, *FINAL_AND_FALSE])
async def test_send__taken_with_an_error__mined_once_and_known_to_be(tmp_path, words, purpose):
    world = World(tmp_path / "j", 1, trouble=0.0)
    world.node.eth_sendRawTransaction = ForkedTongue(world.node, RpcError("eth_sendRawTransaction", -32_000, words))
    receipt = await world.start().send_raw(SOMEWHERE, b"\5", label="pay", purpose=purpose, final=True, timeout_s=90)
    assert receipt.succeeded
    assert [bytes(t["data"]) for t in world.node.mined()] == [b"\5"]


async def test_send__taken_and_the_connection_cut__mined_once(tmp_path):
    world = World(tmp_path / "j", 1, trouble=0.0)
    fault = EndpointFault("http://fake", "eth_sendRawTransaction: HTTP 502 with a body that is not JSON")
    world.node.eth_sendRawTransaction = ForkedTongue(world.node, fault)
    await world.start().send_raw(SOMEWHERE, b"\5", label="pay", purpose="pay", final=True, timeout_s=90)
    assert [bytes(t["data"]) for t in world.node.mined()] == [b"\5"]


@pytest.mark.parametrize(
    ("words", "error"),
    [("insufficient funds for gas * price + value", InsufficientFunds), ("intrinsic gas too low", NotSent)],
)
async def test_send__refused_for_good_and_held_by_nobody__failed_and_the_nonce_free(tmp_path, words, error):
    world = World(tmp_path / "j", 1, trouble=0.0)
    sender, take = world.start(), world.node.eth_sendRawTransaction

    def refuse(raw):
        raise RpcError("eth_sendRawTransaction", -32_000, words)

    world.node.eth_sendRawTransaction = refuse
    with pytest.raises(error, match=words.split(" for")[0]):
        await sender.send_raw(SOMEWHERE, b"\5", label="pay", purpose="pay")
    world.node.eth_sendRawTransaction = take
    await sender.send_raw(SOMEWHERE, b"\5", label="pay", purpose="pay", final=True, timeout_s=60)
    assert [t["nonce"] for t in world.node.mined()] == [0]


async def test_send__given_up_and_yet_taken__joined_the_next_time(tmp_path):
    """One node takes it, another refuses it for good and does not show the pool of the first."""
    world = World(tmp_path / "j", 1, trouble=0.0)
    sender, show = world.start(), world.node.eth_getTransactionByHash
    error = RpcError("eth_sendRawTransaction", -32_000, "insufficient funds")
    world.node.eth_sendRawTransaction = ForkedTongue(world.node, error)
    world.node.eth_getTransactionByHash = lambda _: None
    with pytest.raises(InsufficientFunds):
        await sender.send_raw(SOMEWHERE, b"\5", label="pay", purpose="pay")
    world.node.eth_getTransactionByHash = show
    await sender.send_raw(SOMEWHERE, b"\5", label="pay", purpose="pay", final=True, timeout_s=60)
    assert [bytes(t["data"]) for t in world.node.mined()] == [b"\5"]


async def test_send__chain_without_fees_and_an_account_without_coin__mined_for_nothing(tmp_path):
    world = World(tmp_path / "j", 1, trouble=0.0)
    world.node.base_fee = 0
    world.node.eth_maxPriorityFeePerGas = lambda: "0x0"
    take = world.node.eth_sendRawTransaction

    def only_for_nothing(raw):
        transaction = TypedTransaction.from_bytes(HexBytes(raw)).as_dict()
        if transaction["maxFeePerGas"]:
            raise RpcError("eth_sendRawTransaction", -32_000, "insufficient funds for gas * price + value")
        return take(raw)

    world.node.eth_sendRawTransaction = only_for_nothing
    await world.start().send_raw(SOMEWHERE, b"\5", label="pay", final=True, timeout_s=200)
    assert [t["maxFeePerGas"] for t in world.node.mined()] == [0]

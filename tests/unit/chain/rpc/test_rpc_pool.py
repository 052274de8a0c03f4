"""Fail-over and agreement on the head."""

import asyncio

import pytest

from assay.chain.errors import (
    BlockGone,
    EndpointsDisagree,
    NoFinality,
    RpcError,
    UnreachableChain,
    UnreadableAnswer,
    WrongChainId,
)
from assay.chain.rpc import pool as pool_module
from assay.chain.rpc.blocks import Block
from assay.chain.rpc.pool import EndpointPool, means_no_block
from tests.unit.chain.conftest import FakeEndpoint

CHAIN = 31_337


def endpoints(*changes):
    return [FakeEndpoint(f"http://e{i}", **change) for i, change in enumerate(changes)]


def pool_of(made, clock, **options):
    return EndpointPool(made, CHAIN, monotonic=clock, **options)


async def test_request__first_faulty__second_answers_and_first_rests(clock):
    made = endpoints({}, {})
    pool = pool_of(made, clock)
    made[0].fail()
    made[1].answers["eth_x"] = "0x1"
    assert await pool.request("eth_x", []) == "0x1"
    assert pool.faults == {"http://e0": "http://e0: connection refused"}
    made[0].fault, asked = None, len(made[0].asked)
    await pool.request("eth_x", [])
    assert len(made[0].asked) == asked, "it was asked while it rested"


async def test_request__fault_over__asked_again_after_its_rest(clock):
    made = endpoints({}, {})
    pool = pool_of(made, clock)
    made[0].fail()
    await pool.request("eth_chainId", [])
    made[0].fault = None
    clock.now += 1.1
    made[0].answers["eth_x"] = "first"
    assert await pool.request("eth_x", []) == "first"


async def test_request__faults_in_a_row__rest_doubles_up_to_a_minute(clock):
    made = endpoints({})
    pool = pool_of(made, clock)
    made[0].fail()
    rests = []
    for _ in range(9):
        with pytest.raises(UnreachableChain):
            await pool.request("eth_chainId", [])
        rests.append(pool._health[0].until - clock.now)
        clock.now = pool._health[0].until
    assert rests == [1, 2, 4, 8, 16, 32, 60, 60, 60]


async def test_request__all_faulty__unreachable_says_why(clock):
    made = endpoints({}, {})
    for endpoint in made:
        endpoint.fail()
    with pytest.raises(UnreachableChain, match="connection refused"):
        await pool_of(made, clock).request("eth_chainId", [])


async def test_request__other_chain__never_used(clock):
    made = endpoints({"chain_id": 1}, {})
    made[0].answers["eth_x"] = "wrong"
    made[1].answers["eth_x"] = "right"
    assert await pool_of(made, clock).request("eth_x", []) == "right"


async def test_request__came_back_as_another_chain__not_used(clock):
    made = endpoints({}, {})
    pool = pool_of(made, clock)
    for endpoint in made:
        endpoint.answers["eth_x"] = endpoint.url
    assert await pool.request("eth_x", []) == "http://e0"
    made[0].fail()
    assert await pool.request("eth_x", []) == "http://e1"
    made[0].fault, made[0].chain_id = None, 5
    clock.now += 100
    assert await pool.request("eth_x", []) == "http://e1"


async def test_request__turned_into_another_chain_without_a_fault__noticed_soon(clock):
    made = endpoints({}, {})
    pool = pool_of(made, clock)
    for endpoint in made:
        endpoint.answers["eth_x"] = endpoint.url
    assert await pool.request("eth_x", []) == "http://e0"
    made[0].chain_id = 5
    clock.now += 11
    assert await pool.request("eth_x", []) == "http://e1"
    assert "chain id 5" in pool.faults["http://e0"]


async def test_request__only_endpoint_of_other_chain__named(clock):
    with pytest.raises(WrongChainId, match="serves chain id 5"):
        await pool_of(endpoints({"chain_id": 5}), clock).request("eth_x", [])


async def test_request__node_refuses__raised_at_once(clock):
    made = endpoints({}, {})
    made[0].answers["eth_x"] = RpcError("eth_x", 3, "execution reverted", "0x")
    with pytest.raises(RpcError):
        await pool_of(made, clock).request("eth_x", [])
    assert made[1].asked == []


async def test_request__first_lacks_the_block__second_asked(clock):
    made = endpoints({}, {})
    made[0].answers["eth_call"] = RpcError("eth_call", -32_000, "header not found")
    made[1].answers["eth_call"] = "0x07"
    assert await pool_of(made, clock).request("eth_call", []) == "0x07"


async def test_request__nobody_has_the_block__gone(clock):
    made = endpoints({}, {})
    for endpoint in made:
        endpoint.answers["eth_call"] = RpcError("eth_call", -32_000, "missing trie node 12ab")
    with pytest.raises(BlockGone):
        await pool_of(made, clock).request("eth_call", [])


async def test_request__rate_limited__next_one_asked(clock):
    made = endpoints({}, {})
    made[0].answers["eth_x"] = RpcError("eth_x", -32_005, "daily request count exceeded")
    made[1].answers["eth_x"] = "0x1"
    assert await pool_of(made, clock).request("eth_x", []) == "0x1"


async def test_agreed_block__one_behind__the_height_all_needed_reached(clock):
    made = endpoints({"final": 98}, {"final": 90}, {"final": 97})
    block = await pool_of(made, clock).agreed_block("finalized")
    assert block.number == 97


async def test_agreed_block__stale_head_on_one_of_three__not_held_back(clock):
    made = endpoints({"head": 100}, {"head": 3, "final": 1}, {"head": 100})
    assert (await pool_of(made, clock).agreed_block("latest")).number == 100


async def test_agreed_block__one_of_three_lies__majority_wins_and_liar_rests(clock):
    made = endpoints({"fork": b"lie"}, {}, {})
    pool = pool_of(made, clock)
    block = await pool.agreed_block("finalized")
    assert "0x" + block.hash.hex() == made[1].block(98)["hash"]
    assert list(pool.faults) == ["http://e0"]


async def test_agreed_block__liar_runs_ahead__not_believed(clock):
    made = endpoints({"fork": b"lie", "head": 10_000, "final": 9_998}, {}, {})
    block = await pool_of(made, clock).agreed_block("finalized")
    assert "0x" + block.hash.hex() == made[1].block(98)["hash"]


async def test_agreed_block__two_against_two__nothing_decided(clock):
    made = endpoints({}, {}, {"fork": b"x"}, {"fork": b"x"})
    with pytest.raises(EndpointsDisagree, match="nothing is decided"):
        await pool_of(made, clock).agreed_block("finalized")


async def test_agreed_block__one_against_one__nothing_decided(clock):
    with pytest.raises(EndpointsDisagree):
        await pool_of(endpoints({}, {"fork": b"x"}), clock).agreed_block("finalized")


async def test_agreed_block__one_of_two_down__the_other_serves(clock):
    made = endpoints({}, {})
    made[0].fail()
    assert (await pool_of(made, clock).agreed_block("finalized")).number == 98


async def test_agreed_block__one_rests__not_asked_while_the_others_agree(clock):
    made = endpoints({}, {}, {})
    pool = pool_of(made, clock)
    made[2].fail()
    await pool.agreed_block("finalized")
    asked = len(made[2].asked)
    assert (await pool.agreed_block("finalized")).number == 98
    assert len(made[2].asked) == asked


async def test_agreed_block__one_rests_and_one_lies__the_resting_one_decides(clock):
    made = endpoints({"fork": b"lie"}, {}, {})
    pool = pool_of(made, clock)
    made[2].fail()
    with pytest.raises(EndpointsDisagree):
        await pool.agreed_block("finalized")
    made[2].fault = None
    block = await pool.agreed_block("finalized")
    assert "0x" + block.hash.hex() == made[1].block(98)["hash"]


async def test_agreed_block__too_few_answer__unreachable(clock):
    made = endpoints({}, {}, {})
    made[0].fail()
    made[1].fail()
    with pytest.raises(UnreachableChain, match="1 of 3 endpoints answered, 2 must agree"):
        await pool_of(made, clock).agreed_block("finalized")


async def test_agreed_block__depth__that_far_below(clock):
    assert (await pool_of(endpoints({}), clock).agreed_block("latest", 64)).number == 36
    assert (await pool_of(endpoints({"head": 5, "final": 3}), clock).agreed_block("latest", 64)).number == 0


async def test_agreed_block__malformed__a_fault(clock):
    made = endpoints({}, {})
    made[0].answers["eth_getBlockByNumber"] = {"number": "nine"}
    assert (await pool_of(made, clock).agreed_block("finalized")).number == 98


async def test_with_block__first_is_behind__second_does_the_work(clock):
    made = endpoints({"head": 10, "final": 8}, {})
    number = 98
    wanted = made[1].block(number)
    block = Block(number, bytes.fromhex(wanted["hash"][2:]), bytes(32), 0, 0)

    async def who(endpoint):
        return endpoint.url

    assert await pool_of(made, clock).with_block(block, who) == "http://e1"
    with pytest.raises(BlockGone):
        await pool_of(made, clock).with_block(Block(number, b"\1" * 32, bytes(32), 0, 0), who)


async def test_broadcast__one_takes_it_one_refuses_one_is_silent__each_told_apart(clock):
    made = endpoints({}, {}, {})
    made[0].answers["eth_sendRawTransaction"] = RpcError("x", -32_000, "nonce too low")
    made[1].answers["eth_sendRawTransaction"] = "0x1"
    pool = pool_of(made, clock)
    await pool.request("eth_chainId", [])
    made[2].fail()
    assert await pool.broadcast(b"raw") == ["nonce too low", None, ""]
    assert [e.asked.count("eth_sendRawTransaction") for e in made[:2]] == [1, 1]


async def test_broadcast__limited_endpoint__gave_no_answer(clock):
    made = endpoints({})
    made[0].answers["eth_sendRawTransaction"] = RpcError("x", 429, "too many requests")
    assert await pool_of(made, clock).broadcast(b"raw") == [""]


async def test_nobody_has__all_say_so__and_only_then(clock):
    made = endpoints({}, {})
    for endpoint in made:
        endpoint.answers["eth_getTransactionByHash"] = None
    assert await pool_of(made, clock).nobody_has(bytes(32))
    made[1].answers["eth_getTransactionByHash"] = {"hash": "0x"}
    assert not await pool_of(made, clock).nobody_has(bytes(32))
    made[1].answers["eth_getTransactionByHash"] = RpcError("x", -32_601, "method not found")
    assert not await pool_of(made, clock).nobody_has(bytes(32))


@pytest.mark.parametrize(
    "answer",
    [
        RpcError("x", -39_001, "Unknown block"),
        RpcError("x", -32_000, "finalized block not found"),
        RpcError("x", -32_602, "invalid argument 0: hex string without 0x prefix"),
        None,
    ],
)
async def test_agreed_block__node_without_finality__advice_names_the_setting(clock, answer):
    made = endpoints({})
    block = made[0].block(90)

    def blocks(params):
        if params[0] == "finalized":
            if isinstance(answer, Exception):
                raise answer
            return answer
        return block

    made[0].answers["eth_getBlockByNumber"] = blocks
    with pytest.raises(NoFinality, match="final_depth"):
        await pool_of(made, clock).agreed_block("finalized")
    assert (await pool_of(made, clock).agreed_block("latest")).number == 90


@pytest.mark.parametrize("agreement", [0, 3])
def test_pool__impossible_agreement__refused(clock, agreement):
    with pytest.raises(ValueError, match="agreement"):
        pool_of(endpoints({}, {}), clock, agreement=agreement)


@pytest.mark.parametrize(
    ("message", "missing"),
    [
        ("header not found", True),
        ("Block with id: '0x12' not found", True),
        ("Resource not found", True),
        ("missing trie node abc", True),
        ("execution reverted: key not found", False),
        ("insufficient funds", False),
    ],
)
def test_means_no_block__messages_of_nodes__told_apart(message, missing):
    assert means_no_block(RpcError("eth_call", 0, message)) is missing


def _number(answer):
    if not isinstance(answer, str):
        raise ValueError("no number")
    return int(answer, 16)


async def test_request__answer_that_cannot_be_read__second_is_asked_and_first_rests(clock):
    made = endpoints({}, {})
    pool = pool_of(made, clock)
    made[1].answers["eth_x"] = "0x7"
    for answer in (None, [], "0xzz", {"number": None}, ""):
        made[0].answers["eth_x"] = answer
        assert await pool.request("eth_x", [], _number) == 7
        assert list(pool.faults) == ["http://e0"]
        clock.now += 61


async def test_request__none_gives_what_can_be_read__said_with_the_answer_and_each_asked_once(clock):
    made = endpoints({}, {})
    pool = pool_of(made, clock)
    for endpoint in made:
        endpoint.answers["eth_x"] = "0xzz"
    with pytest.raises(UnreadableAnswer, match="eth_x") as failed:
        await pool.request("eth_x", [], _number)
    assert failed.value.answer == "0xzz"
    assert [one.asked.count("eth_x") for one in made] == [1, 1]


class _Hanging(FakeEndpoint):
    """Answers, if ever, when it is too late."""

    async def request(self, method, params):
        self.asked.append(method)
        await asyncio.sleep(3600)


@pytest.fixture
def impatient(monkeypatch):
    monkeypatch.setattr(pool_module, "_PATIENCE_S", 0.01)
    monkeypatch.setattr(pool_module, "_HEDGE_S", 0.01)


async def test_request__first_is_slow__the_next_overtakes_it_and_it_rests(clock, impatient):
    made = [_Hanging("http://slow"), FakeEndpoint("http://well")]
    pool = pool_of(made, clock)
    made[1].answers["eth_x"] = "0x1"
    assert await pool.request("eth_x", []) == "0x1"
    assert list(pool.faults) == ["http://slow"]
    asked = len(made[0].asked)
    assert await pool.request("eth_x", []) == "0x1"
    assert len(made[0].asked) == asked


class _OnceAsked(FakeEndpoint):
    """Answers as soon as another endpoint is asked as well."""

    def __init__(self, url, other):
        super().__init__(url)
        self.other = other

    async def request(self, method, params):
        while not self.other.asked:  # noqa: ASYNC110
            await asyncio.sleep(0)
        return await super().request(method, params)


async def test_request__first_answers_after_all__the_next_has_done_nothing_wrong(clock, impatient):
    hanging = _Hanging("http://later")
    made = [_OnceAsked("http://heavy", hanging), hanging]
    pool = pool_of(made, clock)
    made[0].answers["eth_x"] = "0x1"
    assert await pool.request("eth_x", []) == "0x1"
    assert hanging.asked
    assert not pool.faults


async def test_agreed_block__one_of_three_is_slow__the_others_agree_without_it(clock, impatient):
    made = [_Hanging("http://slow"), FakeEndpoint("http://a"), FakeEndpoint("http://b")]
    pool = pool_of(made, clock)
    expected = await pool_of(made[1:], clock).agreed_block("latest")
    assert await pool.agreed_block("latest") == expected
    assert list(pool.faults) == ["http://slow"]


async def test_broadcast__one_is_slow__the_other_has_taken_it_and_nobody_waits(clock, impatient):
    made = [_Hanging("http://slow"), FakeEndpoint("http://a")]
    made[1].answers["eth_sendRawTransaction"] = "0x01"
    assert await pool_of(made, clock).broadcast(b"raw") == ["", None]

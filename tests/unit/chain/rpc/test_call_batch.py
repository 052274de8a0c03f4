"""Views that are asked for at once go out as one call; whatever that comes to, each has its own answer."""

import asyncio

import pytest
from eth_abi.abi import encode

from assay.chain.deployment import Deployment
from assay.chain.errors import NoCodeAt, RpcError, UnreachableChain
from assay.chain.rpc.call_batch import View, answers_in, code_of
from assay.chain.rpc.client import Chain
from assay.chain.rpc.pool import EndpointPool
from assay.protocol.keccak import keccak
from tests.unit.chain.conftest import FakeEndpoint

ADDRESS = "0x" + "11" * 20
SQUARE = keccak(b"square(uint256)")[:4].hex()
ABI = [{"type": "function", "name": "square", "stateMutability": "view",
        "inputs": [{"name": "n", "type": "uint256"}], "outputs": [{"name": "", "type": "uint256"}]}]  # fmt: skip
DEPLOYMENT = Deployment(network="fake", chain_id=31_337, block=0, contracts={"Probe": {"address": ADDRESS, "abi": ABI}})


def word(value):
    return value.to_bytes(32, "big")


class SquareNode(FakeEndpoint):
    """Runs the code of a batch as far as it knows what code of ours looks like: by its calldata."""

    def __init__(self, runs_code=True):
        super().__init__()
        self.runs_code, self.sizes = runs_code, []
        self.answers["eth_call"] = self.run

    def run(self, params):
        data = params[0]["data"]
        if "to" in params[0]:
            self.sizes.append(1)
            return self.square(data)
        if not self.runs_code:
            raise RpcError("eth_call", -32_602, "missing to")
        asked = data.split(SQUARE)[1:]
        self.sizes.append(len(asked))
        answer = bytes(32)
        for one in asked:
            try:
                found = bytes.fromhex(self.square("0x" + SQUARE + one[:64])[2:])
                answer += word(1) + word(len(found)) + found
            except RpcError:
                answer += word(0) + word(0)
        return "0x" + answer.hex()

    def square(self, data):
        n = int(data[10:], 16)
        if n == 13:
            raise RpcError("eth_call", 3, "execution reverted")
        return "0x" + word(n * n).hex()


def chain_of(node, batch=True):
    return Chain(EndpointPool([node], 31_337), DEPLOYMENT, batch=batch)


async def squares(chain, numbers, at="latest"):
    return await asyncio.gather(*(chain.call("Probe", "square", n, at=at) for n in numbers), return_exceptions=True)


async def test_call__many_at_once__one_question():
    node = SquareNode()
    assert await squares(chain_of(node), range(10)) == [n * n for n in range(10)]
    assert node.sizes == [10]


async def test_call__one_alone__asked_as_it_is():
    node = SquareNode()
    assert await squares(chain_of(node), [7]) == [49]
    assert node.sizes == [1]


async def test_call__one_of_many_reverts__the_others_have_their_answers():
    node = SquareNode()
    found = await squares(chain_of(node), [12, 13, 14])
    assert (found[0], found[2]) == (144, 196)
    assert "reverts" in str(found[1])


async def test_call__node_that_runs_no_code__each_by_itself_from_then_on():
    node = SquareNode(runs_code=False)
    chain = chain_of(node)
    assert await squares(chain, range(5)) == [n * n for n in range(5)]
    assert await squares(chain, range(5)) == [n * n for n in range(5)]
    assert node.sizes == [1] * 10


async def test_call__more_than_one_answer_holds__several_questions():
    node = SquareNode()
    assert await squares(chain_of(node), range(20, 620)) == [n * n for n in range(20, 620)]
    assert len(node.sizes) < 10


async def test_call__node_gone__every_caller_told():
    node = SquareNode()
    node.fail()
    found = await squares(chain_of(node), range(3))
    assert all(isinstance(one, UnreachableChain) for one in found)


async def test_call__first_caller_cancelled__the_others_have_their_answers():
    chain = chain_of(SquareNode())
    first = asyncio.ensure_future(chain.call("Probe", "square", 2, at="latest"))
    second = asyncio.ensure_future(chain.call("Probe", "square", 3, at="latest"))
    await asyncio.sleep(0)
    first.cancel()
    assert await second == 9


@pytest.mark.parametrize("batch", [False, True])
async def test_call__the_same_at_the_same_block__asked_once(batch):
    node = SquareNode()
    chain = chain_of(node, batch)
    block = await chain.finalised()
    for _ in range(5):
        assert await squares(chain, [4], at=block) == [16]
    assert node.sizes == [1]


async def test_call__latest__asked_each_time():
    node = SquareNode()
    chain = chain_of(node, batch=False)
    await squares(chain, [4])
    await squares(chain, [4])
    assert node.sizes == [1, 1]


async def test_call__no_code_there__named():
    node = FakeEndpoint()
    node.answers["eth_call"] = "0x"
    with pytest.raises(NoCodeAt, match="Probe"):
        await chain_of(node).call("Probe", "square", 1, at="latest")


@pytest.mark.parametrize(
    "data", [b"", bytes(31), bytes(32), bytes(95), bytes(32) + word(1) + word(99), bytes(32) + word(2) + word(0),
             bytes(32) + word(1) + word(0) + b"x"]
)  # fmt: skip
def test_answers_in__other_shapes__refused(data):
    with pytest.raises(ValueError):
        answers_in(data, 1)


def test_code_of__two_views__ends_with_their_calldata():
    views = [View(ADDRESS, encode(["uint256"], [n]), 32) for n in (1, 2)]
    assert code_of(views).endswith(word(1) + word(2))

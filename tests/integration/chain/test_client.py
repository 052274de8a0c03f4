import pytest

from assay.chain.deployment import Deployment
from assay.chain.errors import BlockGone, ChainError, NoCodeAt, Reverted, UnreachableChain, WrongChainId
from assay.chain.rpc.blocks import Block
from assay.chain.rpc.client import Chain, ContractCall
from assay.chain.rpc.events import read_events
from assay.chain.transactions.journal import Journal
from assay.chain.transactions.sender import Sender


async def test_connect__nothing_listens__unreachable(deployment):
    with pytest.raises(UnreachableChain, match=r"http://127.0.0.1:1: .*check that the node runs"):
        await Chain.connect("http://127.0.0.1:1", deployment)


async def test_connect__other_chain__wrong_chain_id(anvil, deployment):
    other = deployment.model_copy(update={"chain_id": 5})
    with pytest.raises(WrongChainId, match="serves chain id 31337, the deployment is on 5"):
        await Chain.connect(anvil.url, other)


async def test_connect__no_contract_there__no_code(anvil, deployment):
    empty = deployment.contracts["Probe"].model_copy(update={"address": "0x" + "11" * 20})
    other = Deployment(network="x", chain_id=deployment.chain_id, block=0, contracts={"Probe": empty})
    with pytest.raises(NoCodeAt, match=f"Probe: no code at 0x{'11' * 20}"):
        await Chain.connect(anvil.url, other)


async def test_call__at_fixed_block__later_changes_unseen(chain, anvil, key, tmp_path):
    before = await chain.head()
    sender = Sender(chain, key, Journal(tmp_path / "j", key.address, chain.chain_id), poll_s=0.02)
    await sender.send(ContractCall("Probe", "count", (7,)))
    assert await chain.call("Probe", "counter", at=before) == 0
    assert await chain.call("Probe", "counter", at="latest") == 7
    pair = await chain.call("Probe", "pair", at="latest")
    assert (pair.left, pair.right) == (7, (7).to_bytes(32, "big"))


async def test_call__unknown_block__gone(chain):
    with pytest.raises(BlockGone):
        await chain.call("Probe", "counter", at=Block(1, b"\x13" * 32, bytes(32), 0, 0))


@pytest.mark.parametrize(
    ("function", "args", "name", "arguments"),
    [
        ("refuse", (5,), "Probe_Refused", {"wanted": 5, "caller": "0x" + "00" * 20}),
        ("refuseInWords", (), "Error", {"message": "in words"}),
        ("divide", (0,), "Panic", {"code": 0x12, "meaning": "division by zero"}),
    ],
)
async def test_call__refused__decoded(chain, function, args, name, arguments):
    with pytest.raises(Reverted) as caught:
        await chain.call("Probe", function, *args, at="latest")
    assert (caught.value.name, caught.value.arguments) == (name, arguments)


@pytest.mark.parametrize("args", [(), ("x",), (-1,), (2**256,)])
async def test_encode__bad_arguments__named(chain, args):
    with pytest.raises(ChainError, match=r"Probe\.count"):
        chain.encode(ContractCall("Probe", "count", args))


async def test_encode__no_such_function__named(chain):
    with pytest.raises(ChainError, match=r"Probe\.nothing"):
        chain.encode(ContractCall("Probe", "nothing"))


async def test_finalised__local_chain__behind_the_head(chain, anvil):
    await anvil.mine(10)
    head, final = await chain.head(), await chain.finalised()
    assert 0 < head.number - final.number <= 3


@pytest.mark.parametrize("piece", [1, 2, 1000])
async def test_read_events__any_piece__all_once_in_order(chain, anvil, key, tmp_path, piece):
    sender = Sender(chain, key, Journal(tmp_path / "j", key.address, chain.chain_id), poll_s=0.02)
    for n in (1, 2, 3):
        await sender.send(ContractCall("Probe", "count", (n,)))
    events = await read_events(chain, "Probe", ["Counted"], 0, await chain.head(), piece=piece)
    assert [e.args["value"] for e in events] == [1, 3, 6]
    assert events[0].args["by"] == key.address
    assert events[2].args["pair"]["right"] == (6).to_bytes(32, "big")

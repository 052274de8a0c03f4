"""Logs in pieces, and what a node may send instead of logs."""

import pytest

from assay.chain.contracts.devices import Device, DeviceStatus, apply_event
from assay.chain.deployment import Deployment
from assay.chain.errors import BlockGone, ChainError, NoCodeAt, RpcError, UnreachableChain, WrongChainId
from assay.chain.rpc.client import Chain
from assay.chain.rpc.events import DecodedLog, event_pieces, read_events
from assay.chain.rpc.pool import EndpointPool
from assay.protocol.encoding import device_id
from assay.protocol.keccak import keccak
from tests.unit.chain.conftest import FakeEndpoint

ADDRESS = "0x" + "11" * 20
ABI = [
    {
        "type": "event",
        "name": "Counted",
        "anonymous": False,
        "inputs": [{"name": "value", "type": "uint256", "indexed": False}],
    }
]
TOPIC = "0x" + keccak(b"Counted(uint256)").hex()
DEPLOYMENT = Deployment(network="fake", chain_id=31_337, block=0, contracts={"Probe": {"address": ADDRESS, "abi": ABI}})


def log(number, index=0, **changes):
    return {
        "address": ADDRESS,
        "topics": [TOPIC],
        "data": "0x" + number.to_bytes(32, "big").hex(),
        "blockNumber": hex(number),
        "blockHash": "0x" + "22" * 32,
        "transactionHash": "0x" + "33" * 32,
        "transactionIndex": "0x0",
        "logIndex": hex(index),
        **changes,
    }


class LogNode(FakeEndpoint):
    """Has one log in every block, and serves at most `limit` blocks at once."""

    def __init__(self, limit=10**9, **options):
        super().__init__(**options)
        self.limit, self.ranges = limit, []
        self.answers["eth_getLogs"] = self.logs

    def logs(self, params):
        first, last = int(params[0]["fromBlock"], 16), int(params[0]["toBlock"], 16)
        self.ranges.append((first, last))
        if last - first + 1 > self.limit:
            raise RpcError("eth_getLogs", -32_005, "query returned more than 10000 results")
        return [log(n) for n in range(first, last + 1)]


def chain_of(*endpoints):
    return Chain(EndpointPool(list(endpoints), 31_337), DEPLOYMENT)


@pytest.mark.parametrize("limit", [1, 7, 1000])
async def test_read_events__node_with_a_limit__all_once_in_order(limit):
    node = LogNode(limit)
    chain = chain_of(node)
    events = await read_events(chain, "Probe", ["Counted"], 5, await chain.finalised())
    assert [e.args["value"] for e in events] == list(range(5, 99))
    assert max(last - first + 1 for first, last in node.ranges if (first, last)) >= min(limit, 94)


async def test_event_pieces__stopped_after_any_piece__resumed_without_loss():
    chain = chain_of(LogNode())
    last, seen, start = await chain.finalised(), [], 0
    while start <= last.number:
        async for end, events in event_pieces(chain, "Probe", ["Counted"], start, last, piece=13):
            seen += [e.block_number for e in events]
            start = end + 1
            break
    assert seen == list(range(99))


async def test_read_events__node_without_the_last_block__gone():
    node = LogNode()
    chain = chain_of(node)
    last = await chain.finalised()
    node.fork = b"another"
    with pytest.raises(BlockGone):
        await read_events(chain, "Probe", ["Counted"], 0, last)
    assert node.ranges == []


async def test_read_events__nothing_new__nothing_asked():
    node = LogNode()
    chain = chain_of(node)
    assert await read_events(chain, "Probe", ["Counted"], 99, await chain.finalised()) == []
    assert node.ranges == []


@pytest.mark.parametrize(
    "answer",
    [None, 5, {}, [5], [{}], [log(5, topics=[])], [log(5, topics=["0x" + "44" * 32])],
     [log(5, data="zz")], [log(5), log(5)],
     [log(5, blockNumber="five")], [log(5, address="0x" + "55" * 20)], [log(200)]],
)  # fmt: skip
async def test_read_events__garbage__named(answer):
    node = LogNode()
    chain = chain_of(node)
    node.answers["eth_getLogs"] = answer
    with pytest.raises(ChainError, match="eth_getLogs"):
        await read_events(chain, "Probe", ["Counted"], 0, await chain.finalised())


async def test_read_events__removed_log__left_out():
    node = LogNode()
    node.answers["eth_getLogs"] = [log(5, removed=True), log(6)]
    chain = chain_of(node)
    events = await read_events(chain, "Probe", ["Counted"], 0, await chain.finalised())
    assert [e.block_number for e in events] == [6]


async def test_read_events__no_such_event__named():
    chain = chain_of(LogNode())
    with pytest.raises(ChainError, match="Probe has no event Missing"):
        await read_events(chain, "Probe", ["Missing"], 0, await chain.finalised())


async def connect(*endpoints):
    for endpoint in endpoints:
        endpoint.answers.setdefault("eth_getCode", "0x6000")
    return await Chain.connect([e.url for e in endpoints], DEPLOYMENT, endpoints=endpoints)


async def test_connect__second_endpoint_of_another_chain__refused():
    with pytest.raises(WrongChainId, match="http://b serves chain id 1"):
        await connect(FakeEndpoint("http://a"), FakeEndpoint("http://b", chain_id=1))


async def test_connect__one_of_two_down__enough():
    down = FakeEndpoint("http://a")
    down.fail()
    assert (await connect(down, FakeEndpoint("http://b"))).chain_id == 31_337


async def test_connect__two_of_three_down__unreachable():
    down = [FakeEndpoint("http://a"), FakeEndpoint("http://b")]
    for endpoint in down:
        endpoint.fail()
    with pytest.raises(UnreachableChain, match="connection refused"):
        await connect(*down, FakeEndpoint("http://c"))


async def test_connect__no_code__named():
    node = FakeEndpoint()
    node.answers["eth_getCode"] = "0x"
    with pytest.raises(NoCodeAt, match=f"Probe: no code at {ADDRESS}"):
        await connect(node)


DEVICE = device_id(ADDRESS, ADDRESS)


def registry(name, **args):
    return DecodedLog("DeviceRegistry", name, {"deviceId": DEVICE, **args}, 7, bytes(32), bytes(32), 0)


def test_apply_event__life_of_a_device__followed():
    devices = {}
    apply_event(devices, registry("DeviceEndpoint", endpoint="early", tlsFingerprint=bytes(32)))
    assert devices == {}
    enrolled = registry("DeviceEnrolled", provider=ADDRESS, deviceKey=ADDRESS, profile=2, specHash=b"\2" * 32)
    apply_event(devices, enrolled)
    assert devices[DEVICE] == Device(DEVICE, ADDRESS, ADDRESS, 2, b"\2" * 32, enrolled_block=7)
    apply_event(devices, registry("DeviceEndpoint", endpoint="http://x", tlsFingerprint=b"\3" * 32))
    assert devices[DEVICE].endpoint == "http://x"
    apply_event(devices, registry("DeviceRetired", status=3))
    assert devices[DEVICE].status is DeviceStatus.SLASHED


def test_apply_event__node_names_another_key_for_a_device__is_not_believed():
    lie = registry("DeviceEnrolled", provider=ADDRESS, deviceKey="0x" + "66" * 20, profile=2, specHash=bytes(32))
    with pytest.raises(ChainError, match="data is false"):
        apply_event({}, lie)

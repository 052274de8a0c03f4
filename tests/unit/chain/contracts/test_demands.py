"""Demands against some devices, found by their logs and read at final blocks and above them."""

from eth_abi import encode

from assay.chain.contracts.demands import (
    DemandDirectory,
    DemandPrice,
    DemandStatus,
    next_demand_price,
    read_demand,
    read_demand_price,
)
from assay.chain.deployment import Deployment
from assay.chain.rpc.client import Chain
from assay.chain.rpc.pool import EndpointPool
from assay.protocol.encoding import demand_id
from assay.protocol.hexadecimal import to_address
from assay.protocol.keccak import keccak
from tests.unit.chain.conftest import FakeEndpoint

ADDRESS, WATCHER = to_address(b"\x11" * 20), to_address(b"\x22" * 20)
OURS, THEIRS = b"\x01" * 32, b"\x02" * 32
EVENT_FIELDS = [
    ("bytes32", "demandId", True), ("bytes32", "deviceId", True), ("uint64", "epoch", True), ("bool", "isRow", False),
    ("uint32", "index", False), ("uint32", "t", False), ("uint32", "i", False), ("uint40", "deadline", False),
    ("address", "demander", False), ("uint128", "bond", False), ("uint128", "reward", False),
]  # fmt: skip
DEMAND_FIELDS = [
    ("address", "demander"), ("uint64", "epoch"), ("uint8", "status"), ("bool", "isRow"), ("bytes32", "deviceId"),
    ("bytes32", "resultRoot"), ("uint64", "baseFee"), ("uint40", "deadline"), ("uint32", "index"), ("uint32", "t"),
    ("uint32", "i"), ("uint32", "ahead"), ("uint24", "size"),
]  # fmt: skip
PRICE = [{"type": "uint128", "name": name} for name in ("bond", "reward", "burned")]


def view(name, inputs, outputs):
    named = [{"type": kind, "name": f"a{n}"} for n, kind in enumerate(inputs)]
    return {"type": "function", "name": name, "stateMutability": "view", "inputs": named, "outputs": outputs}


STRUCT = {"type": "tuple", "name": "", "components": [{"type": kind, "name": name} for kind, name in DEMAND_FIELDS]}
ABI = [
    {
        "type": "event",
        "name": "DemandMade",
        "anonymous": False,
        "inputs": [{"type": kind, "name": name, "indexed": indexed} for kind, name, indexed in EVENT_FIELDS],
    },
    view("demandOf", ["bytes32"], [STRUCT]),
    view("bondAt", ["bytes32", "bool", "uint256"], PRICE),
    view("bondOfDemand", ["bytes32"], PRICE),
]
DEPLOYMENT = Deployment(
    network="fake", chain_id=31_337, block=7, contracts={"OpeningDemands": {"address": ADDRESS, "abi": ABI}}
)
TOPIC = "0x" + keccak(f"DemandMade({','.join(kind for kind, _, _ in EVENT_FIELDS)})".encode()).hex()
SELECTOR = keccak(b"demandOf(bytes32)")[:4].hex()


class DemandNode(FakeEndpoint):
    """Demands by the block that they were made in, and what became of them; blocks up to 98 are final."""

    def __init__(self):
        super().__init__()
        self.made, self.status, self.ranges = [], {}, []
        self.answers["eth_getLogs"] = self._logs
        self.answers["eth_call"] = self._call

    def make(self, block, device, index, status=DemandStatus.OPEN):
        made = demand_id(device, 3, True, index)
        self.made.append((block, made, device, index))
        self.status[made] = status
        return made

    def _logs(self, params):
        first, last = (int(params[0][name], 16) for name in ("fromBlock", "toBlock"))
        self.ranges.append((first, last))
        return [self._log(*one) for one in self.made if first <= one[0] <= last]

    def _log(self, block, made, device, index):
        data = encode(
            [kind for kind, _, indexed in EVENT_FIELDS if not indexed], [True, index, 4, 5, 2000, WATCHER, 20, 10]
        )
        return {
            "address": ADDRESS,
            "topics": [TOPIC, *("0x" + word.hex() for word in (made, device, bytes(31) + b"\3"))],
            "data": "0x" + data.hex(),
            "blockNumber": hex(block),
            "blockHash": "0x" + "22" * 32,
            "transactionHash": "0x" + "33" * 32,
            "transactionIndex": "0x0",
            "logIndex": "0x0",
        }

    def _call(self, params):
        asked = bytes.fromhex(params[0]["data"][2 + len(SELECTOR) :])
        assert params[0]["data"][2:].startswith(SELECTOR)
        status = self.status.get(asked, DemandStatus.NONE)
        device, index = next(((d, n) for _, made, d, n in self.made if made == asked), (bytes(32), 0))
        row = (WATCHER, 3, int(status), True, device, b"\x09" * 32, 10**9, 2000, index, 4, 5, 0, 576)
        return "0x" + encode([f"({','.join(kind for kind, _ in DEMAND_FIELDS)})"], [row]).hex()


def chain_of(node):
    return Chain(EndpointPool([node], 31_337), DEPLOYMENT)


def ids(demands):
    return [demand.demand_id for demand in demands]


async def test_read_demand__any_status__all_fields_or_none():
    node = DemandNode()
    made = node.make(20, OURS, 6, DemandStatus.ANSWERED)
    demand = await read_demand(chain_of(node), made)
    assert (demand.device_id, demand.epoch, demand.is_row, demand.index, demand.t, demand.i) == (OURS, 3, True, 6, 4, 5)
    assert (demand.deadline, demand.demander, demand.status) == (2000, WATCHER, DemandStatus.ANSWERED)
    assert await read_demand(chain_of(node), b"\x05" * 32) is None


async def test_open_demands__of_our_devices__open_ones_oldest_first_and_nobody_else_s():
    node = DemandNode()
    first, second = node.make(20, OURS, 1), node.make(30, OURS, 2)
    node.make(25, OURS, 3, DemandStatus.ANSWERED)
    node.make(26, OURS, 4, DemandStatus.EXPIRED)
    node.make(27, THEIRS, 1)
    assert ids(await DemandDirectory(chain_of(node), [OURS]).open_demands()) == [first, second]


async def test_open_demands__made_above_the_final_block__seen_at_the_head_only_and_not_remembered():
    node = DemandNode()
    chain = chain_of(node)
    directory = DemandDirectory(chain, [OURS])
    final, young = node.make(98, OURS, 1), node.make(99, OURS, 2)
    assert ids(await directory.open_demands(await chain.head())) == [final, young]
    node.made = node.made[:1]  # the head's block was reorganised away
    assert ids(await directory.open_demands(await chain.head())) == [final]
    assert ids(await directory.open_demands()) == [final]


async def test_open_demands__asked_again__only_new_blocks_and_open_demands_read():
    node = DemandNode()
    chain = chain_of(node)
    directory = DemandDirectory(chain, [OURS])
    old = node.make(20, OURS, 1)
    assert ids(await directory.open_demands()) == [old]
    node.status[old] = DemandStatus.ANSWERED
    node.head, node.final = 200, 198
    late = node.make(150, OURS, 2)
    assert ids(await directory.open_demands()) == [late]
    assert node.ranges == [(7, 98), (99, 198)]
    asked = node.asked.count("eth_call")
    assert ids(await directory.open_demands()) == [late]
    assert node.asked.count("eth_call") == asked  # the block is the same
    node.head, node.final = 201, 199
    assert ids(await directory.open_demands()) == [late]
    assert node.asked.count("eth_call") - asked == 1  # the late one alone


async def test_open_demands__of_a_later_first_block__nothing_before_it_asked():
    node = DemandNode()
    node.make(20, OURS, 1)
    late = node.make(60, OURS, 2)
    assert ids(await DemandDirectory(chain_of(node), [OURS], first_block=50).open_demands()) == [late]
    assert node.ranges == [(50, 98)]


async def test_next_demand_price__at_the_head__asked_at_its_base_fee():
    node, asked = DemandNode(), []
    node.answers["eth_call"] = lambda p: asked.append(p) or "0x" + encode(["uint128"] * 3, [20, 10, 2]).hex()
    assert await next_demand_price(chain_of(node), OURS, True) == DemandPrice(20, 10, 2)
    data = keccak(b"bondAt(bytes32,bool,uint256)")[:4] + OURS + b"\1".rjust(32, b"\0") + (10**9).to_bytes(32, "big")
    assert asked[0][0]["data"] == "0x" + data.hex()
    assert asked[0][1]["blockHash"] == node.block(100)["hash"]


async def test_read_demand_price__of_a_demand__what_it_took():
    node = DemandNode()
    node.answers["eth_call"] = lambda p: "0x" + encode(["uint128"] * 3, [20, 10, 2]).hex()
    assert await read_demand_price(chain_of(node), OURS) == DemandPrice(20, 10, 2)

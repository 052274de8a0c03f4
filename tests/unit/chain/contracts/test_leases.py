"""A lease's offer out of the log of its block, and what a node may show instead."""

from dataclasses import replace

import pytest
from eth_abi import encode
from eth_utils.abi import collapse_if_tuple

from assay.chain.contracts.leases import (
    Lease,
    LeaseStatus,
    find_offer,
    nonce_floor,
    offer_argument,
    read_lease,
    read_offer,
)
from assay.chain.deployment import Deployment
from assay.chain.errors import BlockGone, ChainError
from assay.chain.rpc.client import Chain, ContractCall
from assay.chain.rpc.pool import EndpointPool
from assay.protocol.hexadecimal import ZERO_ADDRESS, to_address
from assay.protocol.keccak import keccak
from assay.protocol.leases import stored_offer_hash
from assay.protocol.messages import Offer
from tests.unit.chain.conftest import FakeEndpoint

ESCROW, PROVIDER, RENTER = (to_address(bytes([n]) * 20) for n in (0x11, 0x22, 0x33))
IDS = (b"\x01" * 32, b"\x02" * 32)
OFFER = Offer(PROVIDER, ZERO_ADDRESS, IDS, to_address(b"\x44" * 20), 10**18, 60, 3600, 2000, 7, ZERO_ADDRESS, 90)
OPENED = 50


def field(kind, name, **more):
    return {"type": kind, "name": name, **more}


OFFER_ABI = field(
    "tuple", "offer", indexed=False,
    components=[
        field("address", "provider"), field("address", "operator"), field("bytes32[]", "deviceIds"),
        field("address", "token"), field("uint128", "rate"), field("uint40", "minDuration"),
        field("uint40", "maxDuration"), field("uint40", "validUntil"), field("uint64", "nonce"),
        field("address", "renter"), field("uint32", "notice"),
    ],
)  # fmt: skip
LEASE_FIELDS = [
    ("address", "renter", RENTER), ("address", "provider", PROVIDER),
    ("bytes27", "offerHash", stored_offer_hash(OFFER.struct_hash())), ("uint40", "openedBlock", OPENED),
    ("address", "token", OFFER.token), ("uint8", "status", 2), ("uint128", "rate", 10**18), ("uint40", "start", 1000),
    ("uint40", "stop", 1900), ("uint40", "minDuration", 60), ("uint40", "maxDuration", 3600),
    ("uint32", "notice", 90), ("uint40", "noticeAt", 1500), ("uint8", "devices", 2), ("uint96", "deposit", 900),
    ("uint96", "bond", 61), ("uint96", "claimed", 5), ("uint96", "refunded", 6), ("uint96", "downtimeRefund", 7),
    ("uint32", "downtime", 8), ("uint96", "forfeited", 9), ("uint96", "forfeitable", 10),
    ("bool", "bondReturned", True), ("uint16", "feeBps", 250), ("bool", "leftEarly", True),
]  # fmt: skip
LEASE_ABI = field("tuple", "", components=[field(kind, name) for kind, name, _ in LEASE_FIELDS])
ABI = [
    {
        "type": "event", "name": "LeaseOpened", "anonymous": False,
        "inputs": [
            field("uint256", "leaseId", indexed=True), field("address", "renter", indexed=True),
            field("address", "provider", indexed=True), field("bytes32", "offerHash", indexed=False), OFFER_ABI,
            field("uint96", "deposit", indexed=False),
        ],
    },
    {
        "type": "function", "name": "lease", "stateMutability": "view", "inputs": [field("uint256", "leaseId")],
        "outputs": [LEASE_ABI],
    },
    {
        "type": "function", "name": "nonceFloor", "stateMutability": "view",
        "inputs": [field("bytes32", "deviceId"), field("address", "signer")], "outputs": [field("uint64", "")],
    },
    {
        "type": "function", "name": "open", "stateMutability": "nonpayable", "outputs": [],
        "inputs": [
            OFFER_ABI,
            field("tuple[]", "leaves", components=[field("uint64", "epoch"), field("bytes32", "deviceId")]),
            field("bytes32[][]", "proofs"),
        ],
    },
]  # fmt: skip
OFFER_TYPE = collapse_if_tuple(OFFER_ABI)
TOPIC = "0x" + keccak(f"LeaseOpened(uint256,address,address,bytes32,{OFFER_TYPE},uint96)".encode()).hex()
DEPLOYMENT = Deployment(
    network="fake", chain_id=31_337, block=0, contracts={"LeaseEscrow": {"address": ESCROW, "abi": ABI}}
)


def word(value):
    return "0x" + encode(["address" if isinstance(value, str) else "uint256"], [value]).hex()


def opened(lease_id=3, offer=OFFER):
    data = encode(["bytes32", OFFER_TYPE, "uint96"], [offer.struct_hash(), offer_argument(offer), 900])
    return {
        "address": ESCROW,
        "topics": [TOPIC, word(lease_id), word(RENTER), word(PROVIDER)],
        "data": "0x" + data.hex(),
        "blockNumber": hex(OPENED),
        "blockHash": "0x" + "22" * 32,
        "transactionHash": "0x" + "33" * 32,
        "transactionIndex": "0x0",
        "logIndex": "0x0",
    }


class EscrowNode(FakeEndpoint):
    """Has the lease, and the logs it is given."""

    def __init__(self, logs=(), **changes):
        super().__init__()
        values = {name: value for _, name, value in LEASE_FIELDS} | changes
        self.lease = encode([collapse_if_tuple(LEASE_ABI)], [tuple(values[name] for _, name, _ in LEASE_FIELDS)])
        self.ranges = []
        self.logs = list(logs)
        self.answers["eth_call"] = lambda params: "0x" + self.lease.hex()
        self.answers["eth_getLogs"] = self._logs

    def _logs(self, params):
        self.ranges.append((int(params[0]["fromBlock"], 16), int(params[0]["toBlock"], 16)))
        wanted = [topics for topics in params[0]["topics"] if topics]
        return [log for log in self.logs if all(set(topics) & set(log["topics"]) for topics in wanted)]


def chain_of(node):
    return Chain(EndpointPool([node], 31_337), DEPLOYMENT)


async def lease_of(chain):
    return await read_lease(chain, 3)


async def test_read_lease__any_lease__each_field_in_its_place():
    lease = await lease_of(chain_of(EscrowNode()))
    assert lease == Lease(
        3, RENTER, PROVIDER, stored_offer_hash(OFFER.struct_hash()), OPENED, OFFER.token, LeaseStatus.ACTIVE, 10**18,
        1000, 1900, 60, 3600, 90, 1500, 2, 900, 61, 5, 6, 7, 8, 9, 10, True, 250, True,
    )  # fmt: skip


async def test_read_offer__log_of_its_block__the_offer_and_no_other_block_asked():
    other = replace(OFFER, nonce=8)
    node = EscrowNode([opened(2, other), opened()])
    chain = chain_of(node)
    assert await read_offer(chain, await lease_of(chain)) == OFFER
    assert node.ranges == [(OPENED, OPENED)]


async def test_read_offer__log_with_another_offer__node_called_a_liar():
    chain = chain_of(EscrowNode([opened(offer=replace(OFFER, rate=1))]))
    with pytest.raises(ChainError, match=r"opens lease 3 .* the escrow holds 0x.*data is false"):
        await read_offer(chain, await lease_of(chain))


@pytest.mark.parametrize("logs", [[], [opened(4)]])
async def test_read_offer__no_log_of_the_lease__says_which_block_lacks_it(logs):
    chain = chain_of(EscrowNode(logs))
    with pytest.raises(ChainError, match="block 50 has no LeaseOpened log of lease 3"):
        await read_offer(chain, await lease_of(chain))


async def test_read_offer__block_not_on_the_chain__gone():
    chain = chain_of(EscrowNode([opened()], openedBlock=101))
    with pytest.raises(BlockGone, match="101"):
        await read_offer(chain, await lease_of(chain))


async def test_read_offer__cancelled_lease__says_that_none_is_kept():
    chain = chain_of(EscrowNode([opened()], openedBlock=0, offerHash=bytes(27), status=4))
    with pytest.raises(ChainError, match="lease 3 is cancelled: the escrow keeps no offer"):
        await read_offer(chain, await lease_of(chain))


async def test_find_offer__lease_with_and_without_an_offer__offer_or_none():
    lease, offer = await find_offer(chain_of(EscrowNode([opened()])), 3)
    assert (lease.lease_id, offer) == (3, OFFER)
    lease, offer = await find_offer(chain_of(EscrowNode(openedBlock=0, offerHash=bytes(27), status=4)), 3)
    assert (lease.status, offer) == (LeaseStatus.CANCELLED, None)


async def test_offer_argument__with_lists_of_structs_and_of_lists__encodes():
    node = EscrowNode()
    leaves, proofs = [(5, device_id) for device_id in IDS], [[b"\x05" * 32], [b"\x06" * 32] * 2]
    data = chain_of(node).encode(ContractCall("LeaseEscrow", "open", (offer_argument(OFFER), leaves, proofs)))
    assert data[4:] == encode(
        [OFFER_TYPE, "(uint64,bytes32)[]", "bytes32[][]"], [offer_argument(OFFER), leaves, proofs]
    )


@pytest.mark.parametrize(
    ("change", "complaint"), [({"rate": -1}, "rate: -1 does not fit uint128"), ({"device_ids": (b"\x01",)}, "32 bytes")]
)
def test_offer_argument__value_off_its_type__named(change, complaint):
    with pytest.raises(ChainError, match=complaint):
        offer_argument(replace(OFFER, **change))


async def test_nonce_floor__of_a_signer__asked_for_that_signer():
    node, asked = EscrowNode(), []
    node.answers["eth_call"] = lambda params: asked.append(params[0]["data"]) or word(9)
    assert await nonce_floor(chain_of(node), IDS[0], PROVIDER) == 9
    assert asked[0].endswith(IDS[0].hex() + PROVIDER[2:].lower().rjust(64, "0"))

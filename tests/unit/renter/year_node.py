"""A chain of two-second blocks, a year old, behind one endpoint that counts what it is asked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from eth_abi.abi import encode
from eth_utils.abi import collapse_if_tuple

from assay.chain.deployment import Deployment
from assay.chain.errors import RpcError
from assay.protocol.hexadecimal import parse_address
from assay.protocol.keccak import keccak
from tests.unit.chain.contracts.test_leases import LEASE_ABI, LEASE_FIELDS, OFFER_ABI

YEAR = 365 * 86_400 // 2
CHAIN_ID = 31_337
ADDRESSES = {
    name: parse_address("0x" + f"{n:02x}" * 20)
    for n, name in enumerate(
        (
            "StakeManager",
            "DeviceRegistry",
            "ValidatorSet",
            "EpochOracle",
            "FraudProofs",
            "OpeningDemands",
            "LeaseEscrow",
        ),
        start=0x51,
    )
}
DEVICE = "address provider,uint8 status,uint40 enrolledAt,address deviceKey,uint32 profile,bytes32 specHash"
TIMING = "uint40 genesis,uint32 epochLength,uint32 openBy,uint32 sealBy,uint32 drawBy,uint32 reportBy,uint32 drawDelay"
STATE = (
    "uint8 phase,uint32 setId,uint8 seats,uint32 sealCount,uint64 sealBlock,uint40 openedAt,uint40 reportedAt,"
    "uint32 sealSigners,uint32 reportSigners,bytes32 beacon,bytes32 epochSeed,bytes32 sealRoot,bytes32 rho,"
    "bytes32 devicesRoot,bytes32 rewardsRoot,uint256 rewardsTotal,bytes32 dataHash"
)


def parameters(described: str) -> list[dict[str, Any]]:
    """Of `address provider,uint8 status indexed`."""
    words = [one.split() for one in described.split(",") if one]
    return [{"type": kind, "name": name, "indexed": bool(rest)} for kind, name, *rest in words]


def view(name: str, inputs: str, outputs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """A function's ABI."""
    return {
        "type": "function",
        "name": name,
        "stateMutability": "view",
        "inputs": parameters(inputs),
        "outputs": outputs,
    }


def struct(described: str) -> list[dict[str, Any]]:
    """One unnamed struct."""
    return [{"type": "tuple", "name": "", "components": parameters(described)}]


def event(name: str, described: str, *more: dict[str, Any]) -> dict[str, Any]:
    """An event's ABI."""
    return {"type": "event", "name": name, "inputs": [*parameters(described), *more]}


SEATS = [{**struct("address account,address signer")[0], "type": "tuple[]"}]
NUMBER, YES = parameters("uint256 value"), parameters("bool value")
ABI = [
    view("lease", "uint256 leaseId", [LEASE_ABI]), view("streamed", "uint256 leaseId", NUMBER),
    view("refundable", "uint256 leaseId", NUMBER), view("maxDowntime", "", NUMBER), view("holdback", "", NUMBER),
    view("leaseCount", "", NUMBER), view("deviceCount", "", NUMBER), view("seatsOf", "uint32 setId", SEATS),
    view("maxAge", "", NUMBER), view("currentEpoch", "", NUMBER), view("tokenAllowed", "address token", YES),
    view("activeLease", "bytes32 deviceId", NUMBER), view("nonceFloor", "bytes32 deviceId,address signer", NUMBER),
    view("device", "bytes32 deviceId", struct(DEVICE)), view("isRefunder", "address renter,address agent", YES),
    view("timing", "", struct(TIMING + ",uint40 proofWindow")), view("epochState", "uint64 epoch", struct(STATE)),
    view("currentSeats", "", SEATS),
    event("LeaseOpened", "uint256 leaseId indexed,address renter indexed,address provider indexed,bytes32 offerHash",
          {**OFFER_ABI, "indexed": False}, *parameters("uint96 deposit")),
    event("LeaseCancelled", "uint256 leaseId indexed,uint256 refund"),
    event("LeaseStarted", "uint256 leaseId indexed,bytes32 resultRoots,uint40 start,uint40 stop,uint96 bond"),
    event("LeaseToppedUp", "uint256 leaseId indexed,uint96 amount,uint40 stop"),
    event("NoticeGiven", "uint256 leaseId indexed,uint40 freeFrom"),
    event("LeaseEnded", "uint256 leaseId indexed,address by indexed,uint40 stop,uint96 forfeited"),
    event("LeaseReleased", "uint256 leaseId indexed,uint40 stop"),
    event("LeaseClaimed", "uint256 leaseId indexed,address receiver indexed,uint256 amount,uint256 fee"),
    event("LeaseRefunded", "uint256 leaseId indexed,address receiver indexed,uint256 amount"),
    event("DowntimeRefunded", "uint256 leaseId indexed,uint64 epoch indexed,bytes32 deviceId,uint256 amount,"
          "uint40 downtime"),
    event("BondForfeited", "uint256 leaseId indexed,uint256 amount"),
    event("RefunderNamed", "address renter indexed,address agent indexed,bool may"),
    event("DeviceOfLeaseSlashed", "uint256 leaseId indexed,bytes32 deviceId indexed"),
    event("DeviceEnrolled", "bytes32 deviceId indexed,address provider indexed,address deviceKey,uint32 profile,"
          "bytes32 specHash"),
    event("DeviceEndpoint", "bytes32 deviceId indexed,string endpoint,bytes32 tlsFingerprint"),
    event("DeviceRetired", "bytes32 deviceId indexed,uint8 status"),
    event("SeatEndpoint", "address account indexed,string endpoint,bytes32 tlsFingerprint"),
]  # fmt: skip
DEPLOYMENT = Deployment(
    network="fake",
    chain_id=CHAIN_ID,
    block=0,
    contracts={name: {"address": address, "abi": ABI} for name, address in ADDRESSES.items()},
)
_VIEWS = {
    keccak(f"{one['name']}({','.join(p['type'] for p in one['inputs'])})".encode())[:4]: one
    for one in ABI
    if one["type"] == "function"
}
DECIMALS, SYMBOL = keccak(b"decimals()")[:4], keccak(b"symbol()")[:4]
_CALL_CODE = 63  # bytes of a batch's code for each call


def lease_values(**changes: Any) -> tuple[Any, ...]:
    """The escrow's struct."""
    values = {name: value for _, name, value in LEASE_FIELDS} | changes
    return tuple(values[name] for _, name, _ in LEASE_FIELDS)


class YearNode:
    """`answers` gives what a view returns from its arguments' bytes; `logs` are all logs there are."""

    url = "http://year"

    def __init__(self, answers: Mapping[str, Callable[[bytes], Any]], logs: Sequence[dict[str, Any]]) -> None:
        self.answers, self.logs = answers, logs
        self.asked: Counter[str] = Counter()

    @property
    def calls(self) -> int:
        """All of them."""
        return sum(self.asked.values())

    async def close(self) -> None:
        """Nothing is open."""

    async def request(self, method: str, params: Any) -> Any:
        """As the node of an endpoint answers."""
        self.asked[method] += 1
        return getattr(self, method)(*params)

    def eth_chainId(self) -> str:
        return hex(CHAIN_ID)

    def eth_getBlockByNumber(self, tag: str, full: bool) -> Any:
        number = {"latest": YEAR + 2, "finalized": YEAR}.get(tag)
        number = int(tag, 16) if number is None else number
        return {
            "number": hex(number),
            "hash": "0x" + keccak(number.to_bytes(8, "big")).hex(),
            "parentHash": "0x" + keccak(max(0, number - 1).to_bytes(8, "big")).hex(),
            "timestamp": hex(2 * number),
            "baseFeePerGas": "0x1",
        }

    def eth_getLogs(self, query: Any) -> Any:
        first, last = int(query["fromBlock"], 16), int(query["toBlock"], 16)
        return [
            log
            for log in self.logs
            if first <= int(log["blockNumber"], 16) <= last
            and log["address"] == query["address"]
            and all(
                wanted is None or topic in wanted for wanted, topic in zip(query["topics"], log["topics"], strict=False)
            )
        ]

    def eth_call(self, call: Any, where: Any) -> str:
        data = bytes.fromhex(call["data"][2:])
        if "to" in call:
            return "0x" + self._view(data).hex()
        if data[:1] == b"\x73":  # the sizes of contracts
            return "0x" + (bytes(32) + (7).to_bytes(32, "big") * data.count(b"\x3b\x61")).hex()
        answer, at = bytes(32), 2
        while data[at] == 0x62:
            size, offset = int.from_bytes(data[at + 1 : at + 4], "big"), int.from_bytes(data[at + 5 : at + 8], "big")
            found = self._view(data[offset : offset + size])
            answer += (1).to_bytes(32, "big") + len(found).to_bytes(32, "big") + found
            at += _CALL_CODE
        return "0x" + answer.hex()

    def _view(self, data: bytes) -> bytes:
        if data[:4] == DECIMALS:
            return (6).to_bytes(32, "big")
        if data[:4] == SYMBOL:
            return encode(["string"], ["USD"])
        one = _VIEWS[data[:4]]
        if one["name"] not in self.answers:
            raise RpcError("eth_call", 3, f"execution reverted: nobody knows {one['name']}")
        types = [collapse_if_tuple(dict(output)) for output in one["outputs"]]
        return encode(types, [self.answers[one["name"]](data[4:])])


def log_of(contract: str, name: str, block: int, index: int, **values: Any) -> dict[str, Any]:
    """A log of the event as the node shows it."""
    abi = next(one for one in ABI if one["type"] == "event" and one["name"] == name)
    types = {p["name"]: collapse_if_tuple(dict(p)) for p in abi["inputs"]}
    indexed = [p["name"] for p in abi["inputs"] if p.get("indexed")]
    plain = [p["name"] for p in abi["inputs"] if not p.get("indexed")]
    signature = f"{name}({','.join(types[p['name']] for p in abi['inputs'])})"
    topics = [keccak(signature.encode()), *(encode([types[n]], [values[n]]) for n in indexed)]
    return {
        "address": ADDRESSES[contract],
        "blockNumber": hex(block),
        "logIndex": hex(index),
        "topics": ["0x" + topic.hex() for topic in topics],
        "data": "0x" + encode([types[n] for n in plain], [values[n] for n in plain]).hex(),
        "blockHash": "0x" + keccak(block.to_bytes(8, "big")).hex(),
        "transactionHash": "0x" + "33" * 32,
        "transactionIndex": "0x0",
    }

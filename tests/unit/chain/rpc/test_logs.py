"""Nodes that do not answer for logs, that leave some out, and texts that nobody can read."""

import pytest
from eth_abi.abi import encode

from assay.chain.contracts.devices import DeviceDirectory
from assay.chain.contracts.seats import SeatDirectory
from assay.chain.deployment import Deployment
from assay.chain.errors import ChainError, Declined, EndpointFault, EndpointsDisagree, RpcError
from assay.chain.rpc.client import Chain
from assay.chain.rpc.events import read_events
from assay.chain.rpc.log_cache import LogCache
from assay.chain.rpc.log_refusals import LogRefusal, blocks_allowed, log_refusal
from assay.chain.rpc.pool import EndpointPool
from assay.protocol.encoding import device_id
from assay.protocol.keccak import keccak
from tests.unit.chain.conftest import FakeEndpoint
from tests.unit.chain.rpc.test_events import ABI, ADDRESS, LogNode, chain_of, log

YEAR = 365 * 86_400 // 2  # blocks of two seconds


def refusing(node, error, times=10**9):
    """The node's answer to eth_getLogs is this error, `times` over."""
    answer, left = node.answers["eth_getLogs"], [times]

    def refuse(params):
        if left[0] > 0:
            left[0] -= 1
            raise error
        return answer(params)

    node.answers["eth_getLogs"] = refuse


def rpc(code, message, data=None):
    return RpcError("eth_getLogs", code, message, data)


def fault(reason, **options):
    return EndpointFault("http://one", f"eth_getLogs: {reason}", **options)


REFUSALS = [
    (rpc(-32_005, "query returned more than 10000 results"), LogRefusal.TOO_MUCH),
    (rpc(-32_005, "daily request count exceeded, request rate limited"), LogRefusal.BUSY),
    (rpc(-32_602, "range 1000000 exceeds limit of 10000"), LogRefusal.TOO_MUCH),
    (rpc(-32_602, "invalid params", {"payload": "range 9009594 is bigger than range limit 2000"}), LogRefusal.TOO_MUCH),
    (rpc(-32_614, "eth_getLogs is limited to a 10,000 range"), LogRefusal.TOO_MUCH),
    (
        rpc(-32_000, "block range is larger than max block range, block range = 5120, max block range = 5000"),
        LogRefusal.TOO_MUCH,
    ),
    (rpc(-32_000, "Log response size exceeded. Please reduce query block range."), LogRefusal.TOO_MUCH),
    (rpc(-32_000, "maximum [from, to] blocks distance: 500"), LogRefusal.TOO_MUCH),
    (rpc(-32_000, "query block range exceeds server limit, narrow your filter: 1000"), LogRefusal.TOO_MUCH),
    (
        rpc(-32_047, "Invalid eth_getLogs request. 'fromBlock'-'toBlock' range too large. Max range: 800"),
        LogRefusal.TOO_MUCH,
    ),
    (rpc(-32_008, "Response is too big"), LogRefusal.TOO_MUCH),
    (rpc(-32_000, "query timeout exceeded"), LogRefusal.TOO_MUCH),
    (rpc(-32_000, "context deadline exceeded"), LogRefusal.TOO_MUCH),
    (rpc(413, ""), LogRefusal.TOO_MUCH),
    (rpc(429, "Your app has exceeded its compute units per second capacity"), LogRefusal.BUSY),
    (rpc(-32_029, "Too Many Requests"), LogRefusal.BUSY),
    (rpc(-32_000, "pruned history unavailable"), LogRefusal.PRUNED),
    (rpc(4_444, "gone"), LogRefusal.PRUNED),
    (rpc(-32_601, "the method eth_getLogs does not exist/is not available"), LogRefusal.ABSENT),
    (rpc(-32_603, "Internal error"), LogRefusal.BROKEN),
    (fault("no answer in time", timed_out=True), LogRefusal.TOO_MUCH),
    (fault("response above 67108864 bytes"), LogRefusal.TOO_MUCH),
    (fault("HTTP 413 with a body that is not JSON"), LogRefusal.TOO_MUCH),
    (fault("HTTP 504 with a body that is not JSON"), LogRefusal.TOO_MUCH),
    (fault("HTTP 429 with a body that is not JSON"), LogRefusal.BUSY),
    (fault("HTTP 502 with a body that is not JSON"), LogRefusal.BROKEN),
]


@pytest.mark.parametrize(("error", "meaning"), REFUSALS, ids=lambda value: str(value)[:60])
def test_log_refusal__words_and_codes_of_nodes__meaning(error, meaning):
    assert log_refusal(error) is meaning


@pytest.mark.parametrize(
    ("message", "asked", "blocks"),
    [
        ("eth_getLogs is limited to a 10,000 range", YEAR, 10_000),
        ("maximum [from, to] blocks distance: 500", 2_000, 500),
        ("try with this block range [0x0, 0x3e7].", 2_000, 1_000),
        ("block range = 5120, max block range = 5000", 5_120, 5_000),
        ("too many blocks", 2_000, 1_000),
        ("limited to 3 blocks", 2_000, 1_000),  # not believed: a scan would never end
        ("no", 1, 1),
    ],
)
def test_blocks_allowed__range_named_or_not__never_as_much_again(message, asked, blocks):
    assert blocks_allowed(rpc(-32_000, message), asked) == blocks


@pytest.mark.parametrize(("error", "_"), REFUSALS, ids=lambda value: str(value)[:60])
async def test_read_events__first_endpoint_refuses__second_is_asked(error, _):
    first, second = LogNode(url="http://a"), LogNode(url="http://b")
    refusing(first, error)
    chain = chain_of(first, second)
    events = await read_events(chain, "Probe", ["Counted"], 0, await chain.finalised())
    assert [e.args["value"] for e in events] == list(range(99))


@pytest.mark.parametrize(
    "error", [error for error, meaning in REFUSALS if meaning is LogRefusal.TOO_MUCH], ids=lambda value: str(value)[:60]
)
async def test_read_events__only_endpoint_answers_less__all_in_smaller_pieces(error):
    node = LogNode()
    answer = node.answers["eth_getLogs"]

    def limited(params):
        if int(params[0]["toBlock"], 16) - int(params[0]["fromBlock"], 16) >= 12:
            raise error
        return answer(params)

    node.answers["eth_getLogs"] = limited
    chain = chain_of(node)
    events = await read_events(chain, "Probe", ["Counted"], 0, await chain.finalised())
    assert [e.args["value"] for e in events] == list(range(99))


@pytest.mark.parametrize("error", [rpc(-32_603, "Internal error"), fault("cut off"), rpc(429, "too many requests")])
async def test_read_events__refused_twice_for_no_reason__asked_again_for_less(error):
    node = LogNode()
    refusing(node, error, times=2)
    chain = chain_of(node)
    assert len(await read_events(chain, "Probe", ["Counted"], 0, await chain.finalised())) == 99


@pytest.mark.parametrize(("error", "_"), REFUSALS, ids=lambda value: str(value)[:60])
async def test_read_events__nobody_ever_answers__named_after_a_bounded_number_of_questions(error, _):
    node = LogNode(head=YEAR + 2, final=YEAR)
    refusing(node, error)
    chain = chain_of(node)
    with pytest.raises(Declined, match="http://one"):
        await read_events(chain, "Probe", ["Counted"], 0, await chain.finalised())
    assert node.asked.count("eth_getLogs") <= 25


async def test_read_events__history_pruned__advice_names_another_endpoint():
    node = LogNode()
    refusing(node, rpc(4_444, "pruned history unavailable"))
    chain = chain_of(node)
    with pytest.raises(ChainError, match="name an endpoint that keeps them"):
        await read_events(chain, "Probe", ["Counted"], 0, await chain.finalised())
    assert node.asked.count("eth_getLogs") == 1


async def test_read_events__a_year_with_few_events__one_question():
    node = LogNode(head=YEAR + 2, final=YEAR)
    node.answers["eth_getLogs"] = [log(7), log(YEAR)]
    chain = chain_of(node)
    assert len(await read_events(chain, "Probe", ["Counted"], 0, await chain.finalised())) == 2
    assert node.asked.count("eth_getLogs") == 1


async def test_read_events__a_limit_of_10000_blocks_named__no_question_lost_on_finding_it():
    node = LogNode(head=1_000_002, final=1_000_000)

    def limited(params):
        if int(params[0]["toBlock"], 16) - int(params[0]["fromBlock"], 16) >= 10_000:
            raise rpc(-32_614, "eth_getLogs is limited to a 10,000 range")
        return []

    node.answers["eth_getLogs"] = limited
    chain = chain_of(node)
    await read_events(chain, "Probe", ["Counted"], 0, await chain.finalised())
    assert node.asked.count("eth_getLogs") <= 101 * 9 // 8 + 3


# --- what a node leaves out


def leaving_out(url, *numbers, **options):
    node = LogNode(url=url, **options)
    answer = node.answers["eth_getLogs"]
    node.answers["eth_getLogs"] = lambda params: [
        one for one in answer(params) if int(one["blockNumber"], 16) not in numbers
    ]
    return node


async def test_read_events__two_endpoints_one_leaves_a_log_out__noticed():
    chain = chain_of(leaving_out("http://a", 50), LogNode(url="http://b"))
    with pytest.raises(EndpointsDisagree, match="http://a shows 98, http://b shows 99"):
        await read_events(chain, "Probe", ["Counted"], 0, await chain.finalised())


async def test_read_events__one_of_three_leaves_a_log_out__the_others_decide_and_it_rests():
    chain = chain_of(leaving_out("http://a", 50), LogNode(url="http://b"), LogNode(url="http://c"))
    events = await read_events(chain, "Probe", ["Counted"], 0, await chain.finalised())
    assert [e.args["value"] for e in events] == list(range(99))
    assert list(chain.pool.faults) == ["http://a"]


async def test_read_events__second_endpoint_answers_less_at_once__compared_all_the_same():
    chain = chain_of(leaving_out("http://a", 50), LogNode(limit=10, url="http://b"))
    with pytest.raises(EndpointsDisagree):
        await read_events(chain, "Probe", ["Counted"], 0, await chain.finalised())


async def test_read_events__second_endpoint_down__the_first_alone_is_read():
    second = LogNode(url="http://b")
    chain = chain_of(LogNode(url="http://a"), second)
    last = await chain.finalised()
    second.fail()
    assert len(await read_events(chain, "Probe", ["Counted"], 0, last, piece=10)) == 99
    assert second.asked.count("eth_getBlockByNumber") <= 4, "it was waited for at every piece"


# --- what an account makes a contract say


def _arguments(*described):
    """`bytes32 id indexed` and so on."""
    words = [one.split() for one in described]
    return [{"name": name, "type": kind, "indexed": bool(rest)} for kind, name, *rest in words]


def _event(name, *described):
    return {"type": "event", "name": name, "inputs": _arguments(*described)}


SEAT = {"name": "seats", "type": "tuple[]", "components": _arguments("address account", "address signer")}
TEXT_ABI = [
    _event(
        "DeviceEnrolled",
        "bytes32 deviceId indexed",
        "address provider indexed",
        "address deviceKey",
        "uint32 profile",
        "bytes32 specHash",
    ),
    _event("DeviceEndpoint", "bytes32 deviceId indexed", "string endpoint", "bytes32 tlsFingerprint"),
    _event("DeviceRetired", "bytes32 deviceId indexed", "uint8 status"),
    _event("SeatEndpoint", "address account indexed", "string endpoint", "bytes32 tlsFingerprint"),
    {"type": "function", "name": "currentSeats", "inputs": [], "stateMutability": "view", "outputs": [SEAT]},
]
REGISTRY = Deployment(
    network="fake",
    chain_id=31_337,
    block=0,
    contracts={name: {"address": ADDRESS, "abi": TEXT_ABI} for name in ("DeviceRegistry", "ValidatorSet")},
)
PROVIDER = "0x" + "aa" * 20
KEYS = ["0x" + f"{n:02x}" * 20 for n in (1, 2)]
IDS = [device_id(PROVIDER, key) for key in KEYS]
ODD = [
    b"http://caf\xe9", b"\xff" * 200, b"", b"http://a\x00b", b"\x1b[2J", "https://データ.example".encode(),
    "http://exa℀mple.org".encode(), b"x" * 100_000, b"two words", b"\xed\xa0\x80",
]  # fmt: skip


def said(number, signature, topics, types, values, **changes):
    return log(
        number,
        topics=["0x" + keccak(signature.encode()).hex(), *("0x" + t.hex() for t in topics)],
        data="0x" + encode(types, values).hex(),
        **changes,
    )


def of_device(which, number, endpoint):
    return said(
        number, "DeviceEndpoint(bytes32,string,bytes32)", [IDS[which]], ["bytes", "bytes32"], [endpoint, bytes(32)]
    )


def enrolled(which, number):
    provider = encode(["address"], [PROVIDER])
    return said(
        number,
        "DeviceEnrolled(bytes32,address,address,uint32,bytes32)",
        [IDS[which], provider],
        ["address", "uint32", "bytes32"],
        [KEYS[which], 1, bytes(32)],
    )


def registry_of(*logs):
    node = FakeEndpoint()
    node.answers["eth_getLogs"] = lambda params: [one for one in logs if one["topics"][0] in params[0]["topics"][0]]
    return Chain(EndpointPool([node], 31_337), REGISTRY), node


@pytest.mark.parametrize("odd", ODD)
async def test_devices__one_announces_what_nobody_can_read__the_others_are_all_there(odd):
    chain, _ = registry_of(enrolled(0, 1), enrolled(1, 2), of_device(0, 3, odd), of_device(1, 4, b"https://good"))
    devices = await DeviceDirectory(chain).refresh()
    assert [devices[i].endpoint for i in IDS] == ["", "https://good"]
    assert chain.unread == 0


@pytest.mark.parametrize("data", ["0x", "0x" + "ff" * 64, "0x" + "ff" * 31, "0x" + ("00" * 31 + "40" + "ff" * 32) * 2])
async def test_devices__a_log_that_does_not_decode__left_out_and_counted(data):
    bad = {**of_device(0, 3, b"https://bad"), "data": data}
    chain, _ = registry_of(enrolled(0, 1), enrolled(1, 2), bad, of_device(1, 4, b"https://good"))
    devices = await DeviceDirectory(chain).refresh()
    assert [devices[i].endpoint for i in IDS] == ["", "https://good"]
    assert chain.unread == 1


def counting(*logs, count):
    """The registry's own count beside its logs."""
    function = {
        "type": "function",
        "name": "deviceCount",
        "inputs": [],
        "stateMutability": "view",
        "outputs": [{"name": "", "type": "uint40"}],
    }
    contracts = {
        name: {"address": ADDRESS, "abi": [*TEXT_ABI, function]} for name in ("DeviceRegistry", "ValidatorSet")
    }
    deployment = Deployment(network="fake", chain_id=31_337, block=0, contracts=contracts)
    _, node = registry_of(*logs)
    node.answers["eth_call"] = lambda params: "0x" + count[0].to_bytes(32, "big").hex()
    return node, deployment


async def test_devices__only_endpoint_leaves_an_enrolment_out__noticed_by_the_registrys_count(tmp_path):
    count = [2]
    node, deployment = counting(enrolled(0, 1), count=count)
    cache = LogCache(tmp_path, 31_337)
    directory = DeviceDirectory(Chain(EndpointPool([node], 31_337), deployment, log_cache=cache))
    with pytest.raises(ChainError, match="enrol 1 devices, the registry counts 2"):
        await directory.refresh()
    assert not list((tmp_path / "logs").rglob("*.json")), "what a liar said was kept"
    honest, _ = counting(enrolled(0, 1), enrolled(1, 2), count=count)
    node.answers["eth_getLogs"] = honest.answers["eth_getLogs"]
    node.head, node.final = 101, 99
    assert set(await directory.refresh()) == set(IDS)


@pytest.mark.parametrize("odd", ODD)
async def test_seats__one_announces_what_nobody_can_read__the_others_keep_their_addresses(odd):
    accounts = [encode(["address"], [key]) for key in KEYS]
    logs = [
        said(n + 1, "SeatEndpoint(address,string,bytes32)", [account], ["bytes", "bytes32"], [text, bytes(32)])
        for n, (account, text) in enumerate(zip(accounts, (odd, b"https://seat"), strict=True))
    ]
    chain, node = registry_of(*logs)
    node.answers["eth_call"] = "0x" + encode(["(address,address)[]"], [[(key, key) for key in KEYS]]).hex()
    assert [seat.endpoint for seat in await SeatDirectory(chain).current()] == ["", "https://seat"]


async def test_call__text_that_is_not_utf8__read_all_the_same():
    abi = [*ABI, {"type": "function", "name": "name", "inputs": [], "stateMutability": "view",
                  "outputs": [{"name": "", "type": "string"}]}]  # fmt: skip
    deployment = Deployment(
        network="fake", chain_id=31_337, block=0, contracts={"Probe": {"address": ADDRESS, "abi": abi}}
    )
    node = FakeEndpoint()
    node.answers["eth_call"] = "0x" + encode(["bytes"], [b"caf\xe9"]).hex()
    chain = Chain(EndpointPool([node], 31_337), deployment)
    assert await chain.call("Probe", "name", at="latest") == "caf\ufffd"


async def test_devices__only_some__the_node_is_asked_for_these_and_shows_no_others():
    logs = [enrolled(0, 1), enrolled(1, 2), of_device(0, 3, b"https://a"), of_device(1, 4, b"https://b")]
    chain, node = registry_of()
    asked = []

    def answer(params):
        asked.append(params[0]["topics"])
        kinds, wanted = params[0]["topics"]
        return [one for one in logs if one["topics"][0] in kinds and one["topics"][1] in wanted]

    node.answers["eth_getLogs"] = answer
    devices = await DeviceDirectory(chain, IDS[:1]).refresh()
    assert [(one, devices[one].endpoint) for one in devices] == [(IDS[0], "https://a")]
    assert [topics[1] for topics in asked] == [["0x" + IDS[0].hex()]] * len(asked) and asked
    count = len(asked)
    assert await DeviceDirectory(chain, ()).refresh() == {} and len(asked) == count

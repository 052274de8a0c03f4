"""A market is believed only where chain, proof and signature bear it out."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from assay.chain.contracts.devices import Device
from assay.network.origins import Endpoint
from assay.protocol.encoding import device_id as device_id_of
from assay.protocol.hexadecimal import ZERO_ADDRESS, to_hex
from assay.protocol.keccak import keccak
from assay.protocol.leaves import DeviceLeaf, device_tree
from assay.protocol.messages import Offer
from assay.protocol.signing import Domain, address_of
from assay.protocol.specification import DeclaredHost, canonical_specification, specification_hash
from assay.renter.errors import Unreachable
from assay.renter.market.market_check import ChainFacts, MarketContradicted, checked
from assay.renter.market.market_client import MarketClient, MarketEvidence, MarketRow, Shown, parse_row
from assay.renter.market.market_search import _filters
from assay.renter.market.offers import ANYONE
from assay.renter.market.search import Order, Wanted
from assay.sheet.values import SheetValue, Source

DOMAIN = Domain(31337, "0x" + "22" * 20)
KEY, OPERATOR_KEY = keccak(b"provider"), keccak(b"operator")
PROVIDER, TOKEN = address_of(KEY), "0x" + "33" * 20
KEYS = sorted((address_of(keccak(bytes([n]))) for n in range(2)), key=lambda key: device_id_of(PROVIDER, key))
IDS = tuple(device_id_of(PROVIDER, key) for key in KEYS)
DOCUMENT = {"kind": "gpu", "model": "NVIDIA H100", "memoryMiB": 81_920, "region": "eu-de",
            "host": {"cores": 7, "memoryMiB": 60, "diskMiB": 500}}  # fmt: skip
DEVICES = tuple(
    Device(device_id, PROVIDER, key, 1, specification_hash(DOCUMENT)) for device_id, key in zip(IDS, KEYS, strict=True)
)
LEAVES = [
    DeviceLeaf(7, IDS[0], 2, 1, 900, 80_000, 9_900, 1, keccak(b"root")),
    DeviceLeaf(7, IDS[1], 3, 1, 950, 79_000, 9_800, 1, keccak(b"other")),
]
OTHER = DeviceLeaf(7, bytes(32), 4, 1, 5, 10, 100, 1, keccak(b"third"))
OFFER = Offer(PROVIDER, ZERO_ADDRESS, IDS, TOKEN, 10**18, 60, 3600, 2000, 4, ANYONE, 600)
ROW = MarketRow(
    IDS, OFFER.struct_hash(), PROVIDER, 1, "NVIDIA H100", "eu-de", 79_000, 900, 9_800, 7, TOKEN, 10**18, 60, 3600, 2000,
    600, DeclaredHost(14, 120, 1000), 81_920,
)  # fmt: skip
SPECIFICATION = canonical_specification(DOCUMENT).decode()


def served(offer: Offer = OFFER, key: bytes = KEY) -> dict[str, Any]:
    """An offer as a market serves it: with fields of its own beside."""
    return {**offer.to_json(), "signature": to_hex(offer.sign(DOMAIN, key)), "offerHash": "0x12", "listingId": "0x12"}


def leaf_json(leaf: DeviceLeaf) -> tuple[Any, ...]:
    return tuple(to_hex(value) if isinstance(value, bytes) else value for value in leaf.values())


def report(first: DeviceLeaf = LEAVES[0], second: DeviceLeaf = LEAVES[1]) -> tuple[MarketEvidence, ChainFacts]:
    """What a market shows of a report with these lines, and its root on the chain."""
    leaves = [first, second, OTHER]
    tree = device_tree(leaves)
    proofs = [tuple(to_hex(node) for node in tree.proof(place)) for place in range(2)]
    shown = tuple(Shown(leaf_json(leaves[place]), proofs[place], SPECIFICATION) for place in range(2))
    return MarketEvidence(served(), shown), ChainFacts(DEVICES, tree.root)


SHOWN, FACTS = report()


def with_second(**changes: Any) -> MarketEvidence:
    """SHOWN with something changed of its second device."""
    return replace(SHOWN, devices=(SHOWN.devices[0], replace(SHOWN.devices[1], **changes)))


def test_checked__true_in_every_part__gives_what_a_lease_opens_on() -> None:
    evidence = checked(ROW, SHOWN, FACTS, DOMAIN)
    assert ([line.leaf for line in evidence.measured], evidence.signed.offer) == (LEAVES, OFFER)
    assert evidence.devices == DEVICES


def test_checked__offer_signed_by_its_operator__is_what_the_escrow_takes() -> None:
    by_operator = replace(OFFER, operator=address_of(OPERATOR_KEY))
    shown = replace(SHOWN, offer=served(by_operator, OPERATOR_KEY))
    row = replace(ROW, offer_hash=by_operator.struct_hash())
    assert checked(row, shown, FACTS, DOMAIN).signed.offer == by_operator
    with pytest.raises(MarketContradicted, match="did not sign"):
        checked(row, replace(SHOWN, offer=served(by_operator)), FACTS, DOMAIN)


@pytest.mark.parametrize(
    "change",
    [
        {"score_gops": 950}, {"score_gops": 899}, {"memory_mib": 80_000},
        {"declared_mib": 99_999}, {"host": None},
        {"host": DeclaredHost(15, 120, 1000)}, {"memory_mib": 90_000}, {"profile": 2},
        {"epoch": 8}, {"rate": 10**18 - 1}, {"notice": 0}, {"offer_hash": bytes(32)},
        {"provider": "0x" + "44" * 20}, {"token": "0x" + "44" * 20}, {"min_duration": 1}, {"max_duration": 9999},
        {"valid_until": 3000}, {"model": "NVIDIA H200"}, {"region": "eu-fr"}, {"device_ids": IDS[:1]},
        {"device_ids": (IDS[1], IDS[0])},
    ],
)  # fmt: skip
def test_checked__a_row_that_says_more_than_is_shown__is_contradicted(change: dict[str, Any]) -> None:
    with pytest.raises(MarketContradicted):
        checked(replace(ROW, **change), SHOWN, FACTS, DOMAIN)


@pytest.mark.parametrize(
    "shown",
    [
        with_second(leaf=leaf_json(replace(LEAVES[1], score_gops=901))), with_second(leaf=leaf_json(OTHER)),
        with_second(leaf=SHOWN.devices[0].leaf, proof=SHOWN.devices[0].proof),  # one device standing for both
        with_second(leaf=()), with_second(leaf=(1,) * 9), with_second(proof=()), with_second(proof=("0x12",)),
        with_second(proof=(None,)), with_second(proof=("0x" + "00" * 32,) * 65),
        replace(SHOWN, offer={}), replace(SHOWN, offer={**served(), "rate": "1"}),
        replace(SHOWN, offer={**served(), "signature": "0x" + "00" * 64}),
        replace(SHOWN, offer=served(replace(OFFER, rate=2 * 10**18))),
        replace(SHOWN, offer=served(replace(OFFER, device_ids=IDS[:1]))),
        with_second(specification=None), with_second(specification="{"), with_second(specification="[" * 9999),
        with_second(specification=json.dumps({**DOCUMENT, "driver": "x"})),
    ],
)  # fmt: skip
def test_checked__evidence_that_does_not_prove_the_row__is_contradicted(shown: MarketEvidence) -> None:
    with pytest.raises(MarketContradicted):
        checked(ROW, shown, FACTS, DOMAIN)


@pytest.mark.parametrize(
    "facts",
    [
        replace(FACTS, devices_root=bytes(32)),
        replace(FACTS, devices=(DEVICES[0], replace(DEVICES[1], spec_hash=bytes(32)))),
    ],
)
def test_checked__a_chain_that_says_otherwise__is_believed(facts: ChainFacts) -> None:
    with pytest.raises(MarketContradicted):
        checked(ROW, SHOWN, facts, DOMAIN)


@pytest.mark.parametrize(("said", "holds"), [(81_920, True), (0, True), (99_999, False)])
def test_checked__no_memory_measured__lets_a_market_show_the_declared_one_only(said: int, holds: bool) -> None:
    shown, facts = report(*(replace(leaf, memory_mib=0) for leaf in LEAVES))
    row = replace(ROW, memory_mib=said)
    if holds:
        assert [line.leaf.memory_mib for line in checked(row, shown, facts, DOMAIN).measured] == [0, 0]
    else:
        with pytest.raises(MarketContradicted, match="MiB declared"):
            checked(row, shown, facts, DOMAIN)


def test_checked__one_device_of_a_node_failed__is_not_leased_on_the_others() -> None:
    shown, facts = report(second=replace(LEAVES[1], flags=5))
    with pytest.raises(MarketContradicted, match=f"{to_hex(IDS[1])} did not pass"):
        checked(ROW, shown, facts, DOMAIN)


SHEET = {
    "scoreGops": SheetValue(900, "Gop/s", Source.proven),
    "bf16Tflops": SheetValue(756, "TFLOP/s", Source.declared),
    "modelName": SheetValue("H100 80GB", "", Source.declared),
}


def test_checked__a_sheet_that_says_what_the_specifications_say__holds() -> None:
    assert checked(replace(ROW, sheet=SHEET), SHOWN, FACTS, DOMAIN).devices == DEVICES


@pytest.mark.parametrize(
    "said", [{"bf16Tflops": 989}, {"diskReadMbs": 6_000}, {"cuda": "12.8"}, {"modelName": "H200"}, {"driver": "570"}]
)
def test_checked__a_sheet_that_says_more_than_was_declared__is_contradicted(said: dict[str, int | str]) -> None:
    more = {name: SheetValue(value, "", Source.declared) for name, value in said.items()}
    with pytest.raises(MarketContradicted, match="specifications declare"):
        checked(replace(ROW, sheet=SHEET | more), SHOWN, FACTS, DOMAIN)


@pytest.mark.parametrize("source", ["proven", "testimony", "certified"])
def test_parse_row__a_market_that_calls_what_is_declared_proven__is_refused(source: str) -> None:
    value = {"value": 6_000, "unit": "MB/s", "source": source, "by": 0}
    with pytest.raises(Unreachable, match="malformed listing"):
        parse_row(row_json(sheet={"diskReadMbs": value}), "http://market")
    assert parse_row(row_json(sheet={"diskReadMbs": value | {"source": "declared"}}), "m").sheet["diskReadMbs"].value


def row_json(**changes: Any) -> dict[str, Any]:
    return {
        "listingId": to_hex(IDS[0]), "deviceIds": [to_hex(IDS[0])], "offer": to_hex(bytes(32)), "provider": PROVIDER,
        "profile": 1, "model": "m", "region": "r", "memoryMib": 5, "scoreGops": 6, "uptimeBps": 7, "passedEpoch": 8,
        "token": TOKEN, "rate": "9", "minDuration": 1, "maxDuration": 2, "validUntil": 3, "notice": 0, **changes,
    }  # fmt: skip


@pytest.mark.parametrize(
    "row",
    [None, {}, [], row_json(rate="x"), row_json(deviceIds=["0x1"]), row_json(token=None), row_json(deviceIds=[]),
     row_json(deviceIds=[to_hex(IDS[0])] * 17), row_json(deviceIds=3), row_json(offer=None)],
)  # fmt: skip
def test_parse_row__malformed__is_refused(row: Any) -> None:
    with pytest.raises(Unreachable):
        parse_row(row, "http://market")


class Pages:
    """An HTTP client that answers from a table of paths."""

    def __init__(self, answers: dict[str, Any]) -> None:
        self.answers, self.asked = answers, list[str]()

    async def json_of(self, method: str, endpoint: Endpoint, path: str, **options: Any) -> Any:
        self.asked.append(path)
        return self.answers[path]


async def test_available__several_pages__are_followed_by_their_cursor() -> None:
    first, second = {"data": [row_json()] * 2, "next": "c/1"}, {"data": [row_json(rate="10")], "next": None}
    pages = Pages(
        {"/v1/listings?sort=price&limit=100": first, "/v1/listings?sort=price&limit=100&cursor=c%2F1": second}
    )
    client = MarketClient(pages, "http://market")  # type: ignore[arg-type]
    assert [row.rate async for row in client.available([("sort", "price")])] == [9, 9, 10]


@pytest.mark.parametrize("answer", [{}, {"data": {}}, {"data": [row_json()] * 101}])
async def test_available__not_a_page_of_devices__is_refused(answer: dict[str, Any]) -> None:
    client = MarketClient(Pages({"/v1/listings?limit=100": answer}), "http://market")  # type: ignore[arg-type]
    with pytest.raises(Unreachable):
        [row async for row in client.available([])]


async def test_evidence__of_a_node__is_the_offer_by_its_hash_and_each_device_by_its_own_line() -> None:
    pages = Pages({f"/v1/offers/{to_hex(ROW.offer_hash)}": {"data": served()}})
    part_json = {"device": {"endpoint": "http://p"}, "specification": {"document": SPECIFICATION}}
    listing = pages.answers[f"/v1/listings/{to_hex(ROW.listing_id)}"] = {"data": {"devices": [part_json] * 2}}
    for device_id, part in zip(IDS, SHOWN.devices, strict=True):
        line = {"leaf": list(part.leaf), "proof": list(part.proof)}
        pages.answers[f"/v1/epochs/7/devices/{to_hex(device_id)}"] = {"data": line}
    client = MarketClient(pages, "http://market")  # type: ignore[arg-type]
    assert await client.evidence(ROW) == SHOWN
    assert await client.endpoint(ROW.listing_id) == "http://p"
    for parts in ([], [part_json], "x", [3, 4], None):
        listing["data"]["devices"] = parts
        with pytest.raises(Unreachable):
            await client.evidence(ROW)


@pytest.mark.parametrize(
    ("wanted", "asked"),
    [
        (Wanted(), []),
        (Wanted(min_gpus=8, max_gpus=8), ["8"]),
        (Wanted(max_gpus=1), ["1"]),
        (Wanted(min_gpus=14), ["14", "15", "16"]),
    ],
)
def test_filters__by_how_many_devices__names_each_number(wanted: Wanted, asked: list[str]) -> None:
    assert [value for name, value in _filters(wanted, Order.price) if name == "gpus"] == asked


def test_filters__what_a_market_can_filter__is_asked_of_it() -> None:
    wanted = Wanted(at_least=(("cuda", 1204),), at_most=(("cpuMhz", 5_000),), model="H100 SXM",
                     min_memory_gb=80, min_of_expected_bps=9_000, min_score=5,
                    min_memory_mib=24 * 1024 + 5, token=TOKEN, provider=PROVIDER, profile=2, firm=True,
                    min_host=DeclaredHost(8, 64 * 1024, 500 * 1024 + 1))  # fmt: skip
    assert dict(_filters(wanted, Order.uptime)) == {
        "sort": "price",
        "minScoreGops": "5",
        "minMemoryGiB": "24",
        "min": "cuda:12.4",
        "max": "cpuMhz:5000",
        "model": "H100 SXM",
        "minMemoryGb": "80",
        "minOfExpectedBps": "9000",
        "minCpus": "8",
        "minRamGiB": "64",
        "minDiskGiB": "500",
        "token": TOKEN,
        "provider": PROVIDER,
        "profile": "2",
        "firm": "true",
    }
